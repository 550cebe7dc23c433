/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_IO_FIXTURE_H
#define VMSI_TESTS_IO_FIXTURE_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/io.h"

/* A file of blocks, each of which has its number in all its words. */
#define BLOCK 4096u
#define BLOCKS 256u

static inline void fill_block(void *block, uint64_t number)
{
	uint64_t *words = block;

	for (size_t i = 0; i < BLOCK / sizeof(*words); i++)
		words[i] = number ^ i << 32;
}

static inline bool is_block(const void *block, uint64_t number)
{
	uint64_t expected[BLOCK / sizeof(uint64_t)];

	fill_block(expected, number);
	return memcmp(block, expected, BLOCK) == 0;
}

static inline void fill_file(int fd)
{
	uint64_t block[BLOCK / sizeof(uint64_t)];

	for (unsigned i = 0; i < BLOCKS; i++) {
		fill_block(block, i);
		assert_int_equal(pwrite(fd, block, BLOCK, (off_t)i * BLOCK), BLOCK);
	}
}

static inline int make_file(void)
{
	const int fd = memfd_create("io", MFD_CLOEXEC);

	assert_true(fd >= 0);
	fill_file(fd);
	return fd;
}

/* A file without a name in the working directory, past the page cache if that can be. */
static inline int make_file_on_disk(void)
{
	const int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return make_file();
	fill_file(fd);
	(void)fcntl(fd, F_SETFL, O_DIRECT);
	return fd;
}

static inline struct vmsi_io *open_io(unsigned depth, unsigned flags)
{
	struct vmsi_io *io = NULL;

	assert_int_equal(vmsi_io_open(depth, flags, &io), 0);
	assert_non_null(io);
	return io;
}

/* A transfer of one block. */
static inline struct vmsi_io_request transfer(enum vmsi_io_opcode opcode, int fd,
					      void *buffer, uint64_t block)
{
	return (struct vmsi_io_request){
		.opcode = opcode,
		.fd = fd,
		.buffer = buffer,
		.length = BLOCK,
		.offset = block * BLOCK,
	};
}

static inline void submit_one(struct vmsi_io *io, struct vmsi_io_request *request)
{
	vmsi_io_submit(io, &request, 1);
}

#endif
