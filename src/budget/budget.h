/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_BUDGET_H
#define VMSI_BUDGET_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <vmspace/budget.h>

#include "base/lock.h"
#include "base/pool.h"
#include "budget/shared.h"
#include "commit/commit.h"

/* The budget room; the second half is for spaces. */

/* An object that this process holds at a budget. */
struct vmsi_held {
	struct vmsi_held *next;        /* in its hash bucket */
	struct vmsi_object_id id;
	size_t bytes;                  /* that are charged */
	unsigned holders;              /* spaces, and budgets below */
	unsigned place;                /* in the slot, or VMSI_NO_PLACE */
};

#define VMSI_HELD_BUCKETS 256
#define VMSI_NO_PLACE VMSI_BUDGET_OBJECTS

/* The device of objects that are no files; see vmsi_budget_new_object. */
#define VMSI_NO_DEVICE UINT64_MAX

/* What the objects of all slots come to, each counted once. */
struct vmsi_object_sums {
	size_t charged;                /* bytes */
	size_t asked;                  /* by others, beside that */
	size_t of_question;            /* bytes that the one asked about has */
	bool lower_asks;               /* one in a lower slot does */
	bool is_settled;               /* it was all so at one instant */
	bool is_under_way;             /* it may not be: a process is in a change */
};

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
	bool sums_known;
	struct vmsi_object_sums sums;  /* when changes was sums_of */
	uint64_t sums_of;
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

/*
 * Before fork: get a slot for the child, with all that this process has charged,
 * so that it is charged from the first instant and whatever becomes of the
 * parent. Where that fails the child joins by itself. After it, in the parent:
 * leave it to the child, or to whoever clears it where there is none. In the
 * child: take it over.
 */
void vmsi_member_prepare_child(struct vms_budget *budget);
void vmsi_member_leave_child(struct vms_budget *budget);
void vmsi_member_become_child(struct vms_budget *budget);

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

/*
 * Whether a process may hold so much of an object; where it may, the question
 * still stands, until the object has its place and vmsi_slots_granted is called.
 * refund: bytes of private memory that are given back in the same step.
 */
bool vmsi_slots_ask_for_object(struct vms_budget *budget,
			       struct vmsi_held *held, size_t bytes,
			       size_t refund);
void vmsi_slots_granted(struct vms_budget *budget);

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

/*
 * Take slot number i, which is empty then, for the description of lock_fd;
 * false: somebody has it.
 */
bool vmsi_slots_take(struct vms_budget *budget, int lock_fd, unsigned i);
void vmsi_slots_release(struct vms_budget *budget, unsigned i);

/* Whoever reads the slots looks at those before number used from now on. */
void vmsi_slots_note_used(struct vms_budget *budget, uint32_t used);

/* --- places.c: objects in the slots -------------------------------------- */

/* Empty the places of a slot. */
void vmsi_places_clear(struct vms_budget *budget, unsigned slot);

/*
 * Get a place in the slot, if there is one. What has none is charged as memory
 * of this process alone, so it may be charged again by others.
 */
void vmsi_places_get(struct vms_budget *budget, struct vmsi_held *held);
void vmsi_places_put(struct vms_budget *budget, struct vmsi_held *held);

/* Ask for so many bytes of an object that has a place; 0: ask no more. */
void vmsi_places_ask(struct vms_budget *budget, const struct vmsi_held *held,
		     size_t bytes);

/*
 * Write what is charged into the place, if it has one; held->bytes is still what
 * it was. Nothing is asked for any more.
 */
void vmsi_places_set(struct vms_budget *budget, const struct vmsi_held *held,
		     size_t bytes);

/* Without a slot: no object has a place. */
void vmsi_places_forget(struct vms_budget *budget);

/* In a new slot, which is empty: places for all that is held. */
void vmsi_places_fill(struct vms_budget *budget);

/* Write all that has a place into the same place of another slot. */
void vmsi_places_copy(struct vms_budget *budget, unsigned slot);

/*
 * What the objects of the first slots come to. question: one that this process
 * asks for; who else asks for the same is left out.
 */
struct vmsi_object_sums vmsi_places_sum(struct vms_budget *budget,
					unsigned slots,
					const struct vmsi_held *question);

/* --- held.c: the objects that this process holds ------------------------- */

void vmsi_held_init(struct vms_budget *budget);
void vmsi_held_end(struct vms_budget *budget);

#define vmsi_for_each_held(budget, record) \
	for (size_t bucket = 0; bucket < VMSI_HELD_BUCKETS; bucket++) \
		for (struct vmsi_held *record = (budget)->held[bucket]; \
		     record; record = (record)->next)

enum vmsi_held_how { VMSI_HELD_ASK, VMSI_HELD_FORCED };
enum vmsi_held_end { VMSI_HELD_RELEASE, VMSI_HELD_TAKE_BACK };

/*
 * Hold an object at a budget and all above it, or at none, as the hold call of
 * struct vmsi_ledger_upper does. Returns 0; -ENOMEM and *refuser; -EAGAIN: no
 * memory to note it.
 */
int vmsi_held_hold(struct vms_budget *budget, const struct vmsi_hold *hold,
		   size_t refund, enum vmsi_held_how how,
		   struct vms_budget **refuser);

/* One holder lets an object go; VMSI_HELD_TAKE_BACK: peaks are as before it. */
void vmsi_held_release(struct vms_budget *budget, struct vmsi_object_id id,
		       enum vmsi_held_end end);

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

/*
 * An identity for an object that is no file: no other object that a budget or
 * one above it is charged for has it, in whatever process. Makes no system call.
 */
struct vmsi_object_id vmsi_budget_new_object(struct vms_budget *budget);

/* A budget cannot be closed while it is used. */
void vmsi_budget_use(struct vms_budget *budget);
void vmsi_budget_unuse(struct vms_budget *budget);

#endif
