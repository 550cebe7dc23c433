/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_ACCOUNT_ACCOUNT_H
#define VMSI_GROUP_ACCOUNT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/space.h>

#include "group/account/breaks.h"
#include "group/account/marks.h"

/*
 * The account of a group: what its processes have committed, at most. It asks
 * neither the kernel nor a clock and takes no lock. The supervisor's thread tells it
 * which calls were let through, which of them are known to have been made, and what
 * the kernel's figures are, and asks it whether a request fits. The sum
 *
 *	processes (measured + unseen) + copies (of children not seen) + objects
 *
 * may be too high, because nobody tells what is given back, but is never too low.
 * docs/invariants.md has the invariants A1 to A6.
 *
 * The states of a process, and the functions of the account for each edge, with the
 * file that calls them (of calls see enum vmsi_pending_state):
 *
 *	   UNBORN ------------------------------------> (nothing)
 *	     |          drop_sought (refresh/unborn.c)
 *	     | add, born (refresh/meet.c)
 *	     v
 *	   MEMBER --------------------------------> EXECUTING
 *	     | ^ |      expect_image                |    |
 *	     | +-|----------------------------------+    |
 *	     |   |      note_last, leave, executes,      | note_last, leave,
 *	     |   |      measured (refresh/look.c)        | ended
 *	     |   +---------------------------------------+-----------------+
 *	     |          note_last, leave, ended (serve/ends.c)             |
 *	     | emptied (refresh/own.c)                                     v
 *	     +-----> EMPTY ---------------------------------------------> GONE
 *	                note_last, leave, ended (serve/ends.c)
 *
 *	UNBORN     A fork was granted, or noted if copies are free (decide/grant.c):
 *	           its copy counts, and no process has been seen for it.
 *	MEMBER     It is in the list of processes. What it has changes within the
 *	           state by grant, note, withdraw and confirm, by a look (measured, or
 *	           hand_over where another process counts its memory), and by grew
 *	           (refresh/unasked.c) and copies_grew (refresh/own.c) where its stack
 *	           has grown.
 *	EXECUTING  Its execve was let through (expect_image of serve/serve.c); the
 *	           account has what the old program had until the new one asks.
 *	EMPTY      Its threads have given up their memory and not ended yet: measured
 *	           is 0.
 *	GONE       It is in no sum. Its peak can still be read, until
 *	           vmsi_account_free_process.
 */

/* What a call adds to, when the kernel makes it. */
enum vmsi_effect_kind {
	VMSI_EFFECT_OWN,    /* private memory of the process that asks */
	VMSI_EFFECT_CHILD,  /* a copy of it, which a child will have */
	VMSI_EFFECT_OBJECT, /* an object, which counts once for the group */
};

/*
 * A call that was let through is pending until it is known to have returned; a
 * fork, until its child has been seen:
 *
 *	             confirm, confirm_at         seek
 *	   GRANTED ---------------> MADE ---------------> SOUGHT
 *	    |   ^                     |                      |
 *	    |   | another fork of     | born                 | born, or drop_sought
 *	    |   | the process is      v                      v
 *	    |   | confirmed         over                    over
 *	    v   |
 *	    SEEN ---------------> over
 *	          confirm, confirm_at
 *
 * GRANTED to SEEN is born, and SEEN to GRANTED is vmsi_pendings_give_to_seen. From
 * GRANTED a call is over, too, if it is withdrawn, or if it is confirmed and no fork.
 */
enum vmsi_pending_state {
	/*
	 * Nobody knows whether the kernel has made the call, so figures that
	 * are read now may show its effect or not: it is added to them, and
	 * noted in twice.
	 */
	VMSI_PENDING_GRANTED,
	/*
	 * A child has been seen and has taken the copy, but the thread that
	 * forked is not known to be back. If another fork of the process is
	 * confirmed first, the child may as well have been that one's: then
	 * that one is over, and this one is GRANTED with its copy.
	 */
	VMSI_PENDING_SEEN,
	/* The copy has been made, and counts until the child is seen. */
	VMSI_PENDING_MADE,
	/*
	 * A search for children has begun: if it does not find this one's, the
	 * child has ended.
	 */
	VMSI_PENDING_SOUGHT,
};

/*
 * What the supervisor notes of a call to tell later whether it was made
 * (refresh/granted.c), and what a child inherits. The account only carries it.
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
	size_t bytes;     /* by which the sum grows */
	size_t moved;     /* bytes that mremap moves: figures may miss them */
	size_t credit;    /* bytes that a child has and is not charged for */
	/*
	 * Bytes of private memory that an object takes the place of: they count
	 * for the object from now on, and no more for this process.
	 */
	size_t replaced;
	struct vmsi_account_process *replaced_of;
	bool stays;       /* parts may have counted before: no withdrawal */
	bool is_looked_at; /* a look was just made: the sum may be a peak */
	bool may_reach_mark; /* a look was just made at all, for a mark */
	struct vmsi_call_notes notes;
};

