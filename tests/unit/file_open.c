/* SPDX-License-Identifier: MIT */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "file_fixture.h"

/* Opening files: which are refused, as what, and what is left of a failure. */

static void makes_a_file_with_its_mode(void **state)
{
	const struct place *place = *state;
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_CREATE,
		.mode = 0640,
	};
	struct stat status;
	const mode_t before = umask(027);
	vms_file *file = open_file(place->path, &options);

	assert_non_null(file);
	assert_int_equal(errno, ERRNO_BEFORE);
	worked(vms_file_close(file));
	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_int_equal(unlink(place->path), 0);
	file = must_open(place->path, VMS_FILE_CREATE, 0);
	worked(vms_file_close(file));
	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	(void)umask(before);
}

static void makes_only_what_is_not_there(void **state)
{
	const struct place *place = *state;

	refused_null(open_with(place->path, 0, 0), ENOENT);
	write_file(place->path, "abc", 3);
	refused_null(open_with(place->path, VMS_FILE_CREATE | VMS_FILE_EXCLUSIVE,
			       0), EEXIST);
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	assert_int_equal(vms_file_size(file), 3);
	assert_memory_equal(vms_file_at(file, 0, 3), "abc", 3);
	worked(vms_file_close(file));
}

static void follows_a_link_to_what_it_makes(void **state)
{
	const struct place *place = *state;
	char link[128];

	(void)snprintf(link, sizeof(link), "%s/link", place->directory);
	assert_int_equal(symlink("file", link), 0);
	refused_null(open_with(link, VMS_FILE_CREATE | VMS_FILE_EXCLUSIVE, 0),
		     EEXIST);
	vms_file *file = must_open(link, VMS_FILE_CREATE, 0);

	worked(vms_file_append(file, "x", 1, NULL));
	worked(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL));
	worked(vms_file_close(file));
	assert_int_equal(size_of(place->path), 1);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("link", link), 0);
	refused_null(open_with(link, VMS_FILE_CREATE, 0), ELOOP);
	assert_int_equal(unlink(link), 0);
}

static void removes_what_it_has_made(void **state)
{
	const struct place *place = *state;

	/* No address space has so many addresses. */
	refused_null(open_with(place->path, VMS_FILE_CREATE, (uint64_t)1 << 60),
		     ENOMEM);
	assert_int_equal(access(place->path, F_OK), -1);
	write_file(place->path, "abc", 3);
	refused_null(open_with(place->path, VMS_FILE_CREATE, (uint64_t)1 << 60),
		     ENOMEM);
	assert_int_equal(size_of(place->path), 3);
	refused_null(open_with(place->path, 0, UINT64_MAX), ENOMEM);
}

static void refuses_wrong_options(void **state)
{
	const struct place *place = *state;
	static const unsigned wrong[] = {
		0x200, VMS_FILE_READ_ONLY | VMS_FILE_PRIVATE,
		VMS_FILE_READ_ONLY | VMS_FILE_SPARSE,
		VMS_FILE_PRIVATE | VMS_FILE_ATOMIC,
		VMS_FILE_PRIVATE | VMS_FILE_SPARSE, VMS_FILE_EXCLUSIVE,
		VMS_FILE_TELLS,
	};
	struct vms_file_options options = { .struct_size = sizeof(options) };

	write_file(place->path, "abc", 3);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		refused_null(open_with(place->path, wrong[i], 0), EINVAL);
	refused_null(vms_file_open(NULL, NULL), EINVAL);
	options.mode = 0600;
	refused_null(vms_file_open(place->path, &options), EINVAL);
	options = (struct vms_file_options){ .struct_size = sizeof(options),
					     .journal = "x" };
	refused_null(vms_file_open(place->path, &options), EINVAL);
	options = (struct vms_file_options){ .struct_size = sizeof(options),
					     .dirty_limit = 1 };
	refused_null(vms_file_open(place->path, &options), EINVAL);
	options = (struct vms_file_options){
		.struct_size = sizeof(options), .flags = VMS_FILE_PRIVATE,
		.window_addresses = 1 << 20 };
	refused_null(vms_file_open(place->path, &options), EINVAL);
	options = (struct vms_file_options){ .struct_size = 4 };
	refused_null(vms_file_open(place->path, &options), EINVAL);
	options = (struct vms_file_options){ .struct_size = 1 << 20 };
	refused_null(vms_file_open(place->path, &options), E2BIG);
	assert_string_equal(vms_file_journal_problem(), "");
}

