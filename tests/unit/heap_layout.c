/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>

#include "heap_fixture.h"

/* Which addresses a heap reserves, how it divides them, what it refuses. */

static size_t slots_of(unsigned class)
{
	return heap->layout.classes[class].count;
}

/* Check that slots do not overlap and are aligned to their size. */
static void assert_slots_are_apart(void)
{
	uintptr_t end = heap->layout.start;

	for (int i = VMSI_HEAP_CLASSES - 1; i >= 0; i--) {
		struct vmsi_slot_class *class = &heap->layout.classes[i];
		size_t capacity = vmsi_slot_capacity(class);

		if (class->count == 0)
			continue;
		assert_int_equal(class->base, end);
		assert_int_equal(class->base % capacity, 0);
		for (uint32_t j = 0; j < class->count; j++) {
			struct vmsi_slot *slot = &class->slots[j];
			uintptr_t start = vmsi_slot_start(class, slot);

			assert_int_equal(start, end);
			end += capacity;
			assert_ptr_equal(vmsi_class_of(&heap->layout, start),
					 class);
			assert_ptr_equal(vmsi_slot_of(class, end - 1), slot);
			assert_ptr_equal(vmsi_class_of_slot(&heap->layout, slot),
					 class);
		}
	}
	assert_int_equal(end, heap->layout.start + heap->layout.length);
	assert_true(vms_space_contains(vms_heap_space(heap),
				       (void *)heap->layout.start,
				       heap->layout.length));
}

static void addresses_are_cut_into_slots(void **state)
{
	static const size_t reserves[] = {
		GIB, 3 * GIB / 2, 63 * GIB, 64 * GIB, 100 * GIB, TIB, 3 * TIB,
		4 * TIB, 5 * TIB, 16 * TIB,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(reserves) / sizeof(reserves[0]); i++) {
		struct vms_heap_options options = {
			.struct_size = sizeof(options),
			.reserve = reserves[i],
		};

		vms_heap_close(heap);
		heap = vms_heap_open(&options);
		if (!heap) {
			/* Under a sanitizer fewer addresses are free. */
			assert_true(reserves[i] >= TIB && errno == ENOMEM);
			heap = vms_heap_open(NULL);
			assert_non_null(heap);
			continue;
		}
		assert_slots_are_apart();
		assert_true(slots_of(0) >= 14);
		assert_true(slots_of(1) >= 32 || reserves[i] < 64 * GIB);
		assert_true(slots_of(2) >= 4 || reserves[i] < 64 * GIB);
		assert_true(slots_of(1) + slots_of(2) == 0 ||
			    reserves[i] >= 64 * GIB);
		assert_int_equal(stats_now().reserved, reserves[i]);
	}
}

static void a_range_that_is_too_small_is_refused(void **state)
{
	struct vms_heap_options options = {
		.struct_size = sizeof(options),
		.reserve = MIB,
	};

	(void)state;
	assert_no_memory(vms_heap_open(&options));
}

static void options_that_are_unknown_are_refused(void **state)
{
	struct vms_heap_options options = { .struct_size = 3 };

	(void)state;
	errno = 0;
	assert_null(vms_heap_open(&options));
	assert_int_equal(errno, EINVAL);
	options.struct_size = sizeof(options);
	options.flags = 0x80;
	errno = 0;
	assert_null(vms_heap_open(&options));
	assert_int_equal(errno, EINVAL);
}

/* --- sizes ---------------------------------------------------------------- */

/* The blocks of a size class are side by side and have the size that it states. */
static void a_class_holds_what_it_says(void **state)
{
	size_t least = 0;

	(void)state;
	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++) {
		const size_t size = heap->runs.classes[i].size;
		unsigned char *a, *b;

		/* With pages larger than 4 KiB, some size classes are equal. */
		assert_true(size > least || page() > 4096);
		if (size == least)
			continue;
		a = make(size);
		b = make(size);
		assert_int_equal(vms_heap_usable_size(heap, a), size);
		assert_int_equal(b - a, size);
		assert_ptr_equal(slot_of(a), slot_of(b));
		memset(a, 1, size);
		memset(b, 2, size);
		assert_int_equal(a[size - 1], 1);
		drop(a);
		if (least) {
			a = make(least + 1);
			assert_int_equal(vms_heap_usable_size(heap, a), size);
			drop(a);
		}
		drop(b);
		least = size;
	}
	assert_int_equal(least, VMSI_RUN_MOST);
}

