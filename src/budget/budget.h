/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_BUDGET_H
#define VMSI_BUDGET_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <vmspace/budget.h>

#include "base/lock.h"
#include "budget/shared.h"
#include "commit/commit.h"

/* The budget room; the second half is for spaces. */

struct vms_budget {
	/*
	 * Of a shared budget only charged is used: what this process has
	 * charged. Its slot says the same; that is for the others.
	 */
	struct vmsi_ledger ledger;
	struct vms_budget *parent;
	size_t by_hand;                /* bytes, by vms_budget_charge */
	unsigned users;                /* spaces, and budgets below */
	vms_budget_callback callback;
	void *context;
	char name[VMS_NAME_MAX + 1];

	/* Of a shared budget. */
	struct vmsi_budget_shared *shared; /* NULL: not a shared one */
	bool is_published;             /* by this process; see publish */
	int fd;                        /* to be passed on */
	int lock_fd;                   /* holds the slot's lock; -1: no slot */
	unsigned slot;
	_Atomic unsigned *settled;     /* wiped by fork */
	struct vms_budget *next;       /* in vmsi_budget_shared_list */
};

/*
 * One lock for all budgets of the process, so that a charge is made at all
 * levels or at none for everyone to see. It guards all fields that change.
 */
extern struct vmsi_lock vmsi_budget_lock;

/* The shared budgets, for fork. */
extern struct vms_budget *vmsi_budget_shared_list;

/* Register the handlers of fork, if that was not done. */
void vmsi_budget_handle_fork(void);

/* --- budget.c ------------------------------------------------------------ */

/* A zeroed record; NULL: no memory. */
struct vms_budget *vmsi_budget_make(void);
void vmsi_budget_drop(struct vms_budget *budget);

/*
 * Take the lock for an operation on a budget and its parents. In a child that
 * fork handlers did not reach, a shared one among them is joined first.
 */
void vmsi_budget_enter(struct vms_budget *budget);
void vmsi_budget_leave(void);

/* The convention of the public calls: 0, or -1 and errno. */
int vmsi_budget_status(int error);

/* --- member.c: the memory that processes share, and a place in it -------- */

/*
 * Make the shared memory of a budget whose name and ledger are set, or map that
 * of a descriptor and take over its name; join it. Returns 0 or -errno, and
 * then nothing is left behind.
 */
int vmsi_member_create(struct vms_budget *budget);
int vmsi_member_attach(struct vms_budget *budget, int fd);

/*
 * Get a slot, with what this process has charged in it. Returns 0, or -errno
 * and there is no slot.
 */
int vmsi_member_join(struct vms_budget *budget);

/* Give the slot back, and the charge in it. */
void vmsi_member_leave(struct vms_budget *budget);

/* In a child: leave the slot to the parent and get one. */
void vmsi_member_renew(struct vms_budget *budget);

/* Give back all that create or attach has got. */
void vmsi_member_close(struct vms_budget *budget);

/* --- slots.c: the account over the slots ------------------------------ */

/*
 * Charge the slot and the ledger. Returns 0, or -ENOMEM where it does not fit,
 * or there is no slot.
 */
int vmsi_slots_charge(struct vms_budget *budget, size_t bytes);

/* Tell the others what the ledger says now. */
void vmsi_slots_publish(struct vms_budget *budget);

/* See to it that the peak is not below what is charged now. */
void vmsi_slots_note_peak(struct vms_budget *budget);

/* Clear the slots of processes that have ended. */
void vmsi_slots_reap(struct vms_budget *budget);

/* The sum of what is charged in all slots. */
size_t vmsi_slots_charged(struct vms_budget *budget);

/* The number of different processes with a slot. */
unsigned vmsi_slots_processes(const struct vms_budget *budget);

/* Take slot number i, which is empty then; false: somebody has it. */
bool vmsi_slots_take(struct vms_budget *budget, unsigned i);
void vmsi_slots_release(struct vms_budget *budget, unsigned i);

/* --- callback.c: before a refusal ---------------------------------------- */

/* Forget what was refused in this thread before. */
void vmsi_budget_begin(void);

/* Note that refuser, which is budget or above it, has refused a charge. */
void vmsi_budget_note_refusal(struct vms_budget *budget,
			      struct vms_budget *refuser, size_t bytes);

/* The charge of this thread that was refused latest. */
struct vmsi_budget_refusal {
	struct vms_budget *budget;  /* to be charged; NULL: not refused */
	struct vms_budget *refuser; /* it, or one above it */
	size_t bytes;
	unsigned since;             /* vmsi_reclaim_moment of vmsi_budget_begin */
};

/* To be asked about after other calls of this thread: keep it, and bring it back. */
struct vmsi_budget_refusal vmsi_budget_latest(void);
void vmsi_budget_recall(const struct vmsi_budget_refusal *refusal);

/* Who was asked to give memory back for a request, since it was first refused. */
struct vmsi_attempts {
	unsigned callbacks;    /* how often they were asked */
	bool heaps_of_refuser; /* the heaps that the budget which refuses is charged for */
	bool all_heaps;
};

enum vmsi_budget_answer {
	VMSI_BUDGET_DID_NOT_REFUSE,
	VMSI_BUDGET_REFUSES,   /* for good; it has been counted */
	VMSI_BUDGET_MADE_ROOM, /* make the charge again */
};

/*
 * After a request of this thread has failed, with no lock held: about the charge
 * that was refused latest since vmsi_budget_begin, ask the heaps whose memory
 * the refuser is charged to give back what they retain, then the callbacks.
 * *attempts is zero at first. errno stays as it is.
 */
enum vmsi_budget_answer vmsi_budget_ask(struct vmsi_attempts *attempts);

/* --- for spaces ---------------------------------------------------------- */

/* A ledger's upper level; its context is the struct vms_budget. */
extern const struct vmsi_ledger_upper vmsi_budget_upper;

/* Whether a budget is another one, or has it above. */
bool vmsi_budget_is_under(const struct vms_budget *budget,
			  const struct vms_budget *above);

/* A budget cannot be closed while it is used. */
void vmsi_budget_use(struct vms_budget *budget);
void vmsi_budget_unuse(struct vms_budget *budget);

#endif
