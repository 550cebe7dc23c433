/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_COMMIT_FIXTURE_H
#define VMSI_TESTS_COMMIT_FIXTURE_H

#include "file_fixture.h"

/* An atomic file of some pages, whose program tells what it writes. */

#define TELLING (VMS_FILE_ATOMIC | VMS_FILE_TELLS | VMS_FILE_CREATE)
#define PAGES 64

static inline vms_file *open_pages(const char *path, unsigned flags)
{
	vms_file *file = must_open(path, flags, PAGES * page_bytes());

	if (vms_file_size(file) == 0) {
		worked(vms_file_resize(file, PAGES * page_bytes()));
		worked(vms_file_commit(file));
	}
	return file;
}

static inline void store(vms_file *file, uint64_t page, char byte)
{
	const uint64_t offset = page * page_bytes();

	worked(vms_file_will_write(file, offset, 1));
	*(char *)vms_file_at(file, offset, 1) = byte;
}

static inline char home_byte(const char *path, uint64_t page)
{
	char byte = 0;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, &byte, 1, (off_t)(page * page_bytes())), 1);
	assert_int_equal(close(fd), 0);
	return byte;
}

#endif
