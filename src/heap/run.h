/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_RUN_H
#define VMSI_HEAP_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/pool.h"

struct vms_heap;
struct vmsi_slot;

/*
 * Runs: slots that hold many blocks of one size class, side by side, so that they
 * share huge pages and mappings of the host.
 *
 *   |block|block|block|hole |hole |block|~~~~~~~~|...............|
 *    live  free  live  free  free  live   ahead          capacity
 *                                        begun    room
 *
 *   begun: blocks that were ever used; ahead: committed for the next ones
 *   hole: a free block whose memory and charge went back
 */

/* The smallest and the largest class; there are four to a power of two. */
#define VMSI_RUN_LEAST ((size_t)64 << 10)
#define VMSI_RUN_MOST ((size_t)1 << 20)
#define VMSI_RUN_CLASSES 17

/*
 * The states of a block in a run. All changes but the last two are made under the
 * lock of the run's class:
 *
 *   UNUSED  BUSY    vmsi_run_take_block (run_blocks.c), next_ahead (run_memory.c)
 *   FREE    BUSY    vmsi_run_take_block, vmsi_run_take_old (run_blocks.c)
 *   BUSY    FREE    vmsi_run_put_block, vmsi_run_untake_block (run_blocks.c)
 *   BUSY    UNUSED  vmsi_run_unbegin_block (run_blocks.c)
 *   FREE    UNUSED  vmsi_run_untake_block, vmsi_run_lower (run_blocks.c)
 *   BUSY    LIVE    vmsi_run_alloc (run.c)
 *   LIVE    BUSY    vmsi_run_free (run.c)
 *
 * A busy block belongs to the thread that made it so.
 */
enum vmsi_block_use {
	VMSI_BLOCK_UNUSED,
	VMSI_BLOCK_BUSY,
	VMSI_BLOCK_FREE,
	VMSI_BLOCK_LIVE,
};

/*
 * The states of a block's memory. That of a free block is retained, unless it is a
 * hole.
 *
 *   FRESH        USED   vmsi_run_alloc (run.c), when it is handed out
 *   FRESH, USED  HOLE   vmsi_run_give_back (run_memory.c)
 *   USED         FRESH  the same, where the pages go back and the charge does not;
 *                       vmsi_run_realloc (run.c), which moves the pages away
 *   USED         HOLE, FRESH  vmsi_run_renew (attributes.c)
 *   HOLE         FRESH  vmsi_run_commit (run_memory.c), before it is handed out
 */
enum vmsi_block_memory {
	VMSI_BLOCK_FRESH, /* committed, and zero */
	VMSI_BLOCK_USED,  /* committed, and may hold anything */
	VMSI_BLOCK_HOLE,  /* reserved, without memory and charge */
};

struct vmsi_block {
	uint32_t size;           /* asked for by the program */
	uint16_t next;           /* index plus 1 of the one below in the stack; or 0 */
	uint8_t use;             /* enum vmsi_block_use */
	uint8_t memory;          /* enum vmsi_block_memory */
	uint64_t freed_at;
};

/* The most blocks in a run: the smallest class in the smallest slots. */
#define VMSI_RUN_BLOCKS 1024

/* The lists of a class, by what the next block of a run would be. */
enum vmsi_run_list {
	VMSI_RUNS_COMMITTED, /* a free block that is committed */
	VMSI_RUNS_UNCOMMITTED, /* a hole, or a block that was never used */
	VMSI_RUN_LISTS,
	VMSI_RUNS_FULL = VMSI_RUN_LISTS, /* there is none: the run is in no list */
};

/* The blocks of a slot that is a run. Guarded by the lock of its class. */
struct vmsi_run {
	struct vmsi_run *next, *previous; /* in its list */
	struct vmsi_slot *slot;
	uint32_t class;          /* index in vmsi_runs.classes */
	uint32_t count;          /* blocks that fit */
	uint32_t begun;          /* blocks that were ever used: the first ones */
	uint32_t live;           /* blocks that are live or busy */
	uint16_t free;           /* index plus 1 of the top of the stack; 0: empty */
	uint16_t hole_blocks;    /* free blocks that are holes */
	uint8_t list;            /* enum vmsi_run_list */
	uint64_t collected, trimmed; /* the last vmsi_runs.pass that saw it */
	uint64_t holes[VMSI_RUN_BLOCKS / 64]; /* a bit for each free block: a hole */
	/* A bit for each block that the program has changed (marks.h); atomic. */
	uint64_t changed[VMSI_RUN_BLOCKS / 64];
	struct vmsi_block blocks[VMSI_RUN_BLOCKS];
};

struct vmsi_run_class {
	struct vmsi_lock lock;
	size_t size;             /* bytes of a block */
	struct vmsi_run *runs[VMSI_RUN_LISTS];
	_Atomic size_t live;     /* bytes asked for, of all live blocks */
	_Atomic size_t blocks;   /* number of live blocks */
};

/* All runs of a heap. */
struct vmsi_runs {
	/*
	 * The number of holes, where neighbours count as one, and the most that
	 * there may be: each makes up to two more mappings of the host.
	 */
	_Atomic size_t holes;
	size_t holes_most;
	_Atomic uint64_t pass;   /* how often vmsi_runs_collect was called */
	/*
	 * A thread that commits ahead in a run, or gives that back, holds it. One
	 * lock serves all runs, as calls on the space wait for each other anyway.
	 */
	struct vmsi_lock ahead_lock;
	struct vmsi_lock pool_lock;
	struct vmsi_pool pool;   /* records of runs */
	struct vmsi_run_class classes[VMSI_RUN_CLASSES];
};

void vmsi_runs_init(struct vms_heap *heap);
void vmsi_runs_release(struct vms_heap *heap);

/* Make a block in a run, zeroed if that is asked. NULL: no memory. */
void *vmsi_run_alloc(struct vms_heap *heap, size_t size, bool zeroed);
void vmsi_run_free(struct vms_heap *heap, struct vmsi_slot *slot,
		   uintptr_t address);
void *vmsi_run_realloc(struct vms_heap *heap, struct vmsi_slot *slot,
		       uintptr_t address, size_t size);
size_t vmsi_run_usable(struct vms_heap *heap, struct vmsi_slot *slot,
		       uintptr_t address);

/*
 * Give back blocks that were freed before a time, and runs that have no others. If
 * the time is UINT64_MAX, what is committed ahead goes back too. Returns the bytes.
 * (run_collect.c)
 */
size_t vmsi_runs_collect(struct vms_heap *heap, uint64_t before);

/*
 * Check runs, under the locks of all classes. Adds what they retain to bytes.
 * Returns NULL, or what is wrong. (run_blocks.c)
 */
const char *vmsi_heap_check_runs(struct vms_heap *heap, size_t *bytes);

#endif
