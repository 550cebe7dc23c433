/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_ACCOUNT_PENDING_H
#define VMSI_GROUP_ACCOUNT_PENDING_H

#include "group/account/account.h"

/*
 * The pending effects of one process, as a list. It knows nothing of sums: who
 * removes a child from it uncharges the copy (account.c).
 */

/* At the end. Returns 0 or -ENOMEM. */
int vmsi_pendings_add(struct vmsi_pendings *pendings,
		      const struct vmsi_pending *pending);

/* The order of the others stays. */
struct vmsi_effect vmsi_pendings_remove(struct vmsi_pendings *pendings,
					size_t i);

/* The call of a thread that may not have been made; the count: there is none. */
size_t vmsi_pendings_find(const struct vmsi_pendings *pendings, pid_t thread);

/* What figures may not show: own bytes that may not be there, and what moves. */
size_t vmsi_pendings_unmade(const struct vmsi_pendings *pendings);

/* Whether any is under way that is not of the process's own memory. */
bool vmsi_pendings_have_loose(const struct vmsi_pendings *pendings);

/* The copy that suits a child best that needs so much; the count: there is none. */
size_t vmsi_pendings_find_copy(const struct vmsi_pendings *pendings,
			       size_t needed);

/*
 * A copy was found at i: have it change places with the least that is as large, of
 * the forks that would be dropped first. So forks under way are waited for, and
 * keep what they may copy. Returns where it is now.
 */
size_t vmsi_pendings_change_with_made(struct vmsi_pendings *pendings, size_t i);

/* Whether the call may not have returned yet. */
static inline bool
vmsi_pending_is_under_way(const struct vmsi_pending *pending)
{
	return pending->state == VMSI_PENDING_GRANTED ||
		pending->state == VMSI_PENDING_SEEN;
}

/* Whether it is a fork of a child that has not been seen. */
bool vmsi_pending_has_copy(const struct vmsi_pending *pending);

/* Whether a fork copies what is mapped from now on. */
bool vmsi_pending_may_copy(const struct vmsi_pending *pending);

/*
 * The fork at i is back. Where a child was seen that was taken for that of a fork
 * still under way, it was this one's as likely: the copy waits for the other fork,
 * and this one is over. Returns whether there was such a child.
 */
bool vmsi_pendings_give_to_seen(struct vmsi_pendings *pendings, size_t i);

/* What was made is sought from now on. */
void vmsi_pendings_seek(struct vmsi_pendings *pendings);

#endif
