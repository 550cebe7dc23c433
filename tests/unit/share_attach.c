/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>
#include <sys/wait.h>

#include "host/host.h"
#include "share/layout.h"
#include "share_fixture.h"

/* Who attaches to what, and what of it is believed. */

/* --- what is no share -------------------------------------------------------------------- */

static int memory_file(const void *bytes, size_t length, off_t size, int seals)
{
	const int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, length, 0), (ssize_t)length);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void attach_is_refused(struct vmsi_share_head head, off_t size, int error)
{
	const int fd = memory_file(&head, sizeof(head), size, F_SEAL_SHRINK);

	refused_null(vms_share_attach(fd, NULL), error);
	refused_null(attach_with(fd, VMS_SHARE_READ_ONLY), error);
	assert_int_equal(close(fd), 0);
}

static void what_is_no_share_is_refused(void **state)
{
	const uint64_t page = page_bytes();
	const struct vmsi_share_head good = {
		.magic = VMSI_SHARE_MAGIC, .version = VMSI_SHARE_VERSION,
		.page = (uint32_t)page, .maximum = 4 * page };
	struct vmsi_share_head head = good;
	int ends[2];
	int fd = memory_file(&good, sizeof(good), (off_t)(5 * page), F_SEAL_SHRINK);
	vms_share *share = vms_share_attach(fd, NULL);

	(void)state;
	assert_non_null(share);
	worked(vms_share_close(share));
	assert_int_equal(close(fd), 0);
	attach_is_refused((struct vmsi_share_head){ 0 }, (off_t)(5 * page), EBADMSG);
	attach_is_refused(good, 40, EBADMSG);
	attach_is_refused(good, (off_t)(4 * page), EBADMSG);
	attach_is_refused(good, (off_t)(6 * page), EBADMSG);
	head.version = 2;
	attach_is_refused(head, (off_t)(5 * page), EPROTONOSUPPORT);
	head = good;
	head.page *= 2;
	attach_is_refused(head, (off_t)(5 * page), EPROTONOSUPPORT);
	head = good;
	head.maximum = 0;
	attach_is_refused(head, (off_t)page, EBADMSG);
	head.maximum = 4 * page + 1;
	attach_is_refused(head, (off_t)(5 * page + 1), EBADMSG);
	head.maximum = UINT64_MAX - page + 1;
	attach_is_refused(head, (off_t)(5 * page), EBADMSG);
	head = good;
	head.address = 12345;
	attach_is_refused(head, (off_t)(5 * page), EBADMSG);
	head.address = page;
	attach_is_refused(head, (off_t)(5 * page), EBADMSG);
	assert_int_equal(pipe(ends), 0);
	refused_null(attach_with(ends[0], VMS_SHARE_READ_ONLY), EBADMSG);
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(close(ends[1]), 0);
	refused_null(vms_share_attach(-1, NULL), EBADF);
	fd = open("/", O_PATH | O_CLOEXEC);
	refused_null(vms_share_attach(fd, NULL), EBADF);
	assert_int_equal(close(fd), 0);
}