/* The least maximum is what the file needs. */
static void has_a_maximum(void **state)
{
	const struct place *place = *state;
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 1);

	worked(vms_file_get_stats(file, &stats));
	assert_int_equal(stats.maximum, page_bytes());
	worked(vms_file_resize(file, page_bytes()));
	refused(vms_file_resize(file, page_bytes() + 1), EFBIG);
	refused(vms_file_append(file, "x", 1, NULL), EFBIG);
	worked(vms_file_close(file));
	file = must_open(place->path, 0, page_bytes() - 1);
	worked(vms_file_close(file));
	assert_int_equal(truncate(place->path, (off_t)page_bytes() + 1), 0);
	refused_null(open_with(place->path, 0, page_bytes()), EFBIG);
	file = must_open(place->path, 0, 0);
	worked(vms_file_get_stats(file, &stats));
	assert_true(stats.maximum <= (uint64_t)64 << 30);
	assert_true(stats.maximum >= page_bytes() + 1);
	worked(vms_file_close(file));
	refused(vms_file_get_stats(NULL, &stats), EINVAL);
}

/* A program under a sanitizer uses more addresses than any limit leaves it, and
 * so nothing can be mapped once there is one. */
static bool maps_under(const struct rlimit *limit)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		child_needs(setrlimit(RLIMIT_AS, limit) == 0);
		_exit(mmap(NULL, page_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0) == MAP_FAILED);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status == 0;
}

/* Under a limit of addresses the default maximum is less, and the file is open. */
static void takes_what_addresses_there_are(void **state)
{
	const struct place *place = *state;
	struct rlimit limit = { .rlim_cur = (rlim_t)4 << 30, .rlim_max = RLIM_INFINITY };
	pid_t child;

	if (!maps_under(&limit))
		skip();
	write_file(place->path, "abc", 3);
	child = fork();
	if (child == 0) {
		struct vms_file_stats stats = { .struct_size = sizeof(stats) };

		child_needs(setrlimit(RLIMIT_AS, &limit) == 0);
		vms_file *file = open_file(place->path, NULL);

		child_needs(file);
		child_needs(vms_file_get_stats(file, &stats) == 0);
		child_needs(stats.maximum < (uint64_t)4 << 30);
		child_needs(stats.maximum >= (uint64_t)1 << 30);
		child_needs(memcmp(vms_file_at(file, 0, 3), "abc", 3) == 0);
		child_needs(vms_file_close(file) == 0);
		_exit(0);
	}
	must_end_well(child);
}

/* --- kinds of files ------------------------------------------------------------------ */

static void refuses_what_is_no_file(void **state)
{
	const struct place *place = *state;

	refused_null(open_with("/dev/null", 0, 0), ENODEV);
	refused_null(open_with("/dev/zero", VMS_FILE_READ_ONLY, 0), ENODEV);
	refused_null(open_with(place->directory, VMS_FILE_READ_ONLY, 0), ENODEV);
	refused_null(open_with(place->directory, 0, 0), EISDIR);
	assert_int_equal(mkfifo(place->path, 0600), 0);
	refused_null(open_with(place->path, VMS_FILE_READ_ONLY, 0), ENODEV);
	refused_null(open_with(place->path, 0, 0), ENODEV);
}

static void takes_a_descriptor_of_its_own(void **state)
{
	const struct place *place = *state;
	int fd = open(place->path, O_RDWR | O_CREAT | O_APPEND, 0666);
	vms_file *file;
	uint64_t at = 0;

	assert_int_equal(write(fd, "abc", 3), 3);
	assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
	file = vms_file_open_fd(fd, NULL);
	assert_non_null(file);
	worked(vms_file_append(file, "def", 3, &at));
	assert_int_equal(at, 3);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1);
	assert_int_equal(close(fd), 0);
	worked(vms_file_append(file, "ghi", 3, &at));
	assert_int_equal(at, 6);
	assert_memory_equal(vms_file_at(file, 0, 9), "abcdefghi", 9);
	worked(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL));
	worked(vms_file_close(file));
}

static void refuses_descriptors_that_cannot(void **state)
{
	const struct place *place = *state;
	const struct vms_file_options reads = {
		.struct_size = sizeof(reads), .flags = VMS_FILE_READ_ONLY };
	const struct vms_file_options makes = {
		.struct_size = sizeof(makes), .flags = VMS_FILE_CREATE };
	static const int flags[] = { O_PATH, O_WRONLY, O_RDONLY };
	vms_file *file;

	write_file(place->path, "abc", 3);
	refused_null(vms_file_open_fd(-1, NULL), EBADF);
	for (size_t i = 0; i < 3; i++) {
		int fd = open(place->path, flags[i]);

		refused_null(vms_file_open_fd(fd, NULL), EBADF);
		if (flags[i] == O_RDONLY) {
			file = vms_file_open_fd(fd, &reads);
			assert_non_null(file);
			worked(vms_file_close(file));
			refused_null(vms_file_open_fd(fd, &makes), EINVAL);
		} else {
			refused_null(vms_file_open_fd(fd, &reads), EBADF);
		}
		assert_int_equal(close(fd), 0);
	}
}

static void keeps_a_file_that_has_no_name(void **state)
{
	const struct place *place = *state;
	int fd = open(place->directory, O_TMPFILE | O_RDWR, 0600);
	vms_file *file = vms_file_open_fd(fd, NULL);

	assert_non_null(file);
	assert_int_equal(close(fd), 0);
	worked(vms_file_append(file, "abc", 3, NULL));
	assert_memory_equal(vms_file_at(file, 0, 3), "abc", 3);
	worked(vms_file_close(file));
}

