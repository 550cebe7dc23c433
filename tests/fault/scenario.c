/* SPDX-License-Identifier: MIT */
#include "scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void put(struct stage *stage, size_t page, size_t count, int prot, int flags)
{
	void *place = at(stage, page);

	assert_ptr_equal(vms_mmap(stage->space, place, pages(stage, count),
				  prot, flags | MAP_FIXED, -1, 0), place);
}

void put_file(struct stage *stage, size_t page, size_t count, int prot,
	      int type, size_t first)
{
	void *place = at(stage, page);

	assert_ptr_equal(vms_mmap(stage->space, place, pages(stage, count),
				  prot, type | MAP_FIXED, stage->file,
				  (off_t)pages(stage, first)), place);
}

void fill(struct stage *stage, size_t page, size_t count)
{
	for (size_t i = page; i < page + count; i++) {
		uint64_t *word = (uint64_t *)(void *)at(stage, i);

		word[0] = 0x5eed000000000000u + i;
		word[stage->page / sizeof(*word) - 1] = ~word[0];
	}
}

void put_filled(struct stage *stage, size_t page, size_t count)
{
	put(stage, page, count, RW, ANONYMOUS);
	fill(stage, page, count);
}

void hold_range(struct stage *stage, size_t page, size_t count)
{
	vms_handle *handle = &stage->handles[stage->handle_count++];

	assert_int_equal(vms_handle_open(stage->space, at(stage, page),
					 pages(stage, count), handle), 0);
}