/* To open a pipe with a name waits for somebody who writes to it. */
static void a_pipe_with_a_name_is_not_waited_for(void **state)
{
	const struct place *place = *state;
	const struct vms_share_options options = {
		.struct_size = sizeof(options), .flags = VMS_SHARE_READ_ONLY };
	int fd;

	assert_int_equal(mkfifo(place->path, 0600), 0);
	fd = open(place->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	refused_null(vms_share_attach(fd, &options), EBADMSG);
	assert_int_equal(close(fd), 0);
	refused_null(vms_share_attach_path(place->path, &options), EBADMSG);
	refused_null(vms_share_attach_path(place->path, NULL), EBADMSG);
	refused_null(vms_share_attach_path(place->directory, &options), EBADMSG);
	refused_null(vms_share_attach_path("/dev/null", NULL), EBADMSG);
}

/* The size in the head is nobody's to believe. */
static void a_size_past_the_maximum_is_cut(void **state)
{
	const uint64_t page = page_bytes();
	const struct vmsi_share_head head = {
		.magic = VMSI_SHARE_MAGIC, .version = VMSI_SHARE_VERSION,
		.page = (uint32_t)page, .maximum = 4 * page, .size = UINT64_MAX };
	const int fd = memory_file(&head, sizeof(head), (off_t)(5 * page),
				   F_SEAL_SHRINK);
	vms_share *share = vms_share_attach(fd, NULL);

	(void)state;
	assert_non_null(share);
	assert_int_equal(vms_share_size(share), 4 * page);
	memset(vms_share_at(share, 0, 4 * page), 1, 4 * page);
	refused_null(vms_share_at(share, 0, 4 * page + 1), ERANGE);
	worked(vms_share_grow(share, 4 * page));
	worked(vms_share_shrink(share, 1));
	assert_int_equal(vms_share_size(share), 1);
	worked(vms_share_close(share));
	assert_int_equal(close(fd), 0);
}

static void nobody_can_shorten_it(void **state)
{
	const uint64_t page = page_bytes();
	vms_share *share = must_create(page, 4 * page);
	const int fd = vms_share_fd(share);

	(void)state;
	assert_true(stats_of(share).sealed);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, (off_t)(64 * page)), -1);
	worked(vms_share_close(share));
}

static void what_is_not_sealed_is_a_matter_of_trust(void **state)
{
	const struct place *place = *state;
	const uint64_t page = page_bytes();
	vms_share *share = vms_share_create(place->path, page, 4 * page, NULL);
	vms_share *other;

	assert_non_null(share);
	assert_false(stats_of(share).sealed);
	refused_null(vms_share_attach(vms_share_fd(share), NULL), EPERM);
	other = attach_with(vms_share_fd(share), VMS_SHARE_UNSEALED);
	assert_non_null(other);
	worked(vms_share_close(other));
	other = vms_share_attach_path(place->path, NULL);
	assert_non_null(other);
	strcpy(vms_share_at(other, 0, 5), "path");
	assert_string_equal(vms_share_base(share), "path");
	worked(vms_share_close(other));
	worked(vms_share_close(share));
	refused_null(vms_share_attach_path("/nowhere/at/all", NULL), ENOENT);
}

static void a_share_with_a_path_outlasts_its_processes(void **state)
{
	const struct place *place = *state;
	const struct vms_share_options options = {
		.struct_size = sizeof(options), .mode = 0640 };
	vms_share *share = vms_share_create(place->path, 100, 1 << 20, &options);
	struct stat status;

	assert_non_null(share);
	strcpy(vms_share_at(share, 50, 6), "stays");
	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	worked(vms_share_close(share));
	share = vms_share_attach_path(place->path, NULL);
	assert_non_null(share);
	assert_int_equal(vms_share_size(share), 100);
	assert_string_equal(vms_share_at(share, 50, 6), "stays");
	worked(vms_share_close(share));
}

/* --- rights ------------------------------------------------------------------------------ */

static void reads_only(void **state)
{
	const uint64_t page = page_bytes();
	vms_share *share = must_create(page, 4 * page);
	const int fd = vms_share_read_only_fd(share);
	vms_share *reader;
	uint64_t at;

	(void)state;
	assert_true(fd >= 0);
	refused_null(vms_share_attach(fd, NULL), EACCES);
	reader = attach_with(fd, VMS_SHARE_READ_ONLY);
	assert_non_null(reader);
	worked(vms_share_grow(share, 2 * page));
	strcpy(vms_share_at(share, page, 5), "seen");
	assert_string_equal(vms_share_at(reader, page, 5), "seen");
	refused(vms_share_grow(reader, 3 * page), EPERM);
	refused(vms_share_extend(reader, 1, &at), EPERM);
	refused(vms_share_shrink(reader, 0), EPERM);
	refused(vms_share_forbid_writers(reader), EPERM);
	worked(vms_share_close(reader));
	worked(vms_share_close(share));
	assert_int_equal(close(fd), 0);
}

