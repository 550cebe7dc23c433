/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "share_fixture.h"

/* Making shares, and their growth. */

static void what_one_writes_all_others_see(void **state)
{
	const size_t page = page_bytes();
	vms_share *share = must_create(page, 16 * page);
	vms_share *other = must_attach(share);
	char *bytes = vms_share_at(share, 0, page);
	char *seen = vms_share_at(other, 0, page);

	(void)state;
	assert_int_equal(vms_share_size(other), page);
	assert_int_equal(vms_share_maximum(other), 16 * page);
	strcpy(bytes + 100, "hello");
	assert_string_equal(seen + 100, "hello");
	worked(vms_share_close(other));
	worked(vms_share_close(share));
	worked(vms_share_close(NULL));
}

static void growth_is_there_in_all_at_once(void **state)
{
	const size_t page = page_bytes();
	vms_share *share = must_create(0, 64 * page);
	vms_share *other = must_attach(share);
	char *base = vms_share_base(share);

	(void)state;
	refused_null(vms_share_at(other, 0, 1), ERANGE);
	assert_ptr_equal(vms_share_at(other, 0, 0), vms_share_base(other));
	for (size_t size = 1; size <= 64 * page; size = size * 2 + 7) {
		worked(vms_share_grow(size % 3 ? share : other, size));
		assert_int_equal(vms_share_size(share), size);
		base[size - 1] = 'x';
		assert_int_equal(*(char *)vms_share_at(other, size - 1, 1), 'x');
		refused_null(vms_share_at(other, size - 1, 2), ERANGE);
		refused_null(vms_share_at(other, size + 1, 0), ERANGE);
		refused_null(vms_share_at(other, UINT64_MAX, 2), ERANGE);
	}
	/* It has that already. */
	worked(vms_share_grow(other, 1));
	refused(vms_share_grow(other, 64 * page + 1), EFBIG);
	refused(vms_share_grow(other, UINT64_MAX), EFBIG);
	assert_ptr_equal(vms_share_base(share), base);
	worked(vms_share_close(other));
	worked(vms_share_close(share));
}

static void extensions_are_nobody_else_s(void **state)
{
	const size_t page = page_bytes();
	vms_share *share = must_create(10, 2 * page);
	vms_share *other = must_attach(share);
	uint64_t at = 0;

	(void)state;
	worked(vms_share_extend(share, 5, &at));
	assert_int_equal(at, 10);
	worked(vms_share_extend(other, 7, &at));
	assert_int_equal(at, 15);
	assert_int_equal(vms_share_size(share), 22);
	refused(vms_share_extend(share, 0, &at), EINVAL);
	refused(vms_share_extend(share, 2 * page, &at), EFBIG);
	refused(vms_share_extend(share, UINT64_MAX, &at), EFBIG);
	assert_int_equal(vms_share_size(share), 22);
	worked(vms_share_close(other));
	worked(vms_share_close(share));
}

#define PROCESSES 8
#define EXTENSIONS 200

static int extend_often(int fd, unsigned char mark)
{
	vms_share *share = vms_share_attach(fd, NULL);
	uint64_t at;

	if (!share)
		return 1;
	for (int i = 0; i < EXTENSIONS; i++) {
		if (vms_share_extend(share, 100, &at) != 0)
			return 2;
		memset(vms_share_at(share, at, 100), mark, 100);
	}
	return vms_share_close(share) ? 3 : 0;
}

static void processes_extend_it_at_the_same_time(void **state)
{
	vms_share *share = must_create(0, PROCESSES * EXTENSIONS * 100);
	pid_t children[PROCESSES];
	unsigned counts[PROCESSES + 1] = { 0 };
	const unsigned char *bytes = vms_share_base(share);

	(void)state;
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(extend_often(vms_share_fd(share),
					   (unsigned char)(i + 1)));
	}
	for (int i = 0; i < PROCESSES; i++)
		must_end_well(children[i]);
	assert_int_equal(vms_share_size(share), PROCESSES * EXTENSIONS * 100);
	for (size_t at = 0; at < vms_share_size(share); at += 100) {
		for (size_t i = 1; i < 100; i++)
			assert_int_equal(bytes[at + i], bytes[at]);
		counts[bytes[at]]++;
	}
	for (int i = 1; i <= PROCESSES; i++)
		assert_int_equal(counts[i], EXTENSIONS);
	worked(vms_share_close(share));
}

/* --- limits ---------------------------------------------------------------------------- */

static void takes_its_memory_when_it_grows(void **state)
{
	const size_t page = page_bytes();
	vms_share *share = must_create(0, 1024 * page);
	const uint64_t before = stats_of(share).allocated;

	(void)state;
	worked(vms_share_grow(share, 512 * page));
	assert_true(stats_of(share).allocated - before >= 512 * page);
	worked(vms_share_close(share));
}

static void a_full_file_system_is_told(void **state)
{
	const struct place *place = *state;
	vms_share *share;
	char path[256];

	if (mount("tmpfs", place->directory, "tmpfs", 0, "size=1m") != 0)
		skip();
	(void)snprintf(path, sizeof(path), "%s/share", place->directory);
	share = vms_share_create(path, 0, (uint64_t)1 << 30, NULL);
	assert_non_null(share);
	worked(vms_share_grow(share, 500000));
	refused(vms_share_grow(share, (uint64_t)4 << 20), ENOSPC);
	assert_int_equal(vms_share_size(share), 500000);
	worked(vms_share_grow(share, 600000));
	memset(vms_share_at(share, 0, 600000), 'x', 600000);
	refused_null(vms_share_create(path, 0, 4096, NULL), EEXIST);
	worked(vms_share_close(share));
	assert_int_equal(unlink(path), 0);
	refused_null(vms_share_create(path, (uint64_t)4 << 20, (uint64_t)4 << 20, NULL),
		     ENOSPC);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(umount2(place->directory, MNT_DETACH), 0);
}

