/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_GUARD_FIXTURE_H
#define VMSI_TESTS_GUARD_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "guard_again.h"
#include "host/host.h"

/*
 * A file of whole pages, of which each byte is the number of its page plus one, and
 * another process that changes its size.
 */

#define FILE_PAGES 16
#define ERRNO_BEFORE 4711

static char path[] = "/tmp/vmspace-guard-XXXXXX";
static vms_file *file;

static inline size_t page(void)
{
	return vmsi_page_size();
}

/* What ends a test in a child is no assert: that would go on with the next test. */
static inline void must(bool condition)
{
	if (!condition)
		abort();
}

static inline void write_pages(const char *name, size_t pages)
{
	char *bytes = malloc(page());
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	must(bytes && fd >= 0);
	for (size_t i = 0; i < pages; i++) {
		memset(bytes, (int)(i % 255 + 1), page());
		must(pwrite(fd, bytes, page(), (off_t)(i * page())) ==
		     (ssize_t)page());
	}
	close(fd);
	free(bytes);
}

static inline int make_path(void **state)
{
	int fd;

	(void)state;
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	write_pages(path, FILE_PAGES);
	return 0;
}

static inline int remove_path(void **state)
{
	(void)state;
	if (file)
		vms_file_close(file);
	file = NULL;
	return unlink(path);
}

#define WITH_FILE(test) \
	cmocka_unit_test_setup_teardown(test, make_path, remove_path)

static inline void open_with(unsigned flags)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
	};

	file = vms_file_open(path, &options);
	must(file != NULL);
	guard_again();
}

/* Another process makes the file so long. */
static inline void cut(uint64_t bytes)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(truncate(path, (off_t)bytes) == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static inline volatile char *at_page(size_t number)
{
	volatile char *at = vms_file_at(file, number * page(), 1);

	must(at != NULL);
	return at;
}

static inline struct vms_file_stats file_stats(void)
{
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_file_get_stats(file, &stats), 0);
	return stats;
}

static inline void begin(struct vms_file_access *access)
{
	errno = ERRNO_BEFORE;
	assert_int_equal(vms_file_begin_access(file, access), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
}

/* The access ends well. */
static inline void end_whole(struct vms_file_access *access)
{
	errno = ERRNO_BEFORE;
	assert_int_equal(vms_file_end_access(access, NULL), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
}

/* The access ends and tells of a loss. */
static inline void end_lost(struct vms_file_access *access, int error,
			    size_t page_number)
{
	uint64_t offset = UINT64_MAX;

	assert_int_equal(vms_file_end_access(access, &offset), -1);
	assert_int_equal(errno, error);
	assert_int_equal(offset, page_number * page());
}

/* How a piece of the test ends that is made in a process of its own. */
static inline int status_of(void (*piece)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		piece();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

#endif
