/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_STATE_H
#define VMSI_HEAP_STATE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/heap.h>

#include "base/align.h"
#include "base/lock.h"
#include "base/pool.h"

/*
 * A heap is one space, cut into slots of three sizes. A slot holds one block at
 * its start, and is far larger than the block, so that the block can grow; or
 * it is a run: many blocks of one size class, for blocks of up to 1 MiB.
 *
 *   space  |  1 TiB slots  |  16 GiB slots  |  64 MiB slots  |
 *
 * (The larger two are smaller where the space is.)
 *
 *   slot   |########++++..............................|
 *           size    room                       capacity
 *
 *   #: the block, +: committed ahead, .: reserved (PROT_NONE)
 *
 * A block that grows into the memory of one that was freed has room as far as
 * it would have it otherwise. What lies behind that is the surplus:
 *
 *   slot   |########++++~~~~~~~~~~~~~~~~~~............|
 *           size    room     surplus
 *
 * It is the block's to grow into, and goes back by age meanwhile.
 *
 * Which slot an address is in follows from the address alone. The records of
 * slots lie apart from the memory that the program writes.
 */

#define VMSI_HEAP_CLASSES 3

/* The smallest block of a run; the sizes of runs are multiples of a quarter. */
#define VMSI_RUN_LEAST ((size_t)64 << 10)
#define VMSI_RUN_MOST ((size_t)1 << 20)
#define VMSI_RUN_CLASSES 17

/*
 * The states of a slot, and the functions that lead from one to the next:
 *
 *   UNUSED <---> BUSY <---> LIVE
 *                ^  ^
 *                |  '-----> RUN
 *                v
 *             RETAINED
 *
 *   UNUSED    BUSY      unused_slot (take.c)
 *   RETAINED  BUSY      vmsi_slot_withdraw (retain_lists.c)
 *   BUSY      LIVE      publish (alloc.c), vmsi_slot_publish_grown (grower.c)
 *   BUSY      RUN       make_run (run.c)
 *   LIVE      BUSY      free_slot (block.c), move_to_grow (realloc.c)
 *   RUN       BUSY      vmsi_run_finish (run_memory.c)
 *   BUSY      RETAINED  vmsi_slot_put_retained (retain_lists.c)
 *   BUSY      UNUSED    put_unused (retain.c)
 *
 * - UNUSED: reserved addresses, without memory and charge; in the list of unused
 *   slots of its class, or never begun.
 * - BUSY: in no list; all fields belong to the thread that made it so. A slot with
 *   a hole that could not be mapped again stays busy, in the list of lost ones,
 *   until vmsi_slot_mend (slot.c) has mapped it.
 * - LIVE: holds a block, and its fields belong to the thread that has the block.
 *   What it has behind its room, its surplus, is in the list of ages.
 * - RETAINED: freed, and keeps memory for the next block; in a bin and in the list
 *   of ages, under the heap's lock. offer_oldest (collect.c) tells the host that it
 *   may take the memory; the slot is reclaimable then.
 * - RUN: holds many blocks, which have states of their own.
 */
enum vmsi_slot_use {
	VMSI_SLOT_UNUSED,
	VMSI_SLOT_BUSY,
	VMSI_SLOT_LIVE,
	VMSI_SLOT_RETAINED,
	VMSI_SLOT_RUN,
};

/* What a slot is taken for. */
enum vmsi_purpose {
	VMSI_FOR_BLOCK,  /* of the given size, that may be touched sparsely */
	VMSI_FOR_FULL_BLOCK, /* likewise, that will be written from end to end */
	VMSI_FOR_GROWTH, /* of a block that will grow on */
	VMSI_FOR_WARMTH, /* likewise, and only what is retained */
	VMSI_FOR_ZEROES, /* that may be touched here and there only */
};

/*
 * The fields up to the lists belong to the thread that has the block, or that
 * made the slot busy; otherwise, as the lists, to the heap's lock. They are
 * atomic for those that only look: figures, and checks for misuse.
 */
