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

enum vmsi_slot_use {
	VMSI_SLOT_UNUSED,   /* reserved; on the list of unused slots, or behind */
	VMSI_SLOT_BUSY,     /* taken out of every list by the thread that changes it */
	VMSI_SLOT_LIVE,     /* holds a block of the program */
	VMSI_SLOT_RETAINED, /* freed, its memory is kept for the next block */
	VMSI_SLOT_RUN,
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

enum vmsi_block_use {
	VMSI_BLOCK_UNUSED,
	VMSI_BLOCK_BUSY, /* taken out of the free ones by a thread that changes it */
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
	/* Of who commits ahead in a run of the class, or takes that back. */
	struct vmsi_lock ahead_lock;
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

/* --- slot.c: the memory of a busy or live slot ---------------------------- */

/*
 * How much to commit: exactly; or ahead of a block that grows and is written
 * there next.
 */
enum vmsi_commit { VMSI_COMMIT_EXACT, VMSI_COMMIT_GROWTH };

/* How far to commit for something that grows and has come to so many bytes. */
size_t vmsi_commit_ahead(const struct vms_heap *heap, size_t bytes);

/*
 * See to it that bytes of a slot that is no run are committed. Nobody is asked
 * for memory when that is refused; see request.h. Returns 0 or -ENOMEM.
 */
int vmsi_slot_commit(struct vms_heap *heap, struct vmsi_slot *slot,
		     size_t bytes, enum vmsi_commit how);

/* Likewise, but for what is before an offset, which the caller will move there. */
int vmsi_slot_commit_from(struct vms_heap *heap, struct vmsi_slot *slot,
			  size_t from, size_t bytes, enum vmsi_commit how);

/* How far a slot is committed for a block that grows, of what it has. */
size_t vmsi_slot_growth_room(const struct vms_heap *heap,
			     struct vmsi_slot *slot, size_t bytes);

/* The slot is not retained, and so what it has counts as used. */
void vmsi_slot_set_room(struct vms_heap *heap, struct vmsi_slot *slot,
			size_t room);

/* What went back: neither pages nor charge, or the pages only. */
enum vmsi_gave { VMSI_GAVE_NOTHING, VMSI_GAVE_PAGES, VMSI_GAVE_ALL };

/*
 * A part of a slot that lost its memory, and may be a hole in the space, is
 * reserved again. Returns 0 or -errno; the slot is lost then.
 */
int vmsi_slot_reserve_again(struct vms_heap *heap, struct vmsi_slot *slot,
			    uintptr_t start, size_t length);

/* Give committed memory of a slot back; its fields stay as they are. */
enum vmsi_gave vmsi_slot_give_range_back(struct vms_heap *heap,
					 struct vmsi_slot *slot, size_t from,
					 size_t to);

/* Give memory and commit back from an offset on, which is on a page. */
void vmsi_slot_give_back(struct vms_heap *heap, struct vmsi_slot *slot,
			 size_t from);

/* Count what the block may have written as touched. */
void vmsi_slot_settle(struct vmsi_slot *slot);

/*
 * Reserve a slot anew that has a hole, or may have one. It has no memory then.
 * Returns whether that was done; else the slot is lost.
 */
bool vmsi_slot_mend(struct vms_heap *heap, struct vmsi_slot *slot);

/* The touched memory of a busy slot reads as zeroes, and stays committed. */
void vmsi_slot_clear(struct vms_heap *heap, struct vmsi_slot *slot);

/* Use huge pages, or not, for all of a slot. */
void vmsi_slot_set_plain(struct vms_heap *heap, struct vmsi_slot *slot,
			 bool plain);

/*
 * Move the pages of a block to the start of a larger slot, which is busy. The
 * old slot is left without memory. Returns 0 or -errno: the block is as before,
 * the larger slot without memory.
 */
int vmsi_slot_move(struct vms_heap *heap, struct vmsi_slot *from,
		   struct vmsi_slot *to);

/*
 * Likewise from a block in a run. The memory of its old place stays committed,
 * and is zero; or it is a hole, to be renewed.
 */
enum vmsi_left { VMSI_LEAVE_ZERO, VMSI_LEAVE_HOLE };
int vmsi_slot_move_block(struct vms_heap *heap, uintptr_t block, size_t length,
			 struct vmsi_slot *to, enum vmsi_left left);

/* --- attributes.c, memlock.c: what the program does to its memory ---------- */

static inline bool vmsi_slot_is_changed(const struct vmsi_slot *slot)
{
	return atomic_load_explicit(&slot->changed, memory_order_relaxed);
}

static inline void vmsi_slot_set_changed(struct vmsi_slot *slot, bool changed)
{
	atomic_store_explicit(&slot->changed, changed, memory_order_relaxed);
}

/*
 * A busy slot, the surplus of which was taken, loses its memory if the program
 * has changed it or locks all memory. Where the host refuses, the slot is lost.
 */
void vmsi_slot_renew(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Whether a block of a run is to be moved with what the program has made of its
 * memory, or with locks. Its old place is renewed when it is freed then.
 */
bool vmsi_run_moves_changed(const struct vms_heap *heap, struct vmsi_run *run,
			    unsigned index);

/*
 * Likewise the memory of a busy block in a run, which stays committed if the host
 * lets it. Returns false where the host refuses: nobody may get the block.
 */
bool vmsi_run_renew(struct vms_heap *heap, struct vmsi_run *run,
		    unsigned index, uintptr_t address);

/* Whether blocks that are made are locked. */
bool vmsi_heap_locks_new(const struct vms_heap *heap);

/* If they are, lock what was committed. Returns 0, or -ENOMEM. */
int vmsi_heap_lock_new(struct vms_heap *heap, uintptr_t start, size_t length);

/* Before memory is given back that may be locked. */
void vmsi_heap_unlock(struct vms_heap *heap, uintptr_t start, size_t length);

/* After addresses were reserved anew, which MCL_FUTURE has locked. */
void vmsi_heap_unlock_reserved(struct vms_heap *heap, uintptr_t start,
			       size_t length);

/* --- retain.c: slots that are free ---------------------------------------- */

enum vmsi_purpose {
	VMSI_FOR_BLOCK,  /* of the given size, that may be touched sparsely */
	VMSI_FOR_FULL_BLOCK, /* likewise, that will be written from end to end */
	VMSI_FOR_GROWTH, /* of a block that will grow on */
	VMSI_FOR_WARMTH, /* likewise, and only what is retained */
	VMSI_FOR_ZEROES, /* that may be touched here and there only */
};

/*
 * A busy slot of at least so many addresses; one that has memory from its last
 * block, where that is of use for so many bytes. NULL: all slots are taken.
 */
struct vmsi_slot *vmsi_slot_take(struct vms_heap *heap, size_t addresses,
				 size_t bytes, enum vmsi_purpose purpose);

/* A slot that is no longer busy: to be retained, or unused if it has no memory. */
void vmsi_slot_put(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Before the room of a live slot is changed: its surplus becomes room. Afterwards
 * the block may leave what it does not need yet; it must be live. freed_at stays
 * as it was when the slot was taken.
 */
void vmsi_slot_take_surplus(struct vms_heap *heap, struct vmsi_slot *slot);
void vmsi_slot_leave_surplus(struct vms_heap *heap, struct vmsi_slot *slot);

uint64_t vmsi_heap_now(void); /* milliseconds */

/* Look at ages, at most every so often; now is vmsi_heap_now(). */
void vmsi_heap_age(struct vms_heap *heap, uint64_t now);

/* What bins and ages are wrong in; NULL: nothing. Under heap->lock. */
const char *vmsi_heap_check_retained(struct vms_heap *heap, size_t *bytes);

/* Give back all that is retained. Returns the bytes. */
size_t vmsi_heap_collect_all(struct vms_heap *heap);

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

/* --- run.c: blocks of up to VMSI_RUN_MOST --------------------------------- */

void vmsi_runs_init(struct vms_heap *heap);
void vmsi_runs_release(struct vms_heap *heap);

/* A block of a run; NULL: no memory. */
void *vmsi_run_alloc(struct vms_heap *heap, size_t size, bool zeroed);
void vmsi_run_free(struct vms_heap *heap, struct vmsi_slot *slot,
		   uintptr_t address);
void *vmsi_run_realloc(struct vms_heap *heap, struct vmsi_slot *slot,
		       uintptr_t address, size_t size);
size_t vmsi_run_usable(struct vms_heap *heap, struct vmsi_slot *slot,
		       uintptr_t address);

/*
 * Give back, with their charge, free blocks that were freed before a time, and
 * runs that have nothing else; what is committed ahead of need too, where the
 * time is UINT64_MAX. Returns the bytes. (run_collect.c)
 */
size_t vmsi_runs_collect(struct vms_heap *heap, uint64_t before);

/*
 * What runs are wrong in; NULL: nothing. Adds what is retained. Under the locks
 * of all classes. (run_blocks.c)
 */
const char *vmsi_heap_check_runs(struct vms_heap *heap, size_t *bytes);

/* --- heap.c: slots of blocks ---------------------------------------------- */

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

/* Give back what is retained when a request would be refused (reclaim.c). */
void vmsi_heap_handle_refusals(void);

void vmsi_heap_lock_all(struct vms_heap *heap);
void vmsi_heap_unlock_all(struct vms_heap *heap);

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
