/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_JOURNAL_FIXTURE_H
#define VMSI_TESTS_JOURNAL_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "file/journal.h"
#include "file/journal_format.h"
#include "host/host.h"


/* A home file in a directory of its own, and its journal. */

#define PAGES 8

static struct {
	char directory[64], home_path[80], journal_path[80], elsewhere[80];
	int home;
	size_t page;
	struct vmsi_journal journal;
	const char *problem;
	uint8_t *bytes;        /* one page for each image */
} run;

/* --- fixture ------------------------------------------------------------------------------ */

static inline int set_up(void **state)
{
	(void)state;
	memset(&run, 0, sizeof(run));
	run.page = vmsi_page_size();
	strcpy(run.directory, "/tmp/vmspace-journal-XXXXXX");
	assert_non_null(mkdtemp(run.directory));
	(void)snprintf(run.home_path, sizeof(run.home_path), "%s/home",
		       run.directory);
	(void)snprintf(run.journal_path, sizeof(run.journal_path), "%s/journal",
		       run.directory);
	(void)snprintf(run.elsewhere, sizeof(run.elsewhere), "%s/elsewhere",
		       run.directory);
	run.home = open(run.home_path, O_RDWR | O_CREAT, 0600);
	assert_true(run.home >= 0);
	run.bytes = calloc(PAGES, run.page);
	assert_non_null(run.bytes);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	(void)close(run.home);
	(void)unlink(run.home_path);
	(void)unlink(run.journal_path);
	assert_int_equal(rmdir(run.directory), 0);
	free(run.bytes);
	return 0;
}

static inline int open_journal(enum vmsi_journal_mode mode)
{
	return vmsi_journal_open(&run.journal, run.home, run.journal_path, mode,
				 &run.problem);
}

static inline void must_open(void)
{
	assert_int_equal(open_journal(VMSI_JOURNAL_WRITE), 0);
}

static inline struct vmsi_image image_of(uint64_t page, uint8_t value)
{
	uint8_t *bytes = run.bytes + page % PAGES * run.page;

	memset(bytes, value, run.page);
	return (struct vmsi_image){ page, bytes };
}

static inline int write_commit(uint64_t page, uint8_t value, struct vmsi_sizes sizes)
{
	const struct vmsi_image image = image_of(page, value);

	return vmsi_journal_write(&run.journal, VMSI_RECORD_COMMIT, sizes, &image,
				  1, NULL);
}

static inline void commit(uint64_t page, uint8_t value, uint64_t size)
{
	const struct vmsi_sizes sizes = { vmsi_min(size, run.journal.sizes.size),
					  size };

	assert_int_equal(write_commit(page, value, sizes), 0);
	assert_int_equal(vmsi_journal_sync(&run.journal), 0);
}

static inline void expect_home_size(uint64_t size)
{
	struct stat status;

	assert_int_equal(fstat(run.home, &status), 0);
	assert_int_equal(status.st_size, size);
}

static inline void expect_page(uint64_t page, uint8_t value)
{
	uint8_t byte[2];

	assert_int_equal(pread(run.home, &byte[0], 1,
			       (off_t)(page * run.page)), 1);
	assert_int_equal(pread(run.home, &byte[1], 1,
			       (off_t)((page + 1) * run.page - 1)), 1);
	assert_int_equal(byte[0], value);
	assert_int_equal(byte[1], value);
}

/* Change bytes of the journal's file. */
static inline void damage(uint64_t offset, const void *bytes, size_t length)
{
	const int fd = open(run.journal_path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
	assert_int_equal(close(fd), 0);
}

static inline void read_back(uint64_t offset, void *bytes, size_t length)
{
	const int fd = open(run.journal_path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, length, (off_t)offset), length);
	assert_int_equal(close(fd), 0);
}

/* Two commits of one page each, and the process ends. */
static inline void leave_two_commits(void)
{
	must_open();
	commit(0, 1, 2 * run.page);
	commit(1, 2, 2 * run.page);
	vmsi_journal_abandon(&run.journal);
}

static inline uint64_t record(unsigned number)
{
	return (1 + 2 * (uint64_t)number) * run.page;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