static void a_larger_block_has_a_slot(void **state)
{
	unsigned char *a = make(VMSI_RUN_MOST + 1), *b = make(100 * MIB);

	(void)state;
	assert_ptr_equal(vmsi_class_of(&heap->layout, (uintptr_t)a),
			 &heap->layout.classes[0]);
	assert_int_equal((uintptr_t)a % (64 * MIB), 0);
	assert_int_equal(vms_heap_usable_size(heap, a),
			 vmsi_align_up(VMSI_RUN_MOST + 1, page()));
	assert_ptr_equal(vmsi_class_of(&heap->layout, (uintptr_t)b),
			 &heap->layout.classes[1]);
	drop(a);
	drop(b);
}

static void nothing_is_taken_as_one_byte(void **state)
{
	unsigned char *block = make(0);

	(void)state;
	*block = 3;
	block = resize(block, 0);
	assert_int_equal(*block, 3);
	drop(block);
	block = make_zero(0);
	drop(block);
	block = vms_heap_realloc(heap, NULL, 5);
	assert_non_null(block);
	drop(block);
	drop(NULL);
	assert_int_equal(vms_heap_usable_size(heap, NULL), 0);
	assert_int_equal(stats_now().blocks, 0);
}

static void too_much_is_refused(void **state)
{
	unsigned char *block = make_filled(2 * MIB);

	(void)state;
	assert_no_memory(vms_heap_malloc(heap, SIZE_MAX));
	assert_no_memory(vms_heap_malloc(heap, SIZE_MAX - 4096));
	assert_no_memory(vms_heap_malloc(heap, TIB + 1));
	assert_no_memory(vms_heap_calloc(heap, SIZE_MAX, 2));
	assert_no_memory(vms_heap_calloc(heap, SIZE_MAX / 4 + 1, 4));
	assert_no_memory(vms_heap_calloc(heap, 1, SIZE_MAX));
	assert_no_memory(vms_heap_aligned_alloc(heap, 4096, SIZE_MAX));
	assert_no_memory(vms_heap_aligned_alloc(heap, 2 * MIB, SIZE_MAX - 5));
	assert_no_memory(vms_heap_realloc(heap, block, SIZE_MAX));
	assert_no_memory(vms_heap_realloc(heap, block, TIB + 1));
	assert_filled(block, 2 * MIB);
	assert_int_equal(stats_now().refusals, 10);
	assert_int_equal(stats_now().blocks, 1);
	drop(block);
	block = make(3);
	assert_no_memory(vms_heap_realloc(heap, block, SIZE_MAX));
	drop(block);
}

/* --- alignment ------------------------------------------------------------ */

static void alignments_are_honoured(void **state)
{
	(void)state;
	for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
		unsigned char *small = vms_heap_aligned_alloc(heap, alignment,
							      100);
		unsigned char *large = vms_heap_aligned_alloc(heap, alignment,
							      3 * MIB);

		assert_non_null(small);
		assert_non_null(large);
		assert_int_equal((uintptr_t)small % alignment, 0);
		assert_int_equal((uintptr_t)large % alignment, 0);
		small[99] = large[3 * MIB - 1] = 1;
		drop(small);
		drop(large);
	}
	assert_no_memory(vms_heap_aligned_alloc(heap, 2 * TIB, 1));
	assert_no_memory(vms_heap_aligned_alloc(heap, (size_t)1 << 63, 1));
}

static void an_odd_alignment_is_refused(void **state)
{
	static const size_t odd[] = { 0, 3, 4097, SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		errno = 0;
		assert_null(vms_heap_aligned_alloc(heap, odd[i], 100));
		assert_int_equal(errno, EINVAL);
	}
}

/* --- few addresses -------------------------------------------------------- */

static void slots_of_a_small_heap_are_all_used(void **state)
{
	unsigned char *blocks[32];
	unsigned count = 0;

	(void)state;
	open_heap_with((struct vms_heap_options){ .reserve = GIB });
	assert_no_memory(vms_heap_malloc(heap, 64 * MIB + 1));
	assert_no_memory(vms_heap_aligned_alloc(heap, 128 * MIB, 1));
	while (count < 32 && (blocks[count] = vms_heap_malloc(heap, 2 * MIB)))
		blocks[count++][0] = 1;
	assert_int_equal(count, slots_of(0));
	assert_no_memory(vms_heap_malloc(heap, 100));
	drop(blocks[--count]);
	drop(make(100));
	while (count > 0)
		drop(blocks[--count]);
}

static void slots_leave_mappings_to_the_program(void **state)
{
	char text[64] = "";
	long file = vmsi_host.open("/proc/sys/vm/max_map_count");

	(void)state;
	if (file < 0)
		skip();
	assert_true(vmsi_host.read((int)file, text, sizeof(text) - 1) > 0);
	(void)vmsi_host.close((int)file);
	assert_true(slots_of(0) <= strtoul(text, NULL, 10) / 4);
}

