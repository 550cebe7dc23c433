/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_ACCOUNT_INSIDE_H
#define VMSI_GROUP_ACCOUNT_INSIDE_H

#include "base/panic.h"
#include "group/account/account.h"
#include "group/account/pending.h"

/* What the files of the account have in common, and nobody else calls. */

/*
 * The only place that changes what a process has; the sum and the peak of the
 * process follow. What may be there twice is no more than what was granted.
 */
void vmsi_account_set(struct vmsi_account *account,
		      struct vmsi_account_process *process, size_t measured,
		      size_t unseen, size_t twice);
void vmsi_account_add_unseen(struct vmsi_account *account,
			     struct vmsi_account_process *process,
			     size_t bytes);

/*
 * The sum has changed. Nobody can refuse an image, a grown stack or what a look
 * finds: note where these pass the limit.
 */
void vmsi_account_note_over(struct vmsi_account *account);

/* A sum was reached: what moves is there once. */
void vmsi_account_raise_peak_to(struct vmsi_account *account, size_t sum);

/* The child of a fork is seen, or will never be: its copy is the child's. */
void vmsi_account_release_copy(struct vmsi_account *account,
			       const struct vmsi_pending *pending);
struct vmsi_effect vmsi_account_remove_pending(struct vmsi_account *account,
					       struct vmsi_pendings *pendings,
					       size_t i);

/* All threads of a process have come back, or are no more. */
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
