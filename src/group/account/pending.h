/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_ACCOUNT_PENDING_H
#define VMSI_GROUP_ACCOUNT_PENDING_H

#include "group/account/account.h"

/*
 * The pending effects of one process, as a list that knows nothing of the sums:
 * who removes a fork from it also uncharges the copy (calls.c).
 */

/* Add one at the end. Returns 0 or -ENOMEM. */
int vmsi_pendings_add(struct vmsi_pendings *pendings,
		      const struct vmsi_pending *pending);

/* Remove the one at i; the others keep their order. */
struct vmsi_effect vmsi_pendings_remove(struct vmsi_pendings *pendings,
					size_t i);

/* Where the call of a thread is that is under way; count: there is none. */
size_t vmsi_pendings_find(const struct vmsi_pendings *pendings, pid_t thread);

/* Bytes of private memory that figures may miss: not made yet, or moving. */
size_t vmsi_pendings_unmade(const struct vmsi_pendings *pendings);

/* Whether any is under way that adds a child or an object. */
bool vmsi_pendings_have_loose(const struct vmsi_pendings *pendings);

/* Where the copy is that suits a child best which needs so much; or count. */
size_t vmsi_pendings_find_copy(const struct vmsi_pendings *pendings,
			       size_t needed);

/*
 * The child that was found is taken for that of a fork which was made, if there
 * is one, since forks under way are still waited for. But the copy at i suits
 * the child best: so exchange it with the smallest that is as large, of the
 * forks that would be dropped first. Returns where the copy is now.
 */
size_t vmsi_pendings_change_with_made(struct vmsi_pendings *pendings, size_t i);

/* Whether it is a fork whose child has not been seen. */
bool vmsi_pending_has_copy(const struct vmsi_pending *pending);

/* Whether a fork copies what is mapped from now on. */
bool vmsi_pending_may_copy(const struct vmsi_pending *pending);

/*
 * The fork at i has returned. If a child was seen and taken for that of a fork
 * which is still under way, it may as well have been this one's: then that
 * other fork gets the copy at i, and this one is over. Returns whether there
 * was such a child.
 */
bool vmsi_pendings_give_to_seen(struct vmsi_pendings *pendings, size_t i);

/* Children that were made and not seen are sought from now on. */
void vmsi_pendings_seek(struct vmsi_pendings *pendings);

#endif
