/* SPDX-License-Identifier: MIT */
#include "heap/run_parts.h"

/* Gives back free blocks of runs, and runs that have no other blocks. */

/* Find the next run with blocks freed before a time, and make these busy. */
static struct vmsi_run *next_old(struct vms_heap *heap,
				 struct vmsi_run_class *class, uint64_t before,
				 uint64_t pass, uint64_t *taken)
{
	for (struct vmsi_run *run = class->runs[VMSI_RUNS_COMMITTED], *next; run;
	     run = next) {
		next = run->next;
		if (run->collected >= pass)
			continue;
		run->collected = pass;
		if (vmsi_run_take_old(heap, run, before, taken))
			return run;
	}
	return NULL;
}

/* Give busy blocks back, those side by side by one call of the host. */
static size_t give_back_taken(struct vms_heap *heap, struct vmsi_run *run,
			      const uint64_t *taken)
{
	struct vmsi_run_class *class = vmsi_run_class(heap, run);
	size_t bytes = 0;
	unsigned low, high;

	for (low = 0; low < VMSI_RUN_BLOCKS; low = high) {
		high = low + 1;
		if (!vmsi_run_has_bit(taken, low))
			continue;
		while (vmsi_run_has_bit(taken, high))
			high++;
		bytes += vmsi_run_give_back(heap, run, low, high);
		vmsi_lock_acquire(&class->lock);
		/* The lowest block is put last, so that it is used first. */
		for (unsigned i = high; i-- > low;) {
			run->blocks[i].freed_at = vmsi_heap_now();
			vmsi_run_put_block(heap, run, i);
		}
		vmsi_lock_release(&class->lock);
	}
	return bytes;
}

static size_t collect_blocks(struct vms_heap *heap,
			     struct vmsi_run_class *class, uint64_t before,
			     uint64_t pass)
{
	struct vmsi_run *run;
	size_t bytes = 0;

	do {
		uint64_t taken[VMSI_RUN_BLOCKS / 64] = { 0 };

		vmsi_lock_acquire(&class->lock);
		run = next_old(heap, class, before, pass, taken);
		vmsi_lock_release(&class->lock);
		if (run)
			bytes += give_back_taken(heap, run, taken);
	} while (run);
	return bytes;
}

static struct vmsi_run *find_empty(const struct vmsi_run_class *class)
{
	for (unsigned i = 0; i < VMSI_RUN_LISTS; i++)
		for (struct vmsi_run *run = class->runs[i]; run; run = run->next)
			if (vmsi_run_is_empty_but(run, 0))
				return run;
	return NULL;
}

static size_t end_empty(struct vms_heap *heap, struct vmsi_run_class *class)
{
	size_t bytes = 0, holes = 0;
	struct vmsi_run *run;

	do {
		vmsi_lock_acquire(&class->lock);
		run = find_empty(class);
		if (run)
			holes = vmsi_run_withdraw(heap, run);
		vmsi_lock_release(&class->lock);
		if (run)
			bytes += vmsi_run_finish(heap, run, holes, NULL);
	} while (run);
	return bytes;
}

size_t vmsi_runs_collect(struct vms_heap *heap, uint64_t before)
{
	/* A pass sees each run once, or it would not end if the host refuses. */
	const uint64_t pass = atomic_fetch_add(&heap->runs.pass, 1) + 1;
	size_t bytes = 0;

	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++) {
		struct vmsi_run_class *class = &heap->runs.classes[i];

		bytes += collect_blocks(heap, class, before, pass);
		bytes += end_empty(heap, class);
		if (before == UINT64_MAX)
			bytes += vmsi_runs_trim(heap, class, pass);
	}
	return bytes;
}
