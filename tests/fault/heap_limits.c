/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <vmspace.h>

#include "../kernel/random.h"
#include "../model/heap_blocks.h"
#include "heap/check.h"
#include "heap/heap.h"
#include "process_limits.h"
#include "snapshot.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * A heap at the limits of the process, with none to a few of what is limited
 * left: each call succeeds or answers ENOMEM, every block holds what it held,
 * and all is well when the limit is lifted.
 */

#define MIB ((size_t)1 << 20)
#define BLOCKS 10
#define STEPS 150

static const unsigned slacks[] = { 0, 1, 2, 3, 5, 8, 20, 300, 5000 };
#define SLACKS (sizeof(slacks) / sizeof(slacks[0]))

static vms_heap *heap;
static struct heap_block blocks[BLOCKS];
static struct random source;
static unsigned refusals;

/* --- random use ----------------------------------------------------------- */

static size_t some_size(void)
{
	return (size_t)1 << random_below(&source, 26) |
		random_below(&source, 5000);
}

static void expect_refused(void)
{
	assert_int_equal(errno, ENOMEM);
	refusals++;
}

static void fill(struct heap_block *block)
{
	heap_block_fill(block, random_next(&source));
}

static void make(struct heap_block *block)
{
	size_t size = some_size();
	bool zeroed = random_below(&source, 2);
	void *memory = zeroed ? vms_heap_calloc(heap, 1, size) :
				vms_heap_malloc(heap, size);

	if (!memory) {
		expect_refused();
		return;
	}
	if (zeroed)
		assert_true(heap_block_is_zero(memory, size, vmsi_page_size()));
	*block = (struct heap_block){ .memory = memory, .size = size,
				      .seed = random_next(&source) };
	fill(block);
}

static void change(struct heap_block *block)
{
	size_t size = some_size();
	void *memory = vms_heap_realloc(heap, block->memory, size);

	if (memory) {
		block->memory = memory;
		heap_block_resize(block, size);
	} else {
		expect_refused();
	}
	assert_true(heap_block_is_right(block));
	fill(block);
}

static void drop(struct heap_block *block)
{
	if (block->memory)
		assert_true(heap_block_is_right(block));
	vms_heap_free(heap, block->memory);
	block->memory = NULL;
}

static void use_heap(void)
{
	for (int i = 0; i < STEPS; i++) {
		struct heap_block *block =
			&blocks[random_below(&source, BLOCKS)];

		if (!block->memory)
			make(block);
		else if (random_below(&source, 3))
			change(block);
		else
			drop(block);
		if (random_below(&source, 30) == 0)
			(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	}
}

static void expect_sound(void)
{
	const char *wrong = vmsi_heap_check(heap);

	if (!wrong)
		wrong = vmsi_space_check(vms_heap_space(heap));
	if (wrong)
		fail_msg("%s", wrong);
}

/* --- limits --------------------------------------------------------------- */

static size_t pages(unsigned count)
{
	return count * vmsi_page_size();
}

static void impose_addresses(unsigned slack)
{
	limit_to(RLIMIT_AS, process_bytes() + pages(slack));
}

static void lift_addresses(void)
{
	limit_to(RLIMIT_AS, SIZE_MAX);
}

static void impose_data(unsigned slack)
{
	limit_to(RLIMIT_DATA, status_bytes("VmData:") + pages(slack));
}

static void lift_data(void)
{
	limit_to(RLIMIT_DATA, SIZE_MAX);
}

static bool nothing_to_prepare(void)
{
	return true;
}

/*
 * mlockall(MCL_FUTURE) locks memory that is mapped anew, and so all that replaces
 * other memory.
 */
static void impose_locked(unsigned slack)
{
	/* A limit of 0 would refuse to lock anything at all. */
	limit_to(RLIMIT_MEMLOCK, status_bytes("VmLck:") + pages(slack + 1));
	assert_int_equal(mlockall(MCL_FUTURE), 0);
}

static void lift_locked(void)
{
	assert_int_equal(munlockall(), 0);
}

/* --- vm.max_map_count ----------------------------------------------------- */

#define SPARE_MAPPINGS 6000

static bool prepare_map_count(void)
{
	return fill_map_count(SPARE_MAPPINGS);
}

/* --- tests ---------------------------------------------------------------- */

static const struct limit {
	const char *name;
	bool (*prepare)(void);
	const char *skipped;
	void (*impose)(unsigned slack);
	void (*lift)(void);
} limits[] = {
	{ "addresses", nothing_to_prepare, "", impose_addresses,
	  lift_addresses },
	{ "data", nothing_to_prepare, "", impose_data, lift_data },
	{ "locked", drop_right_to_lock, "CAP_IPC_LOCK cannot be given up",
	  impose_locked, lift_locked },
	{ "map-count", prepare_map_count,
	  "vm.max_map_count is too large to be reached", use_up_mappings,
	  give_mappings_back },
};

static const struct limit *limit;
static bool is_reached;

static void use_at_limit(unsigned slack, size_t retain, bool begun)
{
	struct vms_heap_options options = {
		.struct_size = sizeof(options), .retain = retain,
	};
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	heap = vms_heap_open(&options);
	assert_non_null(heap);
	if (begun)
		use_heap();
	limit->impose(slack);
	use_heap();
	limit->lift();
	expect_sound();
	use_heap();
	for (unsigned i = 0; i < BLOCKS; i++)
		drop(&blocks[i]);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	expect_sound();
	assert_int_equal(vms_heap_get_stats(heap, &stats), 0);
	assert_int_equal(stats.live, 0);
	assert_int_equal(stats.retained, 0);
	assert_int_equal(stats.committed, 0);
	assert_int_equal(stats.resident, 0);
	vms_heap_close(heap);
}

static void the_limit_is_met_cleanly(void **state)
{
	(void)state;
	if (!is_reached) {
		print_message("# SKIP %s\n", limit->skipped);
		return;
	}
	for (size_t i = 0; i < 4 * SLACKS; i++)
		use_at_limit(slacks[i / 4],
			     i & 1 ? VMS_HEAP_RETAIN_NONE : 0, i & 2);
	print_message("# %u refused\n", refusals);
	/* The limit must have refused something. */
	assert_true(refusals > 0);
}

/* A heap that cannot be opened leaves nothing behind. */
static void a_heap_is_opened_or_refused(void **state)
{
	(void)state;
	if (!is_reached)
		return;
	for (size_t i = 0; i < SLACKS; i++) {
		vms_heap *opened;
		int error;

		limit->impose(slacks[i]);
		errno = 0;
		opened = vms_heap_open(NULL);
		error = errno;
		limit->lift();
		assert_true(opened || error == ENOMEM);
		heap = opened;
		if (!heap)
			continue;
		use_heap();
		for (unsigned j = 0; j < BLOCKS; j++)
			drop(&blocks[j]);
		expect_sound();
		vms_heap_close(heap);
	}
}

/* heap_limits LIMIT [SEED] */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_limit_is_met_cleanly),
		cmocka_unit_test(a_heap_is_opened_or_refused),
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (argc > 1 && strcmp(argv[1], limits[i].name) == 0)
			limit = &limits[i];
	if (!limit)
		return 2;
	source.state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	print_message("# heap_limits %s %llu\n", limit->name,
		      (unsigned long long)source.state);
	is_reached = limit->prepare();
	return cmocka_run_group_tests_name(limit->name, tests, NULL, NULL);
}
