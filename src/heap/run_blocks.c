/* SPDX-License-Identifier: MIT */
#include "heap/run_parts.h"

/*
 * Which blocks of runs are free (drawn in run.h). Committed free blocks are a
 * stack: the block that was freed last is used next, as its memory is the most
 * likely to be in the caches. Of holes the lowest is used first: its neighbour
 * below is committed, so a hole of several blocks becomes shorter and is not
 * split in two.
 */

/* --- lists ---------------------------------------------------------------- */

static enum vmsi_run_list list_for(const struct vmsi_run *run)
{
	if (run->free)
		return VMSI_RUNS_COMMITTED;
	if (run->hole_blocks || run->begun < run->count)
		return VMSI_RUNS_UNCOMMITTED;
	return VMSI_RUNS_FULL;
}

static void unlist(struct vmsi_run_class *class, struct vmsi_run *run)
{
	if (run->list == VMSI_RUNS_FULL)
		return;
	if (run->next)
		run->next->previous = run->previous;
	if (run->previous)
		run->previous->next = run->next;
	else
		class->runs[run->list] = run->next;
	run->list = VMSI_RUNS_FULL;
}

void vmsi_run_place(struct vmsi_run_class *class, struct vmsi_run *run)
{
	const enum vmsi_run_list list = list_for(run);

	if (run->list == list)
		return;
	unlist(class, run);
	run->list = (uint8_t)list;
	if (list == VMSI_RUNS_FULL)
		return;
	run->previous = NULL;
	run->next = class->runs[list];
	if (run->next)
		run->next->previous = run;
	class->runs[list] = run;
}

/* --- holes ---------------------------------------------------------------- */

static bool is_hole(const struct vmsi_run *run, unsigned index)
{
	return vmsi_run_has_bit(run->holes, index);
}

/*
 * How many more holes there are when a block becomes one: 1 if no neighbour is a
 * hole, 0 if one is, and -1 if it joins two.
 */
static size_t more_holes_with(const struct vmsi_run *run, unsigned index)
{
	return (size_t)1 - is_hole(run, index - 1) - is_hole(run, index + 1);
}

static void add_hole(struct vms_heap *heap, struct vmsi_run *run,
		     unsigned index)
{
	vmsi_increase(&heap->runs.holes, more_holes_with(run, index));
	vmsi_decrease(&heap->ages.used, vmsi_run_class(heap, run)->size);
	run->holes[index / 64] |= UINT64_C(1) << index % 64;
	run->hole_blocks++;
}

static void remove_hole(struct vms_heap *heap, struct vmsi_run *run,
			unsigned index)
{
	run->holes[index / 64] &= ~(UINT64_C(1) << index % 64);
	run->hole_blocks--;
	vmsi_decrease(&heap->runs.holes, more_holes_with(run, index));
	vmsi_increase(&heap->ages.used, vmsi_run_class(heap, run)->size);
}

static unsigned lowest_hole(const struct vmsi_run *run)
{
	unsigned i = 0;

	while (!run->holes[i])
		i++;
	return 64 * i + (unsigned)__builtin_ctzll(run->holes[i]);
}

bool vmsi_run_may_have_hole(const struct vms_heap *heap,
			    const struct vmsi_run *run, unsigned low,
			    unsigned high)
{
	return is_hole(run, low - 1) || is_hole(run, high) ||
		vmsi_get(&heap->runs.holes) < heap->runs.holes_most;
}

/* --- the stack of committed blocks ---------------------------------------- */

static void push(struct vms_heap *heap, struct vmsi_run *run, unsigned index)
{
	run->blocks[index].next = run->free;
	run->free = (uint16_t)(index + 1);
	vmsi_increase(&heap->ages.retained, vmsi_run_class(heap, run)->size);
}

/* Take the block that a link leads to out of the stack. */
static unsigned unlink_at(struct vms_heap *heap, struct vmsi_run *run,
			  uint16_t *link)
{
	const unsigned index = *link - 1u;

	*link = run->blocks[index].next;
	vmsi_decrease(&heap->ages.retained, vmsi_run_class(heap, run)->size);
	return index;
}