struct vmsi_slot {
	alignas(64) _Atomic size_t size; /* asked for by the program */
	_Atomic size_t room;     /* committed; bytes, of whole pages */
	/*
	 * All from here to room was never written, but for what size says;
	 * vmsi_slot_settle() brings it up to date.
	 */
	_Atomic size_t touched;
	/* Committed behind room, and used before; see surplus_lock. */
	_Atomic size_t surplus;
	_Atomic uint32_t use;    /* enum vmsi_slot_use */
	/* What is new gets no huge pages; several threads may set that of a run. */
	_Atomic bool plain;
	bool zeroed;             /* made by calloc */
	bool reclaimable;        /* the host may take the memory (MADV_FREE) */
	/* Has a hole that could not be mapped again; of a run, any thread's. */
	_Atomic bool lost;
	_Atomic bool changed;    /* see attributes.c; of a live slot */
	_Atomic uint64_t grown;  /* growths in place of the block */
	uint64_t freed_at;       /* milliseconds */
	struct vmsi_run *run;    /* of VMSI_SLOT_RUN */
	struct vmsi_slot *next, *previous; /* in a bin, or the unused slots */
	/* By age, of the retained and of those with a surplus. */
	struct vmsi_slot *older, *newer;
};

/* Retained slots by the memory that they have: four bins to a power of two. */
#define VMSI_HEAP_BINS (4 * 48)

struct vmsi_bins {
	uint64_t filled[VMSI_HEAP_BINS / 64];
	struct vmsi_slot *first[VMSI_HEAP_BINS];
};

struct vmsi_slot_class {
	uintptr_t base;
	unsigned shift;          /* of the bytes of a slot */
	uint32_t count;
	uint32_t begun;          /* slots that were ever used */
	struct vmsi_slot *slots;
	struct vmsi_slot *unused;
	struct vmsi_bins bins[2]; /* with huge pages, and without */
};

/*
 * The states of a block in a run; all changes but the last two of these are under
 * the lock of the run's class:
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
 * What the memory of a block in a run is. (A hole is not retained, and becomes
 * FRESH when it is handed out; the others are, as long as the block is free.)
 *
 *   FRESH ---- handed out ----> USED
 *   USED, FRESH -- given back -> HOLE   or FRESH, where the charge cannot go
 *   HOLE  ---- committed -----> FRESH
 */
enum vmsi_block_memory {
	VMSI_BLOCK_FRESH, /* committed, and zero */
	VMSI_BLOCK_USED,  /* committed, and may hold anything */
	VMSI_BLOCK_HOLE,  /* reserved: neither memory nor charge */
};

struct vmsi_block {
	uint32_t size;           /* asked for */
	uint16_t next;           /* free block below it in the stack, plus 1 */
	uint8_t use;             /* enum vmsi_block_use */
	uint8_t memory;          /* enum vmsi_block_memory */
	uint64_t freed_at;
};

/* The most blocks in a run: the smallest class in the smallest slots. */
#define VMSI_RUN_BLOCKS 1024

/* Runs of a class by what they have for the next block. */
enum vmsi_run_list {
	VMSI_RUNS_WARM, /* free blocks that are committed */
	VMSI_RUNS_COLD, /* only holes, or blocks that were never used */
	VMSI_RUN_LISTS,
	VMSI_RUNS_FULL = VMSI_RUN_LISTS, /* nothing; in no list */
};

/* The blocks of a slot that is a run. Guarded by the lock of its class. */
struct vmsi_run {
	struct vmsi_run *next, *previous; /* of its list */
	struct vmsi_slot *slot;
	uint32_t class;
	uint32_t count;          /* blocks that fit */
	uint32_t begun;          /* blocks that were ever used */
	uint32_t live;           /* of them, those that are not free */
	uint16_t free;           /* committed one that was freed last, plus 1 */
	uint16_t hole_blocks;    /* number of free blocks that are holes */
	uint8_t list;            /* enum vmsi_run_list */
	uint64_t collected, trimmed; /* latest pass that has seen it */
	uint64_t holes[VMSI_RUN_BLOCKS / 64]; /* a bit a block: free, and a hole */
	/* A bit a block: see attributes.c. Atomic. */
	uint64_t changed[VMSI_RUN_BLOCKS / 64];
	struct vmsi_block blocks[VMSI_RUN_BLOCKS];
};

struct vmsi_run_class {
	struct vmsi_lock lock;
	size_t size;             /* bytes of a block */
	struct vmsi_run *runs[VMSI_RUN_LISTS];
	_Atomic size_t live;     /* bytes that were asked for */
	_Atomic size_t blocks;   /* live ones */
};

