/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_BUFFER_FIXTURE_H
#define VMSI_TESTS_BUFFER_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <vmspace.h>

#include "growth/growth.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * A space and a buffer in it. The buffer's bytes are a function of the offset, so
 * that a byte in a wrong place is seen.
 */

#define SPACE_HUGE_PAGES 64
#define ERRNO_BEFORE 4711

static vms_space *space;
static vms_buffer buffer;

static inline size_t page(void)
{
	return vmsi_page_size();
}

static inline size_t huge(void)
{
	return vmsi_huge_page_size();
}

static inline int open_space(void **state)
{
	(void)state;
	space = vms_space_open(SPACE_HUGE_PAGES * huge(), NULL);
	buffer = (vms_buffer){ 0 };
	return space ? 0 : -1;
}

static inline struct vms_space_stats space_stats(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_space_get_stats(space, &stats), 0);
	return stats;
}

/* The space must be empty once the buffer is freed. */
static inline int close_space(void **state)
{
	const char *wrong = vmsi_space_check(space);

	(void)state;
	if (vms_buffer_free(&buffer) != 0)
		wrong = "the buffer is not freed";
	if (!wrong && (space_stats().mapped || space_stats().committed))
		wrong = "something of the buffer is left";
	if (wrong)
		print_error("%s\n", wrong);
	return wrong ? -1 : vms_space_close(space);
}

#define WITH_SPACE(test) \
	cmocka_unit_test_setup_teardown(test, open_space, close_space)

/* Make a buffer in the space; it must succeed. */
static inline void make_with(size_t maximum, unsigned flags)
{
	struct vms_buffer_options options = {
		.struct_size = sizeof(options),
		.space = space,
		.flags = flags,
	};

	assert_int_equal(vms_buffer_init(&buffer, maximum, &options), 0);
}

static inline void make(size_t maximum)
{
	make_with(maximum, 0);
}

/* --- the pattern ----------------------------------------------------------------- */

static inline char pattern(size_t offset)
{
	return (char)(offset * 131 + (offset >> 12) * 7 + 1);
}

static inline void fill(char *at, size_t offset, size_t length)
{
	for (size_t i = 0; i < length; i++)
		at[i] = pattern(offset + i);
}

/* Append up to this size in steps that are no round numbers. */
static inline void append_up_to(size_t size)
{
	static char piece[5000];

	while (buffer.size < size) {
		size_t length = vmsi_min(sizeof(piece), size - buffer.size);

		fill(piece, buffer.size, length);
		assert_int_equal(vms_buffer_append(&buffer, piece, length), 0);
	}
}

static inline void assert_pattern(size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		if (buffer.data[i] != pattern(i))
			fail_msg("byte %zu is wrong", i);
}

static inline void assert_zero(size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		if (buffer.data[i] != 0)
			fail_msg("byte %zu is not zero", i);
}

/* --- what is refused ------------------------------------------------------------- */

/* Check that a call returns -1 with this errno and leaves the buffer as it was. */
#define assert_refused(call, wanted) \
	do { \
		const vms_buffer before = buffer; \
		const size_t charged = space_stats().committed; \
\
		errno = 0; \
		assert_true((call)); \
		assert_int_equal(errno, (wanted)); \
		assert_memory_equal(&buffer, &before, sizeof(before)); \
		assert_int_equal(space_stats().committed, charged); \
	} while (0)

static inline size_t resident(size_t begin, size_t end)
{
	struct vmsi_range range = { (uintptr_t)buffer.data + begin,
				    (uintptr_t)buffer.data + end };
	size_t bytes;

	assert_int_equal(vmsi_host_resident(range, &bytes), 0);
	return bytes;
}

#endif
