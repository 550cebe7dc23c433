/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_RECORD_H
#define VMSI_BUDGET_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <vmspace/budget.h>

#include "base/lock.h"
#include "base/pool.h"
#include "budget/places.h"
#include "budget/shared.h"
#include "commit/commit.h"

/* A budget and the lock over all of them. */

struct vms_budget {
	/*
	 * Of a shared budget, ledger.charged is what this process has charged,
	 * and its slot repeats that for others. The limit is in the shared
	 * head.
	 */
	struct vmsi_ledger ledger;
	struct vms_budget *parent;
	size_t by_hand;                /* bytes charged by vms_budget_charge */
	unsigned users;                /* how many spaces, and budgets below */
	struct vmsi_held *held[VMSI_HELD_BUCKETS]; /* by identity; see held.h */
	struct vmsi_pool held_pool;
	vms_budget_callback callback;
	void *context;
	unsigned running;              /* calls of it that are under way */
	bool is_closing;               /* vms_budget_close waits for those calls */
	size_t soft_limit;             /* bytes; 0: none */
	bool is_passed;                /* more is charged than that */
	uint64_t number;               /* no other budget of the process has it */
	struct vms_budget *next_of_all;
	size_t own;                    /* bytes; of round.c */
	char name[VMS_NAME_MAX + 1];

	/* Of a shared budget only; layout in shared.h. */
	struct vmsi_budget_shared *shared; /* NULL: not a shared one */
	bool is_published;             /* vmsi_budget_publish was called */
	int fd;                        /* what vms_budget_fd answers */
	int lock_fd;                   /* has the slot's lock; -1: no slot */
	unsigned slot;
	int child_fd;                  /* a child's lock_fd, in fork; or -1 */
	unsigned child_slot;
	uint64_t places[VMSI_BUDGET_OBJECTS / 64]; /* a bit for each in use */
	size_t in_places;              /* bytes of the objects in them */
	uint32_t *table;               /* of distinct.h */
	struct vmsi_object_sums sums;  /* the latest sum over objects */
	bool sums_known;               /* it was exact, */
	uint64_t sums_of;              /* while the head's changes was this */
	/* 1. The kernel wipes the page on fork: 0 says to join. */
	_Atomic unsigned *joined;
	struct vms_budget *next;       /* in vmsi_budget_shared_list */
};

/* Map a zeroed record; NULL: no memory. Unmap it. budget.c */
struct vms_budget *vmsi_budget_make(void);
void vmsi_budget_drop(struct vms_budget *budget);

/* --- entry.c ------------------------------------------------------------- */

/*
 * One lock for all budgets of the process, so that nobody sees a charge made at
 * some levels only. It guards all fields that change.
 */
extern struct vmsi_lock vmsi_budget_lock;

/*
 * Take the lock for an operation on a budget and its parents. A child without
 * fork handlers joins the shared one among them first.
 */
void vmsi_budget_enter(struct vms_budget *budget);
void vmsi_budget_leave(void);

/* The convention of the public calls: 0, or -1 and errno. */
int vmsi_budget_status(int error);

#endif
