/* SPDX-License-Identifier: MIT */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "file_fixture.h"


/* Who makes a file, when several try at once. */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(removes_nothing_that_another_has),
	};

	return cmocka_run_group_tests_name("file_make", tests, NULL, NULL);
}
