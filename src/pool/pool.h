/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_POOL_H
#define VMSI_POOL_POOL_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/pool.h>
#include <vmspace/pool_plain.h>
#include <vmspace/pool_stats.h>

#include "base/align.h"
#include "base/lock.h"
#include "pager/pager.h"
#include "pool/area/area.h"
#include "pool/evict/ghost.h"
#include "pool/latch.h"
#include "pool/plain/ahead.h"
#include "pool/plain/landing.h"
#include "pool/plain/outlet.h"
#include "pool/snapshot/snapshot.h"
#include "pool/store.h"
#include "pool/word.h"

/*
 * What the files of src/pool share. The memory of a pool is one space:
 *
 *   | words | touched | free | aside | slots | ghost | copies | flights | head | staging |
 *   | landing | memory |
 *
 * words     one a page, for the most pages that there can ever be
 * touched   a bit for each host page of words, and of free: whether it was ever used, and
 *           so counts
 * free      a bit a page, for vms_pool_allocate
 * aside     which pages were put aside, if there is a store for that
 * slots     the records of slots, for the most RAM that there can ever be
 * copies    what is known of a batch that is being written
 * flights   of pages that are being read ahead
 * head      what is before these in the area, with VMS_POOL_WHOLE_PAGES
 * staging   the bytes of a batch that is being written
 * landing   where pages are read to that come by faults (VMS_POOL_TRANSPARENT)
 * memory    of frames, slot s at s pages behind its beginning; VMS_POOL_ADDRESSED: of
 *           pages, page n at n pages behind it
 *
 * A slot is room for one page. The states of a slot (all edges under the pool's lock):
 *
 *            vmsi_room_take                     vmsi_room_take
 *   UNMADE ------------------+        FREE ------------------+
 *      ^                     v         ^                     v
 *      |                   USED        |                   USED
 *      +---------------------+---------+
 *        vmsi_room_give: UNMADE where there are more slots than the RAM has room for
 *
 * A slot that is used is in a queue, from the moment at which somebody has made its
 * page's word busy to bring the page in. The page's word names the slot only when the
 * page is there.
 */

#define VMSI_LINE 64

/* Pages of a batch, at most: of evictions, and of writes. */
#define VMSI_EVICT_BATCH 64
#define VMSI_WRITE_BATCH 256

/* No slot, and no page. */
#define VMSI_NO_SLOT UINT32_MAX
#define VMSI_NO_PAGE UINT64_MAX

/* The first lsn of a page that has no change with a number. */
#define VMSI_NO_LSN UINT64_MAX

/* Slots that there must be room for. */
#define VMSI_SLOTS_LEAST 16

enum vmsi_queue_name {
	VMSI_SMALL,      /* pages that came lately */
	VMSI_MAIN,       /* pages that were used again */
	VMSI_LENT,       /* pages that may only be read: aside/lend.h */
	VMSI_FREE,
	VMSI_UNMADE,     /* made once and given back */
	VMSI_QUEUES,
};

struct vmsi_page_slot {
	_Atomic uint64_t page;       /* VMSI_NO_PAGE: none; written under the lock */
	/*
	 * The first number of a change since the page was copied to be written, and the
	 * last of all. The first is made smaller by who has the page, and by a write
	 * that has failed; it is taken away by who copies it.
	 */
	_Atomic uint64_t first_lsn;
	_Atomic uint64_t last_lsn;
	/* Under the pool's lock. */
	uint32_t next, previous; /* of the first slot previous says nothing */
	/* Written under it. Who brings a page asks whether its slot is lent. */
	_Atomic enum vmsi_queue_name queue;
	/* Of the pool, not of this slot: see trail of struct vms_pool. */
	uint32_t came;
};

struct vmsi_queue {
	uint32_t first, last;
	uint32_t count;
};

/* A batch that is being written. */
struct vmsi_copies {
	uint64_t pages[VMSI_WRITE_BATCH];
	uint64_t first_lsns[VMSI_WRITE_BATCH];
	size_t count;
	union {
		struct vmsi_io_request runs[VMSI_WRITE_BATCH];
		struct vmsi_aside_record lsns[VMSI_WRITE_BATCH]; /* of what goes aside */
	};
	size_t run_count;
};

/* A page that is being read while its thread does something else. */
struct vmsi_flight {
	struct vmsi_io_request request;
	struct vms_pool *pool;
	uint64_t page;
	uint64_t began;             /* as vmsi_miss_clock tells */
	uint32_t slot;
	struct vmsi_landed landed; /* where it is read to, if not to its slot */
	struct vmsi_flight *next;  /* that is free */
};

/* Figures that threads count by themselves; a thread keeps to one of these. */
#define VMSI_STRIPES 16

