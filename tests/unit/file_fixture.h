/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_FILE_FIXTURE_H
#define VMSI_TESTS_FILE_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace/budget.h>
#include <vmspace/file.h>

#include "guard_again.h"

/* A directory for each test, and a path in it. */

#define ERRNO_BEFORE 4711

struct place {
	char directory[64];
	char path[96];
};

static inline int make_place_in(void **state, const char *root)
{
	struct place *place = malloc(sizeof(*place));

	assert_non_null(place);
	(void)snprintf(place->directory, sizeof(place->directory),
		       "%s/vmspace-XXXXXX", root);
	assert_non_null(mkdtemp(place->directory));
	(void)snprintf(place->path, sizeof(place->path), "%s/file",
		       place->directory);
	*state = place;
	errno = ERRNO_BEFORE;
	return 0;
}

static inline int make_place(void **state)
{
	const char *root = getenv("TMPDIR");

	return make_place_in(state, root && strlen(root) < 32 ? root : "/tmp");
}

static inline int drop_place(void **state)
{
	struct place *place = *state;

	(void)unlink(place->path);
	(void)rmdir(place->directory);
	free(place);
	return 0;
}

#define file_test(function) \
	cmocka_unit_test_setup_teardown(function, make_place, drop_place)

static inline size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* What a call answers, and with which errno. */
#define refused(call, error) \
	do { \
		errno = ERRNO_BEFORE; \
		assert_int_equal((call), -1); \
		assert_int_equal(errno, error); \
	} while (0)

#define refused_null(call, error) \
	do { \
		errno = ERRNO_BEFORE; \
		assert_null(call); \
		assert_int_equal(errno, error); \
	} while (0)

/* Calls that succeed leave errno as it was. */
#define worked(call) \
	do { \
		errno = ERRNO_BEFORE; \
		assert_int_equal((call), 0); \
		assert_int_equal(errno, ERRNO_BEFORE); \
	} while (0)

static inline vms_file *open_file(const char *path, const struct vms_file_options *options)
{
	vms_file *file = vms_file_open(path, options);

	if (file)
		guard_again();
	return file;
}

static inline vms_file *open_with(const char *path, unsigned flags,
				  uint64_t maximum)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
		.maximum = maximum,
	};

	return open_file(path, &options);
}

static inline vms_file *must_open(const char *path, unsigned flags,
				  uint64_t maximum)
{
	vms_file *file = open_with(path, flags, maximum);

	assert_non_null(file);
	return file;
}

static inline void write_file(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
	assert_int_equal(close(fd), 0);
}

static inline uint64_t size_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return (uint64_t)status.st_size;
}

/* Wait for a child, which has done well if it ends with 0. */
static inline void must_end_well(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* In a child: the line of a condition that does not hold is the exit status. */
#define child_needs(condition) \
	do { \
		if (!(condition)) \
			_exit(__LINE__ % 255 + 1); \
	} while (0)

#endif
