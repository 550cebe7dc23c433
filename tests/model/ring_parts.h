/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_RING_PARTS_H
#define VMSI_TESTS_RING_PARTS_H

#include "ring/ring.h"
#include "ring_schedule.h"

/*
 * A ring of a page for ring_calls_explorer.c, in memory that is a part of the state, and
 * what processes have of their own, which each run makes anew. The host's calls that sleep
 * and wake are those of the schedule.
 */

#define CAPACITY 4096u

/* The control words; the data lie behind them. */
extern struct vmsi_ring_control *control;

/* A part: what a process has of its own. */
extern struct vms_ring parts[SCHEDULE_THREADS];

/* The number that each consumer of a broadcast begins with. */
extern uint64_t first_number[SCHEDULE_THREADS];

void parts_map(void);

/* Make a part; and begin with it, in a thread, where the ring is. */
void parts_make(unsigned i, enum vms_ring_kind kind, unsigned flags);
void parts_begin(struct vms_ring *ring);

/* From now on, commit a record by that part at each step of another one. NULL: no more. */
void parts_hurry(struct vms_ring *ring);

/* Commit one now. */
void parts_write(struct vms_ring *ring);

#endif