struct vmsi_pending {
	struct vmsi_effect effect;
	enum vmsi_pending_state state;
};

struct vmsi_pendings {
	struct vmsi_pending *list; /* in the order in which they were granted */
	size_t count, capacity;
};

/* What a process has; all in bytes. */
struct vmsi_account_process {
	struct vmsi_account_process *next, *previous; /* in the account */
	struct vmsi_account_process *next_copier; /* see vmsi_account_cost */
	size_t measured;  /* by the kernel's figures, without the credit */
	size_t unseen;    /* granted, and not known to be in measured */
	size_t twice;     /* of unseen, what may be in measured as well */
	size_t credit;    /* copied by a fork that was not charged */
	size_t peak;
	struct vmsi_pendings pending;
};

/* What a group has; all in bytes, but for forks. */
struct vmsi_account {
	size_t limit;
	enum vms_commit_policy policy;
	struct vmsi_account_process *processes;
	size_t owned;     /* by the processes: the sum of measured + unseen */
	size_t copies;    /* of children that have not been seen */
	size_t objects;   /* shared memory, each object once */
	size_t twice;     /* of all processes */
	size_t peak;
	size_t forks;     /* how many children have not been seen */
	size_t highest_limit; /* that there was */
	bool was_over;    /* what nobody could refuse has passed the limit, or
			     it was set below the peak */
	struct vmsi_marks marks;
	struct vmsi_pendings orphans; /* forks of processes that have ended */
};

void vmsi_account_init(struct vmsi_account *account, size_t limit,
		       enum vms_commit_policy policy);
void vmsi_account_free(struct vmsi_account *account);

/*
 * Set another limit, which requests are compared with from now on. Below the sum
 * it takes nothing away.
 */
void vmsi_account_set_limit(struct vmsi_account *account, size_t limit);

/* --- the figures --------------------------------------------------------- */

/* The sum: all that is committed, at most. */
size_t vmsi_account_committed(const struct vmsi_account *account);
static inline size_t
vmsi_account_of(const struct vmsi_account_process *process)
{
	return process->measured + process->unseen;
}

/* A count may be too high for a while; no peak is above the group's. */
size_t vmsi_account_peak_of(const struct vmsi_account *account,
			    const struct vmsi_account_process *process);

/* Whether bytes more are within the limit, whatever the policy is. */
bool vmsi_account_fits(const struct vmsi_account *account, size_t bytes);

/* The sum to which looks must bring it so that bytes more fit. */
size_t vmsi_account_below_limit(const struct vmsi_account *account, size_t bytes);

/* --- calls --------------------------------------------------------------- */

/*
 * What an effect costs at most. copiers are the processes that have forks of
 * the same memory under way, linked by next_copier: what is mapped now may be
 * copied by each of these forks as well.
 */
size_t vmsi_account_cost(const struct vmsi_effect *effect,
			 const struct vmsi_account_process *copiers);

/* Whether the policy lets an effect through. */
bool vmsi_account_allows(const struct vmsi_account *account,
			   const struct vmsi_effect *effect,
			   const struct vmsi_account_process *copiers);

/*
 * Charge an effect if it fits. process has no other call under way by
 * the same thread. Returns 0; -EDQUOT: it does not fit; -ENOMEM: there is no
 * memory to note it. Where it fails nothing has changed, the peak neither.
 */
int vmsi_account_grant(struct vmsi_account *account,
		       struct vmsi_account_process *process,
		       const struct vmsi_effect *effect,
		       struct vmsi_account_process *copiers);

/*
 * Note a call that is let through and charged nothing, but which figures may
 * not show (what it moves, a file's part that counts already, a copy that is
 * free). Returns 0 or -ENOMEM.
 */
int vmsi_account_note(struct vmsi_account *account,
		      struct vmsi_account_process *process,
		      const struct vmsi_effect *effect);

/* The call of a thread was not let through after all. */
void vmsi_account_withdraw(struct vmsi_account *account,
			   struct vmsi_account_process *process, pid_t thread);

/*
 * A pending call was made, by its place in the list; or all of a thread. What
 * it has added stays, until figures are read that show it.
 */
void vmsi_account_confirm_at(struct vmsi_account *account,
			     struct vmsi_account_process *process, size_t i);
void vmsi_account_confirm(struct vmsi_account *account,
			  struct vmsi_account_process *process, pid_t thread);

