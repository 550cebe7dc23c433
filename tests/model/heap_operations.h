/* SPDX-License-Identifier: MIT */
#ifndef HEAP_OPERATIONS_H
#define HEAP_OPERATIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <vmspace.h>

#include "../kernel/random.h"
#include "arguments.h"
#include "heap_blocks.h"

/*
 * Random calls on a heap, each followed by a comparison with what the blocks must
 * hold. Several threads make them at the same time.
 */

#define BLOCKS 12
#define THREADS_MOST 3

struct worker {
	pthread_t id;
	unsigned number;
	struct random random;
	struct heap_block blocks[BLOCKS];
	char last[120];          /* the operation, for messages */
};

struct heap_model {
	vms_heap *heap;
	struct worker workers[THREADS_MOST];
	unsigned threads;
	bool faults;             /* the host fails in this round */
	bool narrow;             /* addresses may be used up */
	bool strict;             /* the machine may refuse memory */
	bool none_retained;
	/* Blocks that one thread leaves for another. */
	pthread_mutex_t lock;
	struct heap_block handed[BLOCKS];
	unsigned long step, round;
	atomic_ulong refused, moved;
	atomic_bool failed;
	char failure[400];
};

extern struct heap_model run;
extern struct arguments given;

/* Make one random call and compare. */
void operate(struct worker *worker);

/* Compare the heap's charge, which is exact with one thread and no faults. */
void check_charge(struct worker *worker);

/* Compare a block's contents, then free it. */
void do_free(struct worker *worker, struct heap_block *block);

#endif