static void answers_seals_as_linux(void **state)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	const struct vms_file_options reads = {
		.struct_size = sizeof(reads), .flags = VMS_FILE_READ_ONLY };
	vms_file *file = vms_file_open_fd(fd, NULL);

	(void)state;
	assert_non_null(file);
	worked(vms_file_append(file, "abc", 3, NULL));
	worked(vms_file_resize(file, 10000));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	refused(vms_file_append(file, "x", 1, NULL), EPERM);
	refused(vms_file_append(file, NULL, 1, NULL), EPERM);
	refused(vms_file_resize(file, 10001), EPERM);
	worked(vms_file_resize(file, 9999));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	refused(vms_file_resize(file, 9998), EPERM);
	assert_int_equal(vms_file_size(file), 9999);
	worked(vms_file_close(file));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	refused_null(vms_file_open_fd(fd, NULL), EPERM);
	file = vms_file_open_fd(fd, &reads);
	if (file) {
		assert_memory_equal(vms_file_at(file, 0, 3), "abc", 3);
		worked(vms_file_close(file));
	} else {
		/* Before Linux 6.7 no shared mapping of such a file is made. */
		assert_int_equal(errno, EPERM);
	}
	assert_int_equal(close(fd), 0);
}

static bool mark(const char *path, int flag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int flags = 0;
	bool set = fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;

	if (set) {
		flags = (flags & ~(FS_APPEND_FL | FS_IMMUTABLE_FL)) | flag;
		set = ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
	}
	(void)close(fd);
	return set;
}

/* Whether a file that was opened before its mark shrinks is the file system's to say:
 * ext4 refuses, and xfs goes by how it was opened. */
static void shrinks_as_the_descriptor(vms_file *file, int fd)
{
	const off_t size = lseek(fd, 0, SEEK_END) - 1;

	if (ftruncate(fd, size + 1) == 0) {
		worked(vms_file_resize(file, (uint64_t)size));
	} else {
		assert_int_equal(errno, EPERM);
		refused(vms_file_resize(file, (uint64_t)size), EPERM);
	}
	assert_int_equal(vms_file_size(file), lseek(fd, 0, SEEK_END));
}

static void answers_marks_as_linux(void **state)
{
	const struct place *place = *state;
	vms_file *file;
	int before;

	write_file(place->path, "abcd", 4);
	before = open(place->path, O_RDWR | O_CLOEXEC);
	file = must_open(place->path, 0, 0);
	if (!mark(place->path, FS_IMMUTABLE_FL)) {
		worked(vms_file_close(file));
		assert_int_equal(close(before), 0);
		skip();
	}
	shrinks_as_the_descriptor(file, before);
	refused_null(open_with(place->path, 0, 0), EPERM);
	assert_true(mark(place->path, FS_APPEND_FL));
	refused_null(open_with(place->path, 0, 0), EPERM);
	shrinks_as_the_descriptor(file, before);
	assert_int_equal(close(before), 0);
	worked(vms_file_close(file));

	int fd = open(place->path, O_RDWR | O_APPEND);

	refused_null(vms_file_open_fd(fd, NULL), EACCES);
	file = must_open(place->path, VMS_FILE_PRIVATE, 0);
	worked(vms_file_close(file));
	assert_int_equal(close(fd), 0);
	assert_true(mark(place->path, 0));
}

static void reads_only(void **state)
{
	const struct place *place = *state;
	vms_file *file;

	write_file(place->path, "abc", 3);
	file = must_open(place->path, VMS_FILE_READ_ONLY, 0);
	assert_memory_equal(vms_file_at(file, 0, 3), "abc", 3);
	refused(vms_file_append(file, "x", 1, NULL), EBADF);
	refused(vms_file_resize(file, 1), EBADF);
	worked(vms_file_sync(file, 0, 0, 0));
	refused_null(vms_file_at(file, 0, 4), ERANGE);
	refused_null(vms_file_at(file, 4, 0), ERANGE);
	refused_null(vms_file_at(file, UINT64_MAX, 2), ERANGE);
	assert_non_null(vms_file_at(file, 3, 0));
	worked(vms_file_close(file));
	worked(vms_file_close(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(makes_a_file_with_its_mode),
		file_test(makes_only_what_is_not_there),
		file_test(follows_a_link_to_what_it_makes),
		file_test(removes_what_it_has_made),
		file_test(refuses_wrong_options),
		file_test(has_a_maximum),
		file_test(takes_what_addresses_there_are),
		file_test(refuses_what_is_no_file),
		file_test(takes_a_descriptor_of_its_own),
		file_test(refuses_descriptors_that_cannot),
		file_test(keeps_a_file_that_has_no_name),
		file_test(answers_seals_as_linux),
		file_test(answers_marks_as_linux),
		file_test(reads_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