/* Whether the call of a pending effect may not have returned. */
static inline bool
vmsi_pending_is_under_way(const struct vmsi_pending *pending)
{
	return pending->state == VMSI_PENDING_GRANTED ||
		pending->state == VMSI_PENDING_SEEN;
}

/* Whether a process has any call under way. */
bool vmsi_account_has_unmade(const struct vmsi_account_process *process);

/*
 * Bytes of private memory that calls of a process under way put an object in
 * place of: they count for the object, and a fork may still copy them.
 */
size_t vmsi_account_replaced(const struct vmsi_account_process *process);

/* Whether any process has one that adds a child or an object. */
bool vmsi_account_has_loose(const struct vmsi_account *account);

/* --- looks --------------------------------------------------------------- */

/*
 * The kernel's figures of a process were read, after all calls that were known
 * to have been made were confirmed. bytes is what it has, with its credit.
 */
void vmsi_account_measured(struct vmsi_account *account,
			   struct vmsi_account_process *process, size_t bytes);

/* A process was seen to have no memory any more. */
void vmsi_account_emptied(struct vmsi_account *account,
			  struct vmsi_account_process *process);

/*
 * A look has found that a stack has grown by bytes, which nobody could refuse:
 * each fork under way of the copiers, as for a cost, copies that as well.
 */
void vmsi_account_copies_grew(struct vmsi_account *account, size_t bytes,
			      struct vmsi_account_process *copiers);

/* Likewise without a look: the process has bytes more, too. */
void vmsi_account_grew(struct vmsi_account *account,
		       struct vmsi_account_process *process, size_t bytes,
		       struct vmsi_account_process *copiers);

/*
 * All objects were measured, each once. is_partial: calls under way may add to
 * them, so the count is not lowered.
 */
void vmsi_account_measured_objects(struct vmsi_account *account, size_t bytes,
				   bool is_partial);

/* --- processes ----------------------------------------------------------- */

void vmsi_account_add(struct vmsi_account *account,
		      struct vmsi_account_process *process);

/*
 * What a child of parent (NULL: an orphan) was granted, with bytes and credit
 * of the least that is enough for what it needs. NULL: nothing. Valid until the
 * next call that changes pending effects.
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

/*
 * A search for children begins, and is over: children that were made before and
 * are not found have ended.
 */
void vmsi_account_seek(struct vmsi_account *account);
void vmsi_account_drop_sought(struct vmsi_account *account);

/*
 * from has its memory in common with to, which counts it: what from was granted
 * and has made goes to the count of to. Returns whether there was any.
 */
bool vmsi_account_hand_over(struct vmsi_account *account,
			    struct vmsi_account_process *from,
			    struct vmsi_account_process *to);

/* from leaves that memory: all that it was granted goes to the count of to. */
void vmsi_account_leave(struct vmsi_account *account,
			struct vmsi_account_process *from,
			struct vmsi_account_process *to);

/*
 * A process has executed a program: its other threads and its credit are gone.
 */
void vmsi_account_executes(struct vmsi_account *account,
			   struct vmsi_account_process *process);

/* A process has ended; its peak can still be read. */
void vmsi_account_ended(struct vmsi_account *account,
			struct vmsi_account_process *process);

/* Free what a process has allocated; its account is not used any more. */
void vmsi_account_free_process(struct vmsi_account_process *process);

/* --- the peak ------------------------------------------------------------ */

/* By how much the sum and bytes more would pass the peak; 0: they would not. */
size_t vmsi_account_above_peak(const struct vmsi_account *account, size_t bytes);

/* The sum to which looks must bring it so that bytes more make no new peak. */
size_t vmsi_account_below_peak(const struct vmsi_account *account, size_t bytes);

/* The sum was looked at: it is a peak if it is the highest, without twice. */
void vmsi_account_raise_peak(struct vmsi_account *account);

/* The peak is at least this sum, in which each byte counts once, of whatever figures. */
void vmsi_account_raise_peak_to(struct vmsi_account *account, size_t sum);

/*
 * A process has ended or executed a program, so that nobody can look at what it
 * had. The peak rises by what the process may have grown by since its last
 * look, at most, and without copies that may not have been made.
 */
void vmsi_account_note_last(struct vmsi_account *account,
			    const struct vmsi_account_process *process);

/* --- marks --------------------------------------------------------------- */

/* The sum may have fallen: marks that were told and are above it wait again. */
void vmsi_account_lower_marks(struct vmsi_account *account);

/* All was looked at, and no call was under way: marks below the sum are reached. */
void vmsi_account_reach_marks(struct vmsi_account *account);

/* --- invariants ---------------------------------------------------------- */

/* The first invariant that does not hold, by its number; NULL: all do. */
const char *vmsi_account_broken(const struct vmsi_account *account);

#endif
