/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../fault/host_fault.h"
#include "heap/check.h"
#include "heap/heap.h"
#include "heap_operations.h"
#include "space/inside.h"

/*
 * Random calls on a heap and what its blocks must hold, on one thread and on
 * several that hand blocks to each other, while the host fails now and then.
 * Each round has another heap.
 */

#define OPERATIONS_USUAL 12000
#define OPERATIONS_PER_ROUND 300

struct arguments given = { .operations = OPERATIONS_USUAL };
struct heap_model run = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* In mode 2 of vm.overcommit_memory, the machine itself may refuse memory. */
static bool machine_is_strict(void)
{
	FILE *file = fopen("/proc/sys/vm/overcommit_memory", "re");
	int mode = 0;

	if (file) {
		if (fscanf(file, "%d", &mode) != 1)
			mode = 0;
		(void)fclose(file);
	}
	return mode == 2;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (int i = 0; i < OPERATIONS_PER_ROUND && !run.failed; i++) {
		operate(worker);
		if (run.threads == 1 && !run.faults)
			check_charge(worker);
	}
	return NULL;
}

/* --- rounds --------------------------------------------------------------- */

static vms_heap *open_heap(struct random *random)
{
	static const size_t retains[] = {
		0, VMS_HEAP_RETAIN_NONE, (size_t)4 << 20, (size_t)256 << 20,
	};
	const struct vms_heap_options options = {
		.struct_size = sizeof(options),
		.reserve = run.narrow ? (size_t)1 << 30 : 0,
		.retain = retains[random_below(random, 4)],
		.reclaimable_after = random_below(random, 2) ? 1 : 0,
		.give_back_after = random_below(random, 2) ? 2 :
							     VMS_HEAP_NEVER,
		.flags = random_below(random, 3) ? 0 : VMS_HEAP_NO_HUGE_PAGES,
	};

	run.none_retained = options.retain == VMS_HEAP_RETAIN_NONE;
	return vms_heap_open(&options);
}

/* Allow so few holes in runs, now and then, that a free makes too many. */
static void limit_holes(struct random *random)
{
	if (random_below(random, 3) == 0) {
		run.heap->runs.holes_most = random_below(random, 4);
		run.none_retained = false;
	}
}

static void begin_round(struct random *random)
{
	run.narrow = random_below(random, 4) == 0;
	run.faults = random_below(random, 2) == 0;
	run.threads = random_below(random, 2) ? 1 : THREADS_MOST;
	run.heap = open_heap(random);
	assert_non_null(run.heap);
	limit_holes(random);
	/* Under a sanitizer few addresses are free. */
	if (vms_space_size(vms_heap_space(run.heap)) < (size_t)1 << 40)
		run.narrow = true;
	for (unsigned i = 0; i < THREADS_MOST; i++)
		run.workers[i] = (struct worker){
			.number = i,
			.random.state = random_next(random),
		};
	memset(run.handed, 0, sizeof(run.handed));
}

static void free_blocks(struct heap_block *blocks)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		struct worker *worker = &run.workers[0];

		if (blocks[i].memory)
			do_free(worker, &blocks[i]);
	}
}

static void expect_nothing_left(void)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	(void)vms_heap_collect(run.heap, VMS_HEAP_COLLECT_ALL);
	assert_int_equal(vms_heap_get_stats(run.heap, &stats), 0);
	if (stats.live || stats.blocks || stats.retained || stats.committed ||
	    stats.resident)
		fail_msg("left: live %zu in %zu, retained %zu, committed %zu, "
			 "resident %zu (round %lu, --seed %llu)", stats.live,
			 stats.blocks, stats.retained, stats.committed,
			 stats.resident, run.round,
			 (unsigned long long)given.seed);
}

static void expect_sound_heap(void)
{
	const char *broken = vmsi_heap_check(run.heap);

	if (!broken)
		broken = vmsi_space_check(vms_heap_space(run.heap));
	if (broken)
		fail_msg("%s (round %lu, --seed %llu)", broken, run.round,
			 (unsigned long long)given.seed);
}

static void end_round(void)
{
	if (run.failed)
		fail_msg("%s", run.failure);
	run.faults = false;
	expect_sound_heap();
	for (unsigned i = 0; i < run.threads; i++)
		free_blocks(run.workers[i].blocks);
	free_blocks(run.handed);
	if (run.failed)
		fail_msg("%s", run.failure);
	expect_nothing_left();
	expect_sound_heap();
	vms_heap_close(run.heap);
}

static void contents_and_figures(void **state)
{
	struct random random = { given.seed };

	(void)state;
	fault_install();
	for (; run.step < given.operations; run.round++) {
		begin_round(&random);
		for (unsigned i = 1; i < run.threads; i++)
			assert_int_equal(pthread_create(&run.workers[i].id,
							NULL, work,
							&run.workers[i]), 0);
		(void)work(&run.workers[0]);
		for (unsigned i = 1; i < run.threads; i++)
			pthread_join(run.workers[i].id, NULL);
		run.step += run.threads * OPERATIONS_PER_ROUND;
		end_round();
	}
	fault_remove();
	print_message("# %lu operations, %lu refused, %lu moved\n", run.step,
		      run.refused, run.moved);
	/* A run without refusals or moves has not tested these. */
	assert_true(run.refused > 0 && run.moved > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents_and_figures),
	};

	read_arguments("heap_model", argc, argv, &given);
	run.strict = machine_is_strict();
	return cmocka_run_group_tests_name("heap_model", tests, NULL, NULL);
}