/* Each size class has left an empty run, which may occupy the last slot. */
static void empty_runs_make_room_for_blocks(void **state)
{
	unsigned char *blocks[32];
	size_t count;

	(void)state;
	open_heap_with((struct vms_heap_options){ .reserve = GIB });
	count = slots_of(0);
	for (unsigned i = 0; i < 12; i++)
		drop(make_filled(heap->runs.classes[i].size));
	for (size_t i = 0; i < count; i++)
		blocks[i] = make(2 * MIB);
	while (count > 0)
		drop(blocks[--count]);
}

/* --- RLIMIT_AS ------------------------------------------------------------ */

static size_t bytes_of_process(void)
{
	char text[64] = "";
	long pages;
	long file = vmsi_host.open("/proc/self/statm");

	assert_true(file >= 0);
	assert_true(vmsi_host.read((int)file, text, sizeof(text) - 1) > 0);
	(void)vmsi_host.close((int)file);
	pages = strtol(text, NULL, 10);
	return (size_t)pages * page();
}

/* Return the size that a heap reserves with so many addresses left, or 0. */
static size_t reserved_with(size_t left)
{
	struct rlimit before, limit;

	vms_heap_close(heap);
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	limit = before;
	limit.rlim_cur = bytes_of_process() + left;
	assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
	heap = vms_heap_open(NULL);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	if (!heap)
		return 0;
	drop(make_filled(3 * MIB));
	drop(make_filled(100 * KIB));
	return stats_now().reserved;
}

/* A heap reserves a power of two: a quarter of what is free, of little a half. */
static void fewer_addresses_are_taken_where_there_are_fewer(void **state)
{
	static const struct {
		size_t left, reserved;
	} limits[] = {
		{ 33 * GIB, 8 * GIB }, { 9 * GIB, 2 * GIB },
		{ 5 * GIB, GIB }, { 3 * GIB, GIB },
		{ 2 * GIB, 512 * MIB }, { GIB, 256 * MIB },
		{ 520 * MIB, 256 * MIB }, { 500 * MIB, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		assert_int_equal(reserved_with(limits[i].left),
				 limits[i].reserved);
	heap = vms_heap_open(NULL);
	assert_non_null(heap);
}

static struct vmsi_host_calls real;

/* All addresses that a process has, in bytes. */
static size_t all_addresses;

static long map_in_few(uintptr_t address, size_t length, int prot, int flags,
		       int fd, uint64_t offset)
{
	if (length > all_addresses - all_addresses / 16)
		return -ENOMEM;
	return real.mmap(address, length, prot, flags, fd, offset);
}

/* Three levels of page tables give a process 39 bits of addresses, or 36. */
static void a_machine_with_few_addresses_has_a_heap(void **state)
{
	/*
	 * Under a sanitizer the heap may have reserved less than the machine allows.
	 */
	const size_t most = stats_now().reserved;

	(void)state;
	for (unsigned bits = 36; bits <= 42; bits++) {
		vms_heap_close(heap);
		all_addresses = (size_t)1 << bits;
		real = vmsi_host;
		vmsi_host.mmap = map_in_few;
		heap = vms_heap_open(NULL);
		vmsi_host = real;
		assert_non_null(heap);
		assert_int_equal(stats_now().reserved,
				 vmsi_min(most, all_addresses / 8));
		assert_slots_are_apart();
		drop(make_filled(3 * MIB));
	}
}

static void no_addresses_is_no_memory(void **state)
{
	struct rlimit before, limit;
	int error;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	limit = before;
	limit.rlim_cur = bytes_of_process() + 500 * MIB;
	assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
	errno = 0;
	assert_null(vms_heap_open(NULL));
	error = errno;
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	assert_int_equal(error, ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HEAP(addresses_are_cut_into_slots),
		WITH_HEAP(a_range_that_is_too_small_is_refused),
		WITH_HEAP(options_that_are_unknown_are_refused),
		WITH_HEAP(a_class_holds_what_it_says),
		WITH_HEAP(a_larger_block_has_a_slot),
		WITH_HEAP(nothing_is_taken_as_one_byte),
		WITH_HEAP(too_much_is_refused),
		WITH_HEAP(alignments_are_honoured),
		WITH_HEAP(an_odd_alignment_is_refused),
		WITH_HEAP(slots_of_a_small_heap_are_all_used),
		WITH_HEAP(slots_leave_mappings_to_the_program),
		WITH_HEAP(empty_runs_make_room_for_blocks),
		WITH_HEAP(fewer_addresses_are_taken_where_there_are_fewer),
		WITH_HEAP(a_machine_with_few_addresses_has_a_heap),
		WITH_HEAP(no_addresses_is_no_memory),
	};

	return cmocka_run_group_tests_name("heap_layout", tests, NULL, NULL);
}
