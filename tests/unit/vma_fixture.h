/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_VMA_FIXTURE_H
#define VMSI_TESTS_VMA_FIXTURE_H

#include <stdio.h>
#include <sys/mman.h>

#include "chunks.h"
#include "vma/vma.h"

/*
 * A map of 64 pages for the tests of src/vma. Pages are named by their number from
 * the start of the bounds.
 */

#define PAGE ((uintptr_t)4096)
#define PAGES 64
#define BASE ((uintptr_t)0x10000000)
#define STACK_GUARD_PAGES 4

static struct vmsi_map map;
static struct chunks chunks;

#define OBJECT(number) ((struct vmsi_object *)(uintptr_t)((number) * 64))
#define NAME(number) ((struct vmsi_name *)(uintptr_t)((number) * 64))

static const struct vmsi_attributes plain = {
	.prot = PROT_READ | PROT_WRITE,
	.flags = VMSI_ANONYMOUS,
	.page_shift = 12,
};

static inline uintptr_t at(size_t page)
{
	return BASE + page * PAGE;
}

static inline size_t page_of(uintptr_t address)
{
	return (address - BASE) / PAGE;
}

static inline struct vmsi_range pages(size_t first, size_t end)
{
	return (struct vmsi_range){ at(first), at(end) };
}

static inline void assert_sound(void)
{
	const char *wrong = vmsi_map_check(&map);

	if (wrong)
		fail_msg("%s", wrong);
}

static inline struct vmsi_mapping *
insert_as(size_t first, size_t end, uint64_t offset,
	  const struct vmsi_attributes *attributes)
{
	struct vmsi_mapping *mapping;

	assert_int_equal(vmsi_map_reserve(&map, 1), 0);
	mapping = vmsi_map_insert(&map, pages(first, end), offset, attributes);
	assert_sound();
	return mapping;
}

static inline struct vmsi_mapping *insert(size_t first, size_t end)
{
	return insert_as(first, end, 0, &plain);
}

static inline void erase(size_t first, size_t end)
{
	assert_int_equal(vmsi_map_reserve(&map, 2), 0);
	vmsi_map_erase(&map, pages(first, end));
	assert_sound();
}

/* Return the map as text: "[first,end) " for each mapping, in pages. */
static inline const char *layout(void)
{
	static char text[PAGES * 10];
	size_t length = 0;

	text[0] = '\0';
	for (const struct vmsi_mapping *mapping = vmsi_map_find(&map, 0);
	     mapping; mapping = vmsi_map_next(mapping))
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   "[%zu,%zu)",
					   page_of(mapping->start),
					   page_of(mapping->end));
	return text;
}

static inline int open_map(void **state)
{
	(void)state;
	vmsi_map_init(&map, pages(0, PAGES), STACK_GUARD_PAGES * PAGE,
		      chunks_source(&chunks));
	return 0;
}

static inline int close_map(void **state)
{
	(void)state;
	vmsi_map_destroy(&map);
	return chunks.live || chunks.wrong_put ? -1 : 0;
}

#define map_test(function) \
	cmocka_unit_test_setup_teardown(function, open_map, close_map)

#endif