static uint16_t *link_to(struct vmsi_run *run, unsigned index)
{
	uint16_t *link = &run->free;

	while (*link != index + 1)
		link = &run->blocks[*link - 1].next;
	return link;
}

/* --- take and put --------------------------------------------------------- */

bool vmsi_run_has_block(struct vms_heap *heap, const struct vmsi_run *run,
			unsigned index)
{
	return (index + 1) * vmsi_run_class(heap, run)->size <=
		vmsi_get(&run->slot->room);
}

static unsigned choose(struct vms_heap *heap, struct vmsi_run *run)
{
	unsigned index;

	if (run->free)
		return unlink_at(heap, run, &run->free);
	if (!run->hole_blocks ||
	    (run->begun < run->count &&
	     vmsi_run_has_block(heap, run, run->begun)))
		return run->begun++;
	index = lowest_hole(run);
	remove_hole(heap, run, index);
	return index;
}

unsigned vmsi_run_take_block(struct vms_heap *heap, struct vmsi_run *run)
{
	const unsigned index = choose(heap, run);

	run->live++;
	run->blocks[index].use = VMSI_BLOCK_BUSY;
	vmsi_run_place(vmsi_run_class(heap, run), run);
	return index;
}

static void put(struct vms_heap *heap, struct vmsi_run *run, unsigned index)
{
	run->blocks[index].use = VMSI_BLOCK_FREE;
	run->live--;
	if (run->blocks[index].memory == VMSI_BLOCK_HOLE)
		add_hole(heap, run, index);
	else
		push(heap, run, index);
}

void vmsi_run_put_block(struct vms_heap *heap, struct vmsi_run *run,
			unsigned index)
{
	put(heap, run, index);
	vmsi_run_place(vmsi_run_class(heap, run), run);
}

/* Make the last of the begun blocks one that was never used. */
static void unbegin(struct vmsi_run *run)
{
	run->begun--;
	run->blocks[run->begun].use = VMSI_BLOCK_UNUSED;
}

/*
 * If the block is the last of the begun ones, it becomes one that was never used.
 * Else another thread has begun the block above: either that thread commits it, and
 * this one with it, or it is refused too, and its loop here unbegins both.
 */
void vmsi_run_untake_block(struct vms_heap *heap, struct vmsi_run *run,
			   unsigned index)
{
	put(heap, run, index);
	while (run->begun > 0 &&
	       run->blocks[run->begun - 1].use == VMSI_BLOCK_FREE &&
	       !vmsi_run_has_block(heap, run, run->begun - 1)) {
		(void)unlink_at(heap, run, link_to(run, run->begun - 1));
		unbegin(run);
	}
	vmsi_run_place(vmsi_run_class(heap, run), run);
}

void vmsi_run_unbegin_block(struct vms_heap *heap, struct vmsi_run *run,
			    unsigned index)
{
	if (index + 1 < run->begun) {
		vmsi_run_put_block(heap, run, index);
		return;
	}
	run->live--;
	unbegin(run);
	vmsi_run_place(vmsi_run_class(heap, run), run);
}

bool vmsi_run_take_old(struct vms_heap *heap, struct vmsi_run *run,
		       uint64_t before, uint64_t *taken)
{
	uint16_t *link = &run->free;
	bool any = false;

	while (*link) {
		unsigned index = *link - 1u;

		if (run->blocks[index].freed_at >= before ||
		    !vmsi_run_has_block(heap, run, index)) {
			link = &run->blocks[index].next;
			continue;
		}
		(void)unlink_at(heap, run, link);
		run->blocks[index].use = VMSI_BLOCK_BUSY;
		/* A run that has a live or busy block does not end. */
		run->live++;
		taken[index / 64] |= UINT64_C(1) << index % 64;
		any = true;
	}
	vmsi_run_place(vmsi_run_class(heap, run), run);
	return any;
}

/* --- runs that end, or become shorter ------------------------------------- */

bool vmsi_run_is_empty_but(const struct vmsi_run *run, unsigned live)
{
	if (run->live != live)
		return false;
	for (uint16_t number = run->free; number;
	     number = run->blocks[number - 1].next)
		if (run->blocks[number - 1].memory == VMSI_BLOCK_USED)
			return false;
	return true;
}