struct vmsi_heap_counts {
	_Atomic uint64_t allocations;
	_Atomic uint64_t grown_in_place; /* of blocks that are gone */
	_Atomic uint64_t moves;
	_Atomic uint64_t moved_bytes;
	_Atomic uint64_t given_back;
	_Atomic uint64_t refusals;
};

struct vms_heap {
	vms_space *space;
	uintptr_t start;         /* of the addresses that are cut into slots */
	size_t length;
	bool huge_pages;
	bool huge_unasked;       /* the host gives them to any memory */
	size_t retain;           /* bytes at most */
	unsigned reclaimable_after, give_back_after; /* milliseconds */
	struct vmsi_slot_class classes[VMSI_HEAP_CLASSES]; /* small slots first */

	/*
	 * Of whoever makes a surplus less: the owner of the block, who makes it
	 * room; and who gives it back, for as long as that takes.
	 */
	struct vmsi_lock surplus_lock;
	struct vmsi_lock lock;   /* classes, and the lists of slots */
	struct vmsi_slot *oldest, *newest;
	struct vmsi_slot *lost;  /* slots with a hole, to be tried again */
	/* Bytes, of slots, surpluses and blocks in runs. */
	_Atomic size_t retained;
	_Atomic size_t used;     /* committed, of slots that are not retained */
	_Atomic size_t used_lately; /* the most of it, but for what is long ago */
	_Atomic uint64_t looked_at; /* when ages were last looked at */
	_Atomic uint64_t born;   /* no memory is older than this process */
	_Atomic unsigned locking; /* enum vmsi_heap_locking */
	/* How often of late blocks made by calloc were found full, or sparse. */
	_Atomic int density;
	/* Blocks of up to so many bytes are expected to be filled; density.c. */
	_Atomic size_t filled;
	/* The latest block that got small pages, if any; it may be gone. */
	struct vmsi_slot *_Atomic latest;

	/*
	 * Holes in runs, where neighbours are one, and how many there may be:
	 * each makes up to two more mappings of the host.
	 */
	_Atomic size_t holes;
	size_t holes_most;
	_Atomic uint64_t pass;   /* number of the latest pass over all runs */
	/*
	 * Of who commits ahead in a run, or takes that back. One for all: the
	 * calls on the space wait for each other anyway.
	 */
	struct vmsi_lock ahead_lock;
	struct vmsi_lock run_lock; /* records of runs */
	struct vmsi_pool run_pool;
	struct vmsi_run_class run_classes[VMSI_RUN_CLASSES];

	struct vmsi_heap_counts counts;
	size_t record_bytes;
	struct vms_heap *next;   /* in the registry; fork.c */
};

/* --- layout.c: which address is whose ------------------------------------- */

/* Cut a heap's addresses into slots. Returns 0 or -ENOMEM. */
int vmsi_heap_layout(struct vms_heap *heap, struct vmsi_range range);
void vmsi_heap_drop_layout(struct vms_heap *heap);

static inline bool vmsi_heap_has(const struct vms_heap *heap, const void *address)
{
	return (uintptr_t)address - heap->start < heap->length;
}

/* The class and slot of an address that the heap has. */
static inline struct vmsi_slot_class *
vmsi_class_of(struct vms_heap *heap, uintptr_t address)
{
	struct vmsi_slot_class *class = heap->classes;

	/* The smallest slots have the highest addresses. */
	while (address < class->base)
		class++;
	return class;
}

static inline struct vmsi_slot *vmsi_slot_of(struct vmsi_slot_class *class,
					     uintptr_t address)
{
	return &class->slots[(address - class->base) >> class->shift];
}

static inline size_t vmsi_slot_capacity(const struct vmsi_slot_class *class)
{
	return (size_t)1 << class->shift;
}

static inline uintptr_t vmsi_slot_start(const struct vmsi_slot_class *class,
					const struct vmsi_slot *slot)
{
	return class->base + ((uintptr_t)(slot - class->slots) << class->shift);
}

