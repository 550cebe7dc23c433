/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_LOCK_H
#define VMSI_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>

/*
 * Mutexes with ranks. A thread may take a lock only if its rank is above the
 * rank of every lock that it holds; debug builds check that. docs/locks.md
 * tells which lock guards what.
 */

enum vmsi_lock_rank {
	VMSI_RANK_RECLAIM = 5,   /* held while heaps give memory back */
	VMSI_RANK_REGISTRY = 10, /* the list of all spaces */
	VMSI_RANK_COMMIT = 11,   /* of an atomic file: who commits */
	VMSI_RANK_FILE_SIZING = 12, /* a mapped file: who makes it shorter */
	VMSI_RANK_FILE_SYNC = 12, /* of who makes a mapped file durable */
	VMSI_RANK_FILE = 13,     /* a mapped file: its size, its windows */
	VMSI_RANK_STACKS = 14,   /* a pool of stacks: what is made, and collecting */
	VMSI_RANK_CODE = 14,     /* a pool of code: its chunks, blocks, names */
	VMSI_RANK_SHARE = 14,    /* a share: what this process uses, and its size */
	VMSI_RANK_POOL_SIZE = 14, /* a pool of pages: how many there are, which are free */
	VMSI_RANK_POOL_SYNC = 14, /* a pool of pages: who makes its file durable */
	VMSI_RANK_POOL_WRITE = 15, /* a pool of pages: who writes */
	VMSI_RANK_AGES = 15,     /* a heap: retained memory, see struct vmsi_ages */
	VMSI_RANK_AHEAD = 16,    /* a heap: what runs have committed ahead */
	VMSI_RANK_POOL = 17,     /* a pool of pages: its slots and queues */
	VMSI_RANK_SPACE = 20,    /* a space: its map, ledger, objects, handles */
	VMSI_RANK_BUDGET = 30,   /* all budgets of the process */
	VMSI_RANK_SWAP = 70,     /* a swap store: what is where */
	VMSI_RANK_IO = 80,       /* what is in flight, and who waits for it */
	VMSI_RANK_LEAF = 90,     /* locks under which no other is taken */
};

/*
 * A lock of another kind that has a rank is about to be taken, or to be released. Debug
 * builds look at the rank.
 */
#ifdef VMSI_DEBUG
void vmsi_rank_acquired(enum vmsi_lock_rank rank);
void vmsi_rank_released(enum vmsi_lock_rank rank);

/* Whether this thread holds a lock; only debug builds know. */
bool vmsi_rank_is_held(void);
#else
static inline void vmsi_rank_acquired(enum vmsi_lock_rank rank)
{
	(void)rank;
}

static inline void vmsi_rank_released(enum vmsi_lock_rank rank)
{
	(void)rank;
}

static inline bool vmsi_rank_is_held(void)
{
	return false;
}
#endif

struct vmsi_lock {
	pthread_mutex_t mutex;
	enum vmsi_lock_rank rank;
};

#define VMSI_LOCK_INITIALIZER(lock_rank) \
	{ .mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (lock_rank) }

void vmsi_lock_init(struct vmsi_lock *lock, enum vmsi_lock_rank rank);
void vmsi_lock_acquire(struct vmsi_lock *lock);
void vmsi_lock_release(struct vmsi_lock *lock);

/* Acquire, if nobody has it; false: somebody has. */
bool vmsi_lock_try(struct vmsi_lock *lock);

/*
 * Acquire and release without the rank check, for fork handlers, which take all
 * locks of one rank. In the child vmsi_lock_init makes the lock anew instead.
 */
void vmsi_lock_acquire_any(struct vmsi_lock *lock);
void vmsi_lock_release_any(struct vmsi_lock *lock);

/*
 * pthread_cond_wait(3), but no thread ends here that is cancelled (pthread_cancel(3)):
 * it would leave the mutex locked, and what it was about to do undone.
 */
void vmsi_wait_for_change(pthread_cond_t *changed, pthread_mutex_t *mutex);

#endif
