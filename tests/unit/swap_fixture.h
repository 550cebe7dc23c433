/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_SWAP_FIXTURE_H
#define VMSI_TESTS_SWAP_FIXTURE_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "swap/swap.h"
#include "swap_pages.h"

#define PAGE ((size_t)4096)

/* A store of pages of 4 KiB with as little memory as can be. */
static inline struct vmsi_swap_options small_options(struct vmsi_io *io, const char *path)
{
	const size_t least = vmsi_swap_least_bytes(PAGE, VMSI_SWAP_LZ4);

	return (struct vmsi_swap_options){
		.page_bytes = PAGE,
		.places = 1 << 20,
		.ram_bytes = least,
		.codec = VMSI_SWAP_LZ4,
		.io = io,
		.path = path,
		.file_bytes = 8 << 20,
	};
}

static inline struct vmsi_io *open_threads(void)
{
	struct vmsi_io *io;

	assert_int_equal(vmsi_io_open(8, VMSI_IO_NO_RING, &io), 0);
	return io;
}

static inline struct vmsi_swap *open_swap(const struct vmsi_swap_options *options)
{
	struct vmsi_swap *swap = NULL;

	assert_int_equal(vmsi_swap_open(options, &swap), 0);
	assert_non_null(swap);
	return swap;
}

static inline int put_page(struct vmsi_swap *swap, size_t bytes, enum page_kind kind,
			   uint64_t number, uint64_t *place)
{
	char *memory = aligned_alloc(4096, bytes);
	const void *page = memory;
	int error;

	assert_non_null(memory);
	fill_page(memory, bytes, kind, number);
	error = vmsi_swap_put(swap, &page, 1, place);
	free(memory);
	return error;
}

enum got { GOT_RIGHT, GOT_WRONG, GOT_ERROR };

/* What a place gives; *error is why it gives nothing. */
static inline enum got get_page(struct vmsi_swap *swap, size_t bytes, enum page_kind kind,
				uint64_t number, uint64_t place, int *error)
{
	char *page = aligned_alloc(4096, bytes), *expected = aligned_alloc(4096, bytes);
	enum got got = GOT_ERROR;

	assert_true(page && expected);
	fill_page(expected, bytes, kind, number);
	*error = vmsi_swap_get(swap, place, page);
	if (!*error)
		got = memcmp(page, expected, bytes) == 0 ? GOT_RIGHT : GOT_WRONG;
	free(page);
	free(expected);
	return got;
}

static inline void expect_page(struct vmsi_swap *swap, size_t bytes, enum page_kind kind,
			       uint64_t number, uint64_t place)
{
	int error;

	assert_int_equal(get_page(swap, bytes, kind, number, place, &error), GOT_RIGHT);
}

static inline struct vmsi_swap_figures figures_of(struct vmsi_swap *swap)
{
	struct vmsi_swap_figures figures;

	vmsi_swap_get_figures(swap, &figures);
	return figures;
}

#endif