/* Whether any slot, taken or not, has so many addresses. */
static inline bool vmsi_heap_has_slots(const struct vms_heap *heap,
				       size_t addresses)
{
	for (unsigned i = 0; i < VMSI_HEAP_CLASSES; i++)
		if (heap->classes[i].count > 0 &&
		    addresses <= vmsi_slot_capacity(&heap->classes[i]))
			return true;
	return false;
}

struct vmsi_slot_class *vmsi_class_of_slot(struct vms_heap *heap,
					   const struct vmsi_slot *slot);

/* How many slots of a class were ever used: the others hold nothing. */
static inline uint32_t vmsi_class_begun(struct vms_heap *heap,
					const struct vmsi_slot_class *class)
{
	uint32_t begun;

	vmsi_lock_acquire(&heap->lock);
	begun = class->begun;
	vmsi_lock_release(&heap->lock);
	return begun;
}

/* Values that others only look at. */
static inline size_t vmsi_get(const _Atomic size_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static inline void vmsi_set(_Atomic size_t *value, size_t to)
{
	atomic_store_explicit(value, to, memory_order_relaxed);
}

static inline void vmsi_count(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static inline enum vmsi_slot_use vmsi_slot_use(const struct vmsi_slot *slot)
{
	return atomic_load_explicit(&slot->use, memory_order_relaxed);
}

static inline void vmsi_slot_set_use(struct vmsi_slot *slot,
				     enum vmsi_slot_use use)
{
	atomic_store_explicit(&slot->use, use, memory_order_relaxed);
}

/* --- density.c: what is filled, and so gets huge pages --------------------- */

/* For a block of malloc, and for a table of calloc. */
enum vmsi_purpose vmsi_purpose_of_block(struct vms_heap *heap, size_t size);
enum vmsi_purpose vmsi_purpose_of_zeroes(const struct vms_heap *heap);

/* A block of malloc that was handed out: others like it may learn from it. */
void vmsi_watch_block(struct vms_heap *heap, struct vmsi_slot *slot);

/* Of a block that is freed, before anything of it is changed. */
void vmsi_learn_density(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Whether at least half of the pages in the first bytes of a slot are in memory,
 * as far as a sample tells.
 */
bool vmsi_slot_is_dense(struct vms_heap *heap, const struct vmsi_slot *slot,
			size_t bytes);

/* --- grower.c ------------------------------------------------------------- */

/*
 * A busy slot for a block that moves there to grow to size: committed from
 * where what is held of it will end. The purpose is growth or warmth. NULL: no
 * slot, or no memory.
 */
struct vmsi_slot *vmsi_slot_take_grower(struct vms_heap *heap, size_t held,
					size_t size, bool plain,
					enum vmsi_purpose purpose);

/* The slot holds the block now; what it has beyond its growth is a surplus. */
void vmsi_slot_publish_grown(struct vms_heap *heap, struct vmsi_slot *slot,
			     size_t size);

/* --- fork.c --------------------------------------------------------------- */

void vmsi_heap_register(struct vms_heap *heap);
void vmsi_heap_unregister(struct vms_heap *heap);

/*
 * The heap that is registered next, of all where it is NULL; NULL: no more. The
 * caller holds vmsi_reclaim_lock, so that none is closed meanwhile.
 */
struct vms_heap *vmsi_heap_registered_after(const struct vms_heap *heap);

/* --- reclaim.c ------------------------------------------------------------ */

/* Give back what is retained when a request would be refused. */
void vmsi_heap_handle_refusals(void);

/* --- locks.c -------------------------------------------------------------- */

void vmsi_heap_lock_all(struct vms_heap *heap);
void vmsi_heap_unlock_all(struct vms_heap *heap);

/* In a child of fork, where nobody holds them: none is taken. */
void vmsi_heap_renew_locks(struct vms_heap *heap);

/* --- check.c -------------------------------------------------------------- */

/*
 * Check the invariants of docs/invariants.md that the locks guard. Returns NULL
 * or which of them does not hold. Takes every lock of the heap.
 */
const char *vmsi_heap_check(struct vms_heap *heap);

/*
 * Check that what the heap's space is charged is the sum over slots and the
 * blocks in runs. No other thread may use the heap meanwhile.
 */
const char *vmsi_heap_check_charge(struct vms_heap *heap);

/* In debug builds the end of the program where one does not hold. */
void vmsi_heap_verify(struct vms_heap *heap);

#endif
