/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_ACCOUNT_ACCOUNT_H
#define VMSI_GROUP_ACCOUNT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/space.h>

#include "group/account/breaks.h"

/*
 * The account of a group: what its processes have, at most. It asks neither the
 * kernel nor a clock and takes no lock; the supervisor's thread tells it what was
 * let through, what is known to have been made, and what the kernel's figures
 * are, and asks it whether there is room. The sum is
 *
 *	processes (measured + unseen) + copies (of children not seen) + objects
 *
 * and may be too high, because nobody tells what is given back, but never too
 * low. docs/invariants.md has the invariants A1 to A6.
 *
 * A call that is let through is a pending effect, whose thread is under way in
 * the kernel, until it is known to have come back:
 *
 *	asked -- grant, note --> GRANTED -- confirm --> over: its bytes stay in
 *	  |                       |  |  |               unseen until measured
 *	  | no room               |  |  |
 *	  v              withdraw |  |  `- confirm, of a fork -> MADE -- born
 *	refused                   v  |                            |  --> over
 *	            as if not asked  | born                       | seek
 *	                             v                            v
 *	                            SEEN                        SOUGHT -- born
 *	                             | confirm                    |   --> over
 *	                             v                            | drop_sought
 *	                            over                          v
 *	                                                         over
 *
 *	GRANTED  The kernel may or may not have made the call. Figures that are
 *	         read meanwhile may show the effect or not, so it is added to
 *	         them, and is noted in twice.
 *	SEEN     A child was seen, and has the copy; the thread that forked is
 *	         not known to be back. Of several forks of one process nobody
 *	         tells whose child it is: when another one is confirmed first,
 *	         that one is over, and this one has its copy and is GRANTED.
 *	MADE     A fork was made, and its child has not been seen: the copy
 *	         counts for the group. The fork copies nothing more.
 *	SOUGHT   The same, since before the search for children that goes on
 *	         now: a child that this search does not find has ended.
 *
 * A process of the group, with the function of each edge and, in brackets, where
 * the supervisor calls it:
 *
 *	a thread of its parent forks
 *	   | grant, note [charge, remember_free_fork]
 *	   v
 *	FORKED       The copy is a pending effect of the parent.
 *	   |  `- drop_sought [vmsi_unborn_settle]: it was never seen --> GONE
 *	   | add, born [vmsi_process_get]: it asks, or the tree is searched
 *	   v
 *	KNOWN <------------------------------------------------------.
 *	   |  ^   measured is what the kernel's figures said         |
 *	   |  |                                                      |
 *	   |  '-- withdraw [vmsi_group_take_back] --.                |
 *	   | grant [charge], note                   |                |
 *	   v                                        |                |
 *	GRANTED ------------------------------------'                |
 *	   |      what was granted is in unseen                      |
 *	   | confirm [decide], confirm_at [vmsi_granted_check]       |
 *	   v                                                         |
 *	MADE ---- measured, hand_over [look] ------------------------'
 *	   |
 *	   | an execve is let through [expect_image]; until the new program asks,
 *	   v calls are those of the old one
 *	EXECUTING -- note_last, leave, executes, measured [count_image] --> KNOWN
 *	   |
 *	   | note_last, leave, ended [vmsi_process_ended], from any state
 *	   v
 *	GONE         What it had comes back. Its children that nobody has seen are
 *	             orphans, which the supervisor inherits.
 */

/* What a call adds to, when the kernel makes it. */
enum vmsi_effect_kind {
	VMSI_EFFECT_OWN,    /* private memory of the process that asks */
	VMSI_EFFECT_CHILD,  /* a copy of it, which a child will have */
	VMSI_EFFECT_OBJECT, /* an object, which counts once for the group */
};

/* In the order in which a call goes through them. */
enum vmsi_pending_state {
	VMSI_PENDING_GRANTED,
	VMSI_PENDING_SEEN,
	VMSI_PENDING_MADE,
	VMSI_PENDING_SOUGHT,
};

/*
 * What the supervisor notes of a call to find out later whether it was made
 * (granted.c), and what a child inherits (unborn.c). The account only carries it.
 */
struct vmsi_call_notes {
	int number;                /* of the system call */
	bool doubted;              /* ran was read */
	uint64_t longest;          /* ns that the call may run */
	uint64_t ran;              /* ns that the thread had run when doubted */
	struct vmsi_breaks breaks; /* of the parent, of a fork */
};

struct vmsi_account_process;