size_t vmsi_run_withdraw(struct vms_heap *heap, struct vmsi_run *run)
{
	const size_t holes =
		run->hole_blocks * vmsi_run_class(heap, run)->size;

	unlist(vmsi_run_class(heap, run), run);
	while (run->free)
		(void)unlink_at(heap, run, &run->free);
	while (run->hole_blocks)
		remove_hole(heap, run, lowest_hole(run));
	return holes;
}

void vmsi_run_lower(struct vms_heap *heap, struct vmsi_run *run)
{
	const size_t size = vmsi_run_class(heap, run)->size;

	if (vmsi_get(&run->slot->room) != run->begun * size)
		return;
	while (run->begun > 0 && is_hole(run, run->begun - 1)) {
		remove_hole(heap, run, run->begun - 1);
		unbegin(run);
		run->blocks[run->begun].memory = VMSI_BLOCK_FRESH;
	}
	vmsi_slot_set_room(heap, run->slot, run->begun * size);
	vmsi_run_place(vmsi_run_class(heap, run), run);
}

/* --- invariants ----------------------------------------------------------- */

static const char *check_holes(struct vms_heap *heap,
			       const struct vmsi_run *run, size_t *holes)
{
	unsigned blocks = 0;

	for (unsigned i = 0; i < VMSI_RUN_BLOCKS; i++) {
		if (!is_hole(run, i))
			continue;
		if (i >= run->begun || run->blocks[i].use != VMSI_BLOCK_FREE ||
		    run->blocks[i].memory != VMSI_BLOCK_HOLE ||
		    !vmsi_run_has_block(heap, run, i))
			return "H15: a block counts as a hole and is none";
		blocks++;
		*holes += !is_hole(run, i - 1);
	}
	return blocks == run->hole_blocks ? NULL :
		"H15: the holes of a run are not counted right";
}

static const char *check_run(struct vms_heap *heap, const struct vmsi_run *run,
			     size_t *bytes, size_t *holes)
{
	unsigned committed = 0;

	if (run->slot->run != run || list_for(run) != run->list ||
	    vmsi_slot_use(run->slot) != VMSI_SLOT_RUN)
		return "H6: a slot does not have the run that has it";
	for (uint16_t number = run->free; number && committed <= run->begun;
	     number = run->blocks[number - 1].next, committed++) {
		const struct vmsi_block *block = &run->blocks[number - 1];

		if (number > run->begun || block->use != VMSI_BLOCK_FREE ||
		    block->memory == VMSI_BLOCK_HOLE)
			return "H7: a block of the free ones is not free";
		*bytes += heap->runs.classes[run->class].size;
	}
	if (run->live + committed + run->hole_blocks != run->begun ||
	    run->begun > run->count)
		return "H7: the blocks of a run are not all free or live";
	return check_holes(heap, run, holes);
}

static const char *check_list(struct vms_heap *heap, unsigned class,
			      enum vmsi_run_list list, size_t *bytes,
			      size_t *holes)
{
	const struct vmsi_run *previous = NULL;
	const char *wrong = NULL;

	for (const struct vmsi_run *run = heap->runs.classes[class].runs[list];
	     !wrong && run; previous = run, run = run->next) {
		if (run->previous != previous || run->class != class ||
		    run->list != list)
			return "H8: the list of runs does not lead back";
		wrong = check_run(heap, run, bytes, holes);
	}
	return wrong;
}

const char *vmsi_heap_check_runs(struct vms_heap *heap, size_t *bytes)
{
	const char *wrong = NULL;
	size_t holes = 0;

	for (unsigned i = 0; !wrong && i < VMSI_RUN_CLASSES * VMSI_RUN_LISTS; i++)
		wrong = check_list(heap, i / VMSI_RUN_LISTS, i % VMSI_RUN_LISTS,
				   bytes, &holes);
	if (!wrong && holes != vmsi_get(&heap->runs.holes))
		wrong = "H15: the holes of all runs are not counted right";
	return wrong;
}