static void the_limit_of_files_is_told(void **state)
{
	struct rlimit before, small;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	refused_null(vms_share_create(NULL, 0, 1 << 20, NULL), EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static char cgroup[128];

static bool write_text(const char *name, const char *text)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	const bool done = fd >= 0 && write(fd, text, strlen(text)) ==
					     (ssize_t)strlen(text);

	(void)close(fd);
	return done;
}

/* A cgroup of 32 MiB; false: this machine has no such thing for us. */
static bool make_cgroup(void)
{
	(void)snprintf(cgroup, sizeof(cgroup),
		       "/sys/fs/cgroup/memory/vmspace-share-%d", getpid());
	if (mkdir(cgroup, 0700) != 0)
		return false;
	if (write_text("memory.limit_in_bytes", "33554432"))
		return true;
	(void)rmdir(cgroup);
	return false;
}

static int grow_in_cgroup(void)
{
	vms_share *share;

	if (!write_text("cgroup.procs", "0"))
		return 2;
	share = vms_share_create(NULL, 0, (uint64_t)1 << 30, NULL);
	if (!share || vms_share_grow(share, (uint64_t)8 << 20) != 0)
		return 3;
	if (vms_share_grow(share, (uint64_t)64 << 20) == 0 || errno != ENOMEM)
		return 4;
	if (vms_share_size(share) != (uint64_t)8 << 20)
		return 5;
	return vms_share_grow(share, (uint64_t)16 << 20) ? 6 : 0;
}

/* The kernel would kill the process. */
static void a_full_memory_cgroup_is_told(void **state)
{
	pid_t child;
	int status;

	(void)state;
	if (!make_cgroup())
		skip();
	child = fork();
	if (child == 0)
		_exit(grow_in_cgroup());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(rmdir(cgroup), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- arguments ------------------------------------------------------------------------- */

static void refuses_wrong_arguments(void **state)
{
	struct vms_share_options options = { .struct_size = sizeof(options) };

	(void)state;
	refused_null(vms_share_create(NULL, 0, 0, NULL), EINVAL);
	refused_null(vms_share_create(NULL, 2, 1, NULL), EINVAL);
	refused_null(vms_share_create(NULL, 0, UINT64_MAX, NULL), EINVAL);
	refused_null(vms_share_create(NULL, 0, (uint64_t)1 << 62, NULL), ENOMEM);
	options.flags = VMS_SHARE_READ_ONLY;
	refused_null(vms_share_create(NULL, 0, 1, &options), EINVAL);
	options.flags = 1u << 31;
	refused_null(vms_share_create(NULL, 0, 1, &options), EINVAL);
	options.flags = 0;
	options.address = (void *)1;
	refused_null(vms_share_create(NULL, 0, 1, &options), EINVAL);
	options.address = NULL;
	options.mode = 0600;
	refused_null(vms_share_create(NULL, 0, 1, &options), EINVAL);
	options.mode = 0;
	options.largest = 1;
	refused_null(vms_share_create(NULL, 0, 1, &options), EINVAL);
	options.largest = 0;
	options.struct_size = 8;
	refused_null(vms_share_create(NULL, 0, 1, &options), EINVAL);
	refused_null(vms_share_create("/nowhere/at/all", 0, 1, NULL), ENOENT);
}

static void huge_pages_are_asked_for_or_refused(void **state)
{
	const struct vms_share_options options = {
		.struct_size = sizeof(options), .flags = VMS_SHARE_HUGE_PAGES };
	char choice[128] = "";
	const int fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
			    O_RDONLY | O_CLOEXEC);
	vms_share *share;

	(void)state;
	if (fd < 0 || read(fd, choice, sizeof(choice) - 1) <= 0)
		skip();
	(void)close(fd);
	if (strstr(choice, "[never]") || strstr(choice, "[deny]")) {
		refused_null(vms_share_create(NULL, 0, 1, &options), ENOTSUP);
		return;
	}
	share = vms_share_create(NULL, 0, 1, &options);
	assert_non_null(share);
	assert_true(stats_of(share).flags & VMS_SHARE_HUGE_PAGES);
	worked(vms_share_close(share));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_writes_all_others_see),
		cmocka_unit_test(growth_is_there_in_all_at_once),
		cmocka_unit_test(extensions_are_nobody_else_s),
		cmocka_unit_test(processes_extend_it_at_the_same_time),
		cmocka_unit_test(takes_its_memory_when_it_grows),
		file_test(a_full_file_system_is_told),
		cmocka_unit_test(the_limit_of_files_is_told),
		cmocka_unit_test(a_full_memory_cgroup_is_told),
		cmocka_unit_test(refuses_wrong_arguments),
		cmocka_unit_test(huge_pages_are_asked_for_or_refused),
	};

	return cmocka_run_group_tests_name("share_grow", tests, NULL, NULL);
}