struct vmsi_effect {
	enum vmsi_effect_kind kind;
	pid_t thread;
	size_t bytes;     /* that the sum grows by */
	size_t moved;     /* that figures may miss while mremap moves them */
	size_t credit;    /* that a child has and is not charged */
	/*
	 * Private memory that an object takes the place of, and who counts it:
	 * it counts for the object from now on.
	 */
	size_t replaced;
	struct vmsi_account_process *replaced_of;
	/* Parts of the object may have counted before: it cannot be withdrawn. */
	bool stays;
	/* Everything was looked at just now: the sum may be a new peak. */
	bool is_looked_at;
	struct vmsi_call_notes notes;
};

struct vmsi_pending {
	struct vmsi_effect effect;
	enum vmsi_pending_state state;
};

struct vmsi_pendings {
	struct vmsi_pending *list; /* in the order in which they were granted */
	size_t count, room;
};

struct vmsi_account_process {
	struct vmsi_account_process *next, *previous; /* NULL: not in an account */
	struct vmsi_account_process *next_copier;
	size_t measured;  /* by the kernel's figures, without credit */
	size_t unseen;    /* granted, and not known to be in measured */
	size_t twice;     /* of unseen, what may be in measured as well */
	size_t credit;    /* copied by a fork that was not charged */
	size_t peak;
	struct vmsi_pendings pending;
};

struct vmsi_account {
	size_t limit;
	enum vms_commit_policy policy;
	struct vmsi_account_process *processes;
	size_t owned;     /* by the processes: the sum of measured + unseen */
	size_t copies;    /* bytes of all pending children */
	size_t objects;   /* bytes */
	size_t twice;     /* of all processes */
	size_t peak;
	size_t forks;     /* of children that have not been seen */
	bool was_over;    /* the limit, by what nobody could refuse */
	struct vmsi_pendings orphans; /* children of processes that ended */
};

void vmsi_account_init(struct vmsi_account *account, size_t limit,
		       enum vms_commit_policy policy);
void vmsi_account_free(struct vmsi_account *account);

/* --- the figures --------------------------------------------------------- */

/* The sum: all that is committed, at most. */
size_t vmsi_account_committed(const struct vmsi_account *account);
size_t vmsi_account_of(const struct vmsi_account_process *process);

/* No peak is above the group's, though counts may be too high for a while. */
size_t vmsi_account_peak_of(const struct vmsi_account *account,
			    const struct vmsi_account_process *process);

/* By how much the count of a process may be too high. */
size_t vmsi_account_doubt(const struct vmsi_account_process *process);

/* Whether bytes more are within the limit, whatever the policy is. */
bool vmsi_account_fits(const struct vmsi_account *account, size_t bytes);

/* The sum to which looks must bring it so that bytes more fit. */
size_t vmsi_account_room_for(const struct vmsi_account *account, size_t bytes);

/* --- calls --------------------------------------------------------------- */

/*
 * What an effect costs at most. copiers are the processes whose forks under way
 * copy the same memory, linked by next_copier: what is mapped now they may copy
 * as well.
 */
size_t vmsi_account_cost(const struct vmsi_effect *effect,
			 const struct vmsi_account_process *copiers);

/* Whether the policy lets an effect through. */
bool vmsi_account_has_room(const struct vmsi_account *account,
			   const struct vmsi_effect *effect,
			   const struct vmsi_account_process *copiers);

/*
 * Charge an effect where there is room. process has no other call under way by
 * the same thread. Returns 0; -EDQUOT: there is no room; -ENOMEM: there is no
 * memory to note it. Where it fails nothing has changed, the peak neither.
 */
int vmsi_account_grant(struct vmsi_account *account,
		       struct vmsi_account_process *process,
		       const struct vmsi_effect *effect,
		       struct vmsi_account_process *copiers);

/*
 * Note a call that is let through and charged nothing, but which figures may not
 * show (what it moves, a file's part that counts already, a copy that is free).
 * Returns 0 or -ENOMEM.
 */
int vmsi_account_note(struct vmsi_account *account,
		      struct vmsi_account_process *process,
		      const struct vmsi_effect *effect);

/* The call of a thread was not let through after all. */
void vmsi_account_withdraw(struct vmsi_account *account,
			   struct vmsi_account_process *process, pid_t thread);

/* A pending call, by its place in the list, was made; or those of a thread. */
void vmsi_account_confirm_at(struct vmsi_account *account,
			     struct vmsi_account_process *process, size_t i);
