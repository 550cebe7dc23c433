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

/* What a budget consists of, and the lock over it. For this room and its tests. */

struct vms_budget {
	/*
	 * Of a shared budget only charged is used: what this process has
	 * charged. Its slot says the same; that is for the others.
	 */
	struct vmsi_ledger ledger;
	struct vms_budget *parent;
	size_t by_hand;                /* bytes, by vms_budget_charge */
	unsigned users;                /* spaces, and budgets below */
	/* By identity; what is charged for them is in the ledger, too. */
	struct vmsi_held *held[VMSI_HELD_BUCKETS];
	struct vmsi_pool held_pool;
	vms_budget_callback callback;
	void *context;
	char name[VMS_NAME_MAX + 1];

	/* Of a shared budget. */
	struct vmsi_budget_shared *shared; /* NULL: not a shared one */
	bool is_published;             /* by this process; see publish */
	int fd;                        /* to be passed on */
	int lock_fd;                   /* holds the slot's lock; -1: no slot */
	unsigned slot;
	/* Of the slot that fork has got for a child; -1: none. */
	int child_fd;
	unsigned child_slot;
	uint64_t places[VMSI_BUDGET_OBJECTS / 64]; /* a bit for each in use */
	size_t in_places;              /* bytes of objects that have a place */
	uint32_t *table;               /* for sums over objects; distinct.h */
	/* The latest exact sum; right while the head's changes is sums_of. */
	bool sums_known;
	struct vmsi_object_sums sums;
	uint64_t sums_of;
	/* 1 in a process that has joined it. The kernel wipes the page on fork. */
	_Atomic unsigned *joined;
	struct vms_budget *next;       /* in vmsi_budget_shared_list */
};

/* A zeroed record; NULL: no memory. budget.c */
struct vms_budget *vmsi_budget_make(void);
void vmsi_budget_drop(struct vms_budget *budget);

/* --- entry.c ------------------------------------------------------------- */

/*
 * One lock for all budgets of the process, so that a charge is made at all
 * levels or at none for everyone to see. It guards all fields that change.
 */
extern struct vmsi_lock vmsi_budget_lock;

/*
 * Take the lock for an operation on a budget and its parents. In a child that
 * fork handlers did not reach, a shared one among them is joined first.
 */
void vmsi_budget_enter(struct vms_budget *budget);
void vmsi_budget_leave(void);

/* The convention of the public calls: 0, or -1 and errno. */
int vmsi_budget_status(int error);

#endif
