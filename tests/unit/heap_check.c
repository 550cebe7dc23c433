/* SPDX-License-Identifier: MIT */
#include "heap_fixture.h"

/* Each test breaks one invariant, which vmsi_heap_check must report. */

static struct vmsi_slot *retained, *unused;
static struct vmsi_run *run;
static unsigned char *held;

/* Make a retained slot, an unused one, and a run with a live and a free block. */
static void furnish(void)
{
	unsigned char *a = make_filled(3 * MIB), *b = make_filled(5 * MIB);
	unsigned char *c = make_filled(100 * KIB);

	held = make_filled(100 * KIB);
	retained = slot_of(a);
	unused = slot_of(b);
	run = slot_of(c)->run;
	drop(b);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	drop(a);
	drop(c);
	assert_int_equal(vmsi_slot_use(unused), VMSI_SLOT_UNUSED);
	assert_null(vmsi_heap_check(heap));
}

static void assert_broken(const char *number)
{
	const char *wrong = vmsi_heap_check(heap);

	assert_non_null(wrong);
	assert_memory_equal(wrong, number, 2);
}

#define BREAK(field, value, number) \
	do { \
		__typeof__(field) kept = (field); \
\
		(field) = (value); \
		assert_broken(number); \
		(field) = kept; \
		assert_null(vmsi_heap_check(heap)); \
	} while (0)

static void every_breach_is_reported(void **state)
{
	struct vmsi_slot_class *class = heap->layout.classes;
	struct vmsi_bins *bins = class->bins;

	(void)state;
	furnish();
	BREAK(unused->room, page(), "H1");
	BREAK(unused->use, VMSI_SLOT_LIVE, "H1");
	BREAK(class->unused, NULL, "H1");
	BREAK(unused->next, unused, "H1");
	BREAK(heap->ages.retained, heap->ages.retained + 1, "H2");
	BREAK(retained->use, VMSI_SLOT_BUSY, "H2");
	BREAK(retained->retained.touched, page(), "H3");
	BREAK(retained->small_pages, !retained->small_pages, "H3");
	BREAK(bins->filled[0], ~bins->filled[0], "H3");
	BREAK(retained->room, page(), "H4");
	BREAK(retained->retained.from, page(), "H4");
	BREAK(retained->retained.slot, unused, "H4");
	BREAK(heap->ages.newest, NULL, "H5");
	BREAK(heap->ages.oldest, NULL, "H5");
	BREAK(retained->retained.older, &retained->retained, "H5");
	BREAK(run->slot, retained, "H6");
	BREAK(run->list, VMSI_RUNS_FULL, "H8");
	BREAK(run->live, 7, "H7");
	BREAK(run->blocks[run->free - 1].use, VMSI_BLOCK_LIVE, "H7");
	BREAK(run->begun, run->count + 1, "H7");
	BREAK(run->previous, run, "H8");
	BREAK(run->class, run->class + 1, "H8");
	BREAK(heap->ages.lost, retained, "H9");
	drop(held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HEAP(every_breach_is_reported),
	};

	return cmocka_run_group_tests_name("heap_check", tests, NULL, NULL);
}