void vmsi_account_confirm(struct vmsi_account *account,
			  struct vmsi_account_process *process, pid_t thread);

/* Whether the call at a place in the list may not have been made. */
bool vmsi_account_is_unmade(const struct vmsi_account_process *process,
			    size_t i);

/* Whether a process was granted anything that may not have been made. */
bool vmsi_account_has_unmade(const struct vmsi_account_process *process);

/*
 * Bytes of private memory that calls of a process under way put an object in place
 * of: they count for the object, and a fork may still copy them.
 */
size_t vmsi_account_replaced(const struct vmsi_account_process *process);

/* Whether any process was, of a child or an object. */
bool vmsi_account_has_loose(const struct vmsi_account *account);

/* --- looks --------------------------------------------------------------- */

/*
 * The kernel's figures of a process, read after all that was known to be made
 * was confirmed.
 */
void vmsi_account_measured(struct vmsi_account *account,
			   struct vmsi_account_process *process, size_t bytes);

/* A process is seen to have no memory any more. */
void vmsi_account_emptied(struct vmsi_account *account,
			  struct vmsi_account_process *process);

/* A stack has grown, which nobody could refuse; copiers as for a cost. */
void vmsi_account_grew(struct vmsi_account *account,
		       struct vmsi_account_process *process, size_t bytes,
		       struct vmsi_account_process *copiers);

/*
 * All objects were measured, each once. Where is_partial, calls under way may
 * add to them: the count is not lowered.
 */
void vmsi_account_measured_objects(struct vmsi_account *account, size_t bytes,
				   bool is_partial);

/* --- processes ----------------------------------------------------------- */

void vmsi_account_add(struct vmsi_account *account,
		      struct vmsi_account_process *process);

/*
 * What a child of parent (NULL: an orphan) was granted, with bytes and credit of
 * the least that is enough for what it needs. NULL: nothing. Valid until the next
 * call that changes pending effects.
 */
const struct vmsi_effect *
vmsi_account_find_child(const struct vmsi_account *account,
			const struct vmsi_account_process *parent,
			size_t needed);

/*
 * A child is seen, and takes what vmsi_account_find_child has found for it.
 * Returns the notes of the fork that is over.
 */
struct vmsi_call_notes
vmsi_account_born(struct vmsi_account *account,
		  struct vmsi_account_process *parent,
		  struct vmsi_account_process *child, size_t needed);

/* How many forks of a process may copy what is mapped from now on. */
size_t vmsi_account_forks_under_way(const struct vmsi_account_process *process);

/* Children are about to be searched for; and those not found are no more. */
void vmsi_account_seek(struct vmsi_account *account);
void vmsi_account_drop_sought(struct vmsi_account *account);

/*
 * What was made by a process that shares another one's memory is the other's,
 * who counts it. Returns whether there was any.
 */
bool vmsi_account_hand_over(struct vmsi_account *account,
			    struct vmsi_account_process *from,
			    struct vmsi_account_process *to);

/* It leaves that memory: all that it was granted is the other's. */
void vmsi_account_leave(struct vmsi_account *account,
			struct vmsi_account_process *from,
			struct vmsi_account_process *to);

/* A process is another program: its other threads and its credit are gone. */
void vmsi_account_executes(struct vmsi_account *account,
			   struct vmsi_account_process *process);

/* A process has ended; its peak can still be read. */
void vmsi_account_ended(struct vmsi_account *account,
			struct vmsi_account_process *process);

/* What is pending of it is forgotten; the account is no more used. */
void vmsi_account_free_process(struct vmsi_account_process *process);

/* --- the peak ------------------------------------------------------------ */

/* By how much bytes more would be a new peak, by the count; 0: they are none. */
size_t vmsi_account_above_peak(const struct vmsi_account *account, size_t bytes);

/* The sum at which bytes more are no new peak. */
size_t vmsi_account_below_peak(const struct vmsi_account *account, size_t bytes);

/* The sum is looked at: what moves is there once. */
void vmsi_account_raise_peak(struct vmsi_account *account);

/*
 * A process is about to end or to be another program, and nobody can look any
 * more: the peak rises by no more than the process may have grown since it was
 * looked at, and without copies that may not have been made.
 */
void vmsi_account_note_last(struct vmsi_account *account,
			    const struct vmsi_account_process *process);

/* --- invariants ---------------------------------------------------------- */

/* The first invariant that does not hold, by its number; NULL: all do. */
const char *vmsi_account_broken(const struct vmsi_account *account);

#endif