static void a_writer_forbids_others(void **state)
{
	const uint64_t page = page_bytes();
	vms_share *share = must_create(page, 4 * page);
	const int fd = vms_share_fd(share);
	vms_share *reader;

	(void)state;
	if (vms_share_forbid_writers(share) != 0) {
		/* Before Linux 5.1. */
		assert_int_equal(errno, EINVAL);
		worked(vms_share_close(share));
		skip();
	}
	refused_null(vms_share_attach(fd, NULL), EPERM);
	assert_int_equal(pwrite(fd, "x", 1, (off_t)page), -1);
	reader = attach_with(fd, VMS_SHARE_READ_ONLY);
	assert_non_null(reader);
	/* Who has attached before goes on. */
	worked(vms_share_grow(share, 2 * page));
	strcpy(vms_share_at(share, page, 5), "seen");
	assert_string_equal(vms_share_at(reader, page, 5), "seen");
	worked(vms_share_use(reader, page));
	refused(vms_share_shrink(share, page), EPERM);
	assert_int_equal(vms_share_size(share), 2 * page);
	assert_string_equal(vms_share_at(share, page, 5), "seen");
	worked(vms_share_close(reader));
	worked(vms_share_close(share));
}

/* --- places ------------------------------------------------------------------------------ */

static void lies_where_the_maker_has_it(void **state)
{
	const size_t room = (size_t)1 << 30;
	char *place = mmap(NULL, room, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct vms_share_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_SHARE_SAME_ADDRESS,
		.address = place + room / 2,
	};
	vms_share *share;
	pid_t child;
	int fd;

	(void)state;
	refused_null(vms_share_create(NULL, 100, 1 << 20, &options), EEXIST);
	assert_int_equal(munmap(place, room), 0);
	share = vms_share_create(NULL, 100, 1 << 20, &options);
	assert_non_null(share);
	assert_ptr_equal(vms_share_base(share), options.address);
	refused_null(vms_share_attach(vms_share_fd(share), NULL), EEXIST);
	fd = dup(vms_share_fd(share));
	worked(vms_share_close(share));
	child = fork();
	if (child == 0) {
		share = vms_share_attach(fd, NULL);
		child_needs(share && vms_share_base(share) == options.address);
		_exit(0);
	}
	must_end_well(child);
	options.flags = 0;
	options.address = place;
	refused_null(vms_share_attach(fd, &options), EEXIST);
	assert_int_equal(close(fd), 0);
}

static void the_largest_is_the_attacher_s(void **state)
{
	vms_share *share = must_create(0, 1 << 20);
	struct vms_share_options options = { .struct_size = sizeof(options),
					     .largest = (1 << 20) - 1 };
	vms_share *other;

	(void)state;
	refused_null(vms_share_attach(vms_share_fd(share), &options), EFBIG);
	options.largest++;
	other = vms_share_attach(vms_share_fd(share), &options);
	assert_non_null(other);
	worked(vms_share_close(other));
	worked(vms_share_close(share));
}

static void no_descriptor_is_left(void **state)
{
	vms_share *share = must_create(0, 1 << 20);
	struct rlimit before, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	refused_null(vms_share_attach(vms_share_fd(share), NULL), EMFILE);
	refused_null(vms_share_create(NULL, 0, 1, NULL), EMFILE);
	refused(vms_share_read_only_fd(share), EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	worked(vms_share_grow(share, 100));
	worked(vms_share_close(share));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_share_is_refused),
		file_test(a_pipe_with_a_name_is_not_waited_for),
		cmocka_unit_test(a_size_past_the_maximum_is_cut),
		cmocka_unit_test(nobody_can_shorten_it),
		file_test(what_is_not_sealed_is_a_matter_of_trust),
		file_test(a_share_with_a_path_outlasts_its_processes),
		cmocka_unit_test(reads_only),
		cmocka_unit_test(a_writer_forbids_others),
		cmocka_unit_test(lies_where_the_maker_has_it),
		cmocka_unit_test(the_largest_is_the_attacher_s),
		cmocka_unit_test(no_descriptor_is_left),
	};

	return cmocka_run_group_tests_name("share_attach", tests, NULL, NULL);
}
