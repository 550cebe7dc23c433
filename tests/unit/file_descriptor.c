/* SPDX-License-Identifier: MIT */
#include "file_fixture.h"

/* Whose a descriptor is: of one that makes a file beside others, and of a program. */

/* --- makers ------------------------------------------------------------------------------- */

/* What one of several has made stays where another one has it. */
#define MAKERS 3
#define ROUNDS 150

struct meeting {
	_Atomic int come, done;
};

/* 0: it has the file, and so has the path; 1: it was refused. */
static void make_at_once(const char *path, unsigned flags, struct meeting *meeting)
{
	vms_file *file;
	struct stat status;

	meeting->come++;
	while (meeting->come < MAKERS)
		;
	file = open_with(path, VMS_FILE_CREATE | flags, 0);
	meeting->done++;
	if (!file)
		_exit(errno == EBUSY ? 1 : 2);
	while (meeting->done < MAKERS)
		(void)usleep(0);
	if (stat(path, &status) != 0)
		_exit(3);
	_exit(vms_file_close(file) == 0 ? 0 : 4);
}

static void one_makes_it(const char *path, unsigned flags)
{
	struct meeting *meeting = mmap(NULL, sizeof(*meeting),
				       PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t makers[MAKERS];
	int opened = 0;

	assert_true(meeting != MAP_FAILED);
	for (int i = 0; i < MAKERS; i++) {
		makers[i] = fork();
		if (makers[i] == 0)
			make_at_once(path, flags, meeting);
	}
	for (int i = 0; i < MAKERS; i++) {
		int status;

		assert_int_equal(waitpid(makers[i], &status, 0), makers[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		opened += WEXITSTATUS(status) == 0;
	}
	assert_true(opened >= 1);
	assert_int_equal(munmap(meeting, sizeof(*meeting)), 0);
}

static void removes_nothing_that_another_has(void **state)
{
	const struct place *place = *state;
	char journal[128];

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	for (int i = 0; i < ROUNDS; i++) {
		one_makes_it(place->path, i % 2 ? VMS_FILE_ATOMIC :
						  VMS_FILE_GATHERS);
		assert_int_equal(unlink(place->path), 0);
		(void)unlink(journal);
	}
}

/* --- descriptors that are taken ----------------------------------------------------------- */

/* Descriptors that lead to a path now lead to another file. */
static void replace_descriptors(const char *path, int other)
{
	for (int fd = 3; fd < 64; fd++) {
		char link[64];
		char target[128];
		ssize_t length;

		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		length = readlink(link, target, sizeof(target) - 1);
		if (length <= 0)
			continue;
		target[length] = 0;
		if (strcmp(target, path) == 0)
			assert_int_equal(dup2(other, fd), fd);
	}
}

static void answers_all(vms_file *file, const struct vms_file_options *options)
{
	if (!(options->flags & VMS_FILE_GATHERS))
		refused(vms_file_append(file, "EVIL", 4, NULL), EBADF);
	refused(vms_file_resize(file, 5000), EBADF);
	refused(vms_file_refresh(file), EBADF);
	if (options->flags & VMS_FILE_ATOMIC) {
		refused(vms_file_commit(file), EBADF);
		refused(vms_file_rollback(file), EBADF);
	} else {
		refused(vms_file_sync(file, 0, 0, 0), EBADF);
	}
	if (options->window_addresses) {
		refused_null(vms_file_open_window(file, 0, 10), EBADF);
		refused(vms_file_copy_in(file, 0, "EVI", 3), EBADF);
	}
}

/* A program closes what is not its own, and opens something by the same numbers. */
static void leaves_alone_what_took_its_descriptor(void **state)
{
	static const struct vms_file_options kinds[] = {
		{ .struct_size = sizeof(kinds[0]) },
		{ .struct_size = sizeof(kinds[0]), .window_addresses = 1 << 20 },
		{ .struct_size = sizeof(kinds[0]), .flags = VMS_FILE_GATHERS },
		{ .struct_size = sizeof(kinds[0]), .flags = VMS_FILE_ATOMIC },
	};
	const struct place *place = *state;
	char journal[128];

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const int other = memfd_create("other", MFD_CLOEXEC);
		vms_window *window = NULL;
		vms_file *file;
		struct stat status;

		write_file(place->path, "abc", 3);
		file = open_file(place->path, &kinds[i]);
		assert_non_null(file);
		if (kinds[i].window_addresses)
			window = vms_file_open_window(file, 0, 10);
		if (kinds[i].flags)
			worked(vms_file_append(file, "d", 1, NULL));
		replace_descriptors(place->path, other);
		answers_all(file, &kinds[i]);
		if (window)
			refused(vms_window_slide(window, 8 * page_bytes()), EBADF);
		assert_int_equal(vms_window_close(window), 0);
		refused(vms_file_close(file), EBADF);
		assert_int_equal(fstat(other, &status), 0);
		assert_int_equal(status.st_size, 0);
		assert_int_equal(size_of(place->path), 3);
		(void)unlink(journal);
		assert_int_equal(close(other), 0);
	}
}

static void leaves_alone_what_took_the_journals(void **state)
{
	const struct place *place = *state;
	char journal[128];
	const int other = memfd_create("other", MFD_CLOEXEC);
	vms_file *file;
	struct stat status;

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	write_file(place->path, "abc", 3);
	file = must_open(place->path, VMS_FILE_ATOMIC, 0);
	worked(vms_file_append(file, "d", 1, NULL));
	worked(vms_file_commit(file));
	worked(vms_file_append(file, "e", 1, NULL));
	replace_descriptors(journal, other);
	refused(vms_file_commit(file), EBADF);
	refused(vms_file_rollback(file), EBADF);
	refused(vms_file_close(file), EBADF);
	assert_int_equal(fstat(other, &status), 0);
	assert_int_equal(status.st_size, 0);
	assert_int_equal(close(other), 0);
	file = must_open(place->path, VMS_FILE_ATOMIC, 0);
	assert_int_equal(vms_file_size(file), 4);
	assert_memory_equal(vms_file_at(file, 0, 4), "abcd", 4);
	worked(vms_file_close(file));
}

/* By a lock of another file no commit would be kept from what it reads. */
static void a_reader_without_its_lock_reads_nothing(void **state)
{
	const struct place *place = *state;
	const int other = memfd_create("other", MFD_CLOEXEC);
	struct vms_file_access access;
	vms_file *file;
	char byte;

	write_file(place->path, "abc", 3);
	file = must_open(place->path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY, 0);
	worked(vms_file_begin_access(file, &access));
	worked(vms_file_end_access(&access, NULL));
	replace_descriptors(place->path, other);
	refused(vms_file_begin_access(file, &access), EBADF);
	refused(vms_file_copy_out(file, 0, &byte, 1), EBADF);
	refused(vms_file_refresh(file), EBADF);
	refused(vms_file_close(file), EBADF);
	assert_int_equal(close(other), 0);
}

/* Without it nobody knows what was written: nothing is committed, and nothing dropped. */
static void leaves_alone_what_took_the_pagemaps(void **state)
{
	const struct place *place = *state;
	const int other = memfd_create("other", MFD_CLOEXEC);
	char pagemap[64], link[64], target[64] = "";
	vms_file *file;
	int taken = 3;

	(void)snprintf(pagemap, sizeof(pagemap), "/proc/%d/pagemap", (int)getpid());
	/* Zeros to the last page of all addresses: none of them is written. */
	assert_int_equal(ftruncate(other, (off_t)1 << 40), 0);
	write_file(place->path, "abc", 3);
	file = must_open(place->path, VMS_FILE_ATOMIC, 0);
	while (strcmp(target, pagemap) != 0) {
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", ++taken);
		assert_true(taken < 64);
		memset(target, 0, sizeof(target));
		(void)readlink(link, target, sizeof(target) - 1);
	}
	*(char *)vms_file_at(file, 0, 1) = 'X';
	replace_descriptors(pagemap, other);
	refused(vms_file_commit(file), EBADF);
	refused(vms_file_rollback(file), EBADF);
	assert_memory_equal(vms_file_at(file, 0, 3), "Xbc", 3);
	assert_int_equal(vms_file_close(file), 0);
	assert_int_equal(close(taken), 0);
	assert_int_equal(close(other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(removes_nothing_that_another_has),
		file_test(leaves_alone_what_took_its_descriptor),
		file_test(leaves_alone_what_took_the_journals),
		file_test(a_reader_without_its_lock_reads_nothing),
		file_test(leaves_alone_what_took_the_pagemaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