struct vmsi_stripe {
	_Alignas(VMSI_LINE) _Atomic uint64_t hits;
	_Atomic uint64_t misses;
	_Atomic uint64_t waits;
	_Atomic uint64_t reads;
	_Atomic uint64_t begun;        /* misses; one in VMS_POOL_TIMED is timed */
	_Atomic uint64_t nanoseconds;  /* of these */
	_Atomic uint64_t times[VMS_POOL_TIMES];
};

struct vms_pool {
	/* In one line: all that a fix of a page that is there reads. */
	struct vms_pool_view view;
	unsigned flags;
	char rest_of_line[VMSI_LINE - sizeof(struct vms_pool_view) - sizeof(unsigned)];

	/* Written before the pool is known to anybody. */
	struct vmsi_page_slot *slots;
	char *staging;
	struct vmsi_area_head *head; /* right before staging; NULL: no area */
	struct vmsi_copies *copies;  /* under write_lock, as staging is */
	struct vmsi_flight *flights;
	unsigned depth;          /* how many of these there are */
	_Atomic uint64_t *touched;
	uint64_t *free_bits;
	size_t page_size;
	size_t record_bytes;     /* of this struct */
	size_t staging_pages;    /* at most VMSI_WRITE_BATCH */
	uint64_t pages_most;
	uint32_t slots_most;     /* with those that are lent */
	uint32_t lent_most;      /* slots beyond the limit that are only lent */
	size_t ram_most;
	size_t fixed_bytes;      /* of what is neither slots nor words that are touched */
	size_t prepaid_bytes;    /* of words, that count whether they are touched or not */
	size_t swap_asked;       /* RAM of the store for what is aside; 0: a part */
	size_t swap_least;       /* what it needs at least; 0: there is no such store */
	vms_space *space;
	struct vms_budget *budget;
	vms_pool_make_durable make_durable;
	void *context;
	uintptr_t slots_start, memory_start;
	size_t memory_bytes;

	struct vmsi_store store;
	struct vmsi_area area;   /* under write_lock */
	/* VMS_POOL_TRANSPARENT, as the flag ADDRESSED then is. */
	struct vmsi_pager pager;
	struct vmsi_landing landing;
	struct vmsi_outlet outlet; /* under write_lock */
	uint32_t reach_most;     /* pages that one fault brings, at most */
	_Atomic uint64_t faults, read_ahead;
	struct vmsi_snapshots snapshots;
	_Atomic bool is_orphan;  /* in the child of a fork, or half closed */
	bool is_charged;
	_Atomic uint64_t durable;

	/* Guards slots' queues and what follows. Held for a moment. */
	_Alignas(VMSI_LINE) struct vmsi_latch lock;
	struct vmsi_queue queues[VMSI_QUEUES];
	uint32_t made;           /* slots that were ever made: the ones below it */
	/*
	 * The slots that came to the small queue, in this order, are noted round and round
	 * in `came` of those that were made, up to this one. So whoever looks at the queue
	 * knows what comes there without going from slot to slot. It is a guess: a slot that
	 * has left from amidst the queue is there still.
	 */
	uint32_t trail;
	uint32_t limit;          /* slots that the RAM has room for */
	bool has_gaps;           /* frames have been given back, and have no huge pages */
	struct vmsi_ghost ghost;
	struct vmsi_flight *free_flight;
	struct vmsi_ahead ahead;
	size_t touched_bytes;    /* of words beyond prepaid_bytes, and of free bits */
	uint64_t evictions, ghost_hits;
	_Atomic uint32_t lends_left; /* pages that are lent a slot at once, without more ado */

	size_t ram;
	_Atomic bool is_resizing; /* somebody is in vms_pool_set_ram */

	/* Guards how many pages there are, and what follows. Taken before lock. */
	struct vmsi_lock size_lock;
	uint64_t free_pages;     /* bits that are set in free_bits, and fresh pages */
	uint64_t free_from;      /* no page below has its bit set */
	/*
	 * Pages that are free since a growth has made them, and have no bit: from the first
	 * that nobody has had. They would be an eighth of all bits.
	 */
	uint64_t fresh, fresh_end;

	/* Who makes the file durable. Taken before write_lock. */
	struct vmsi_lock sync_lock;

	/* Who writes. Taken before lock, and held while pages are written. */
	struct vmsi_lock write_lock;
	_Atomic int broken;      /* errno for ever, after the file could not be synced */
	size_t records_bytes;    /* of what is known of places aside, that count */
	_Atomic uint64_t pages_aside; /* that were put there */
	_Atomic uint64_t pages_written, write_errors, for_room, syncs, held_back;
	_Atomic uint64_t area_batches;

	/* The thread that writes. */
	pthread_t writer;
	bool has_writer;
	_Atomic uint32_t writer_calls;  /* changes when there is something to do */
	_Atomic bool writer_ends;

	uint64_t number;         /* by the order in which pools were opened, from 1 */
	char name[VMS_NAME_MAX + 1];
	struct vms_pool *next;   /* in the list of all pools */
	bool is_opening;         /* under the lock of the list */
	struct vmsi_stripe stripes[VMSI_STRIPES];
};

