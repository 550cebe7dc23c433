/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_ACCOUNT_INSIDE_H
#define VMSI_GROUP_ACCOUNT_INSIDE_H

#include "base/panic.h"
#include "group/account/account.h"
#include "group/account/pending.h"

/* What the files of the account share. Nobody else includes this. */

/*
 * Set measured, unseen and twice of a process, which no other function writes, and
 * with them the sums of the account and the peak of the process. twice becomes at
 * most unseen.
 */
void vmsi_account_set(struct vmsi_account *account,
		      struct vmsi_account_process *process, size_t measured,
		      size_t unseen, size_t twice);
void vmsi_account_add_unseen(struct vmsi_account *account,
			     struct vmsi_account_process *process,
			     size_t bytes);

/*
 * The sum has changed: note if it has passed the limit. Nobody can refuse an
 * image, a stack that has grown or what a look finds.
 */
void vmsi_account_note_over(struct vmsi_account *account);

/* The sum, without what may be in the figures and in unseen. */
size_t vmsi_account_reached(const struct vmsi_account *account);

/* The child of a fork is seen, or never will be: uncharge the copy. */
void vmsi_account_release_copy(struct vmsi_account *account,
			       const struct vmsi_pending *pending);
struct vmsi_effect vmsi_account_remove_pending(struct vmsi_account *account,
					       struct vmsi_pendings *pendings,
					       size_t i);

/* All calls of a process have returned, or their threads have gone. */
void vmsi_account_confirm_all(struct vmsi_account *account,
			      struct vmsi_account_process *process);

/* In debug builds each call checks the invariants on its way out. */
#ifdef VMSI_DEBUG
static inline void vmsi_account_verify(const struct vmsi_account *account)
{
	const char *broken = vmsi_account_broken(account);

	if (broken)
		vmsi_panic(broken);
}
#else
static inline void vmsi_account_verify(const struct vmsi_account *account)
{
	(void)account;
}
#endif

#endif