_Static_assert(offsetof(struct vms_pool, slots) == VMSI_LINE, "a line of its own");
_Static_assert(VMSI_WRITE_BATCH <= VMSI_AREA_BATCH_MOST, "a batch fits into the area");

static inline bool vmsi_pool_has(const struct vms_pool *pool, unsigned flag)
{
	return pool->flags & flag;
}

static inline uint64_t *vmsi_pool_word(const struct vms_pool *pool, uint64_t page)
{
	return &pool->view.words[page];
}

static inline uint64_t vmsi_pool_count(const struct vms_pool *pool)
{
	return __atomic_load_n(&pool->view.pages, __ATOMIC_ACQUIRE);
}

static inline struct vmsi_page_slot *vmsi_pool_slot(const struct vms_pool *pool, uint64_t word)
{
	return &pool->slots[vmsi_word_slot(word, pool->view.version_shift)];
}

/* Where a page is that has a slot. */
static inline char *vmsi_pool_at(const struct vms_pool *pool, uint64_t page,
				 uint64_t slot)
{
	const struct vms_pool_view *view = &pool->view;

	return view->memory +
		(((slot & view->slot_mask) + (page & view->page_mask)) <<
		 view->page_shift);
}

static inline char *vmsi_pool_at_word(const struct vms_pool *pool, uint64_t page,
				      uint64_t word)
{
	return vmsi_pool_at(pool, page, word >> VMS_POOL_WORD_SLOT_SHIFT);
}

/* Whether the calling process has the pool as a snapshot, or cannot have it so. */
static inline bool vmsi_pool_is_snapshot(const struct vms_pool *pool)
{
	return pool->snapshots.is_child;
}

/*
 * In the child of a fork: make the pool what it was, at the first call. Returns 0, or
 * -errno, -EBADF where the child has none.
 */
int vmsi_pool_wake(const struct vms_pool *pool);

/* 0, or -errno in the child of a fork. */
static inline int vmsi_pool_enter(const struct vms_pool *pool)
{
	return atomic_load_explicit(&pool->is_orphan, memory_order_acquire) ?
		vmsi_pool_wake(pool) : 0;
}

/* The same, and -ERANGE where there is no such page. */
static inline int vmsi_pool_enter_page(const struct vms_pool *pool, uint64_t page)
{
	int error;

	if (page < vmsi_pool_count(pool))
		return 0;
	error = vmsi_pool_enter(pool);
	if (error)
		return error;
	return page < vmsi_pool_count(pool) ? 0 : -ERANGE;
}

/*
 * Where the figures of this thread are among the stripes of any pool, in bytes and one
 * more; 0: none has been taken. The initial-exec model never calls malloc.
 */
extern _Thread_local uintptr_t vmsi_pool_place
	__attribute__((tls_model("initial-exec"), visibility("hidden")));
/* Where errno of this thread is, once a place has been taken. */
extern _Thread_local int *vmsi_pool_errno
	__attribute__((tls_model("initial-exec"), visibility("hidden")));
void vmsi_pool_take_place(void);

static inline bool vmsi_pool_has_place(void)
{
	return __builtin_expect(vmsi_pool_place != 0, 1);
}

/*
 * errno, without the call of libc by which a thread finds it: that is two pages, of code
 * and of data, which a miss needs for nothing else.
 */
static inline int *vmsi_pool_errno_place(void)
{
	if (!vmsi_pool_has_place())
		vmsi_pool_take_place();
	return vmsi_pool_errno;
}

/* Of a thread that has a place. */
static inline struct vmsi_stripe *vmsi_pool_own_stripe(struct vms_pool *pool)
{
	return (struct vmsi_stripe *)((char *)pool->stripes + vmsi_pool_place - 1);
}

static inline struct vmsi_stripe *vmsi_pool_stripe(struct vms_pool *pool)
{
	if (!vmsi_pool_has_place())
		vmsi_pool_take_place();
	return vmsi_pool_own_stripe(pool);
}

/* Not one operation, and lost at times where threads share a stripe: near enough. */
static inline void vmsi_pool_tally(_Atomic uint64_t *figure, uint64_t more)
{
	atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) +
			      more, memory_order_relaxed);
}

/* Read pages side by side, as the store has them, and count the host's call. */
static inline int vmsi_pool_read(struct vms_pool *pool, uint64_t page, size_t count,
				 char *buffer)
{
	bool was_read;
	const int error = vmsi_store_read(&pool->store, buffer,
					  count << pool->view.page_shift,
					  page << pool->view.page_shift, &was_read);

	if (was_read)
		vmsi_pool_tally(&vmsi_pool_stripe(pool)->reads, 1);
	return error;
}

static inline void vmsi_pool_add(_Atomic uint64_t *figure, uint64_t more)
{
	(void)atomic_fetch_add_explicit(figure, more, memory_order_relaxed);
}

#endif
