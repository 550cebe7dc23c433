/* SPDX-License-Identifier: MIT */
#include "group/account/inside.h"

#include <stdlib.h>

#include "base/align.h"
#include "commit/commit.h"

void vmsi_account_init(struct vmsi_account *account, size_t limit,
		       enum vms_commit_policy policy)
{
	*account = (struct vmsi_account){ .limit = limit,
		.highest_limit = limit, .policy = policy };
}

void vmsi_account_free(struct vmsi_account *account)
{
	free(account->orphans.list);
	account->orphans = (struct vmsi_pendings){ NULL, 0, 0 };
}

void vmsi_account_set_limit(struct vmsi_account *account, size_t limit)
{
	account->limit = limit;
	if (limit > account->highest_limit)
		account->highest_limit = limit;
	if (account->peak > limit)
		account->was_over = true;
	vmsi_account_note_over(account);
	vmsi_account_verify(account);
}

/* --- the figures --------------------------------------------------------- */

size_t vmsi_account_committed(const struct vmsi_account *account)
{
	return account->owned + account->copies + account->objects;
}

size_t vmsi_account_peak_of(const struct vmsi_account *account,
			    const struct vmsi_account_process *process)
{
	return vmsi_min(process->peak, account->peak);
}

bool vmsi_account_fits(const struct vmsi_account *account, size_t bytes)
{
	return vmsi_commit_fits(VMS_COMMIT_STRICT, account->limit,
				vmsi_account_committed(account), bytes);
}

size_t vmsi_account_below_limit(const struct vmsi_account *account, size_t bytes)
{
	return account->limit > bytes ? account->limit - bytes : 0;
}

size_t vmsi_account_reached(const struct vmsi_account *account)
{
	return vmsi_account_committed(account) - account->twice;
}

void vmsi_account_note_over(struct vmsi_account *account)
{
	if (vmsi_account_reached(account) > account->limit)
		account->was_over = true;
}

void vmsi_account_set(struct vmsi_account *account,
		      struct vmsi_account_process *process, size_t measured,
		      size_t unseen, size_t twice)
{
	account->owned = account->owned - vmsi_account_of(process) + measured +
		unseen;
	twice = vmsi_min(twice, unseen);
	account->twice = account->twice - process->twice + twice;
	process->measured = measured;
	process->unseen = unseen;
	process->twice = twice;
	if (vmsi_account_of(process) - twice > process->peak)
		process->peak = vmsi_account_of(process) - twice;
	vmsi_account_note_over(account);
}

void vmsi_account_add_unseen(struct vmsi_account *account,
			     struct vmsi_account_process *process, size_t bytes)
{
	vmsi_account_set(account, process, process->measured,
			 process->unseen + bytes, process->twice);
}

/* --- looks --------------------------------------------------------------- */

void vmsi_account_measured(struct vmsi_account *account,
			   struct vmsi_account_process *process, size_t bytes)
{
	const size_t unmade = vmsi_pendings_unmade(&process->pending);
	const size_t charged = bytes - vmsi_min(bytes, process->credit);

	/* A call that may not have been made may as well be in the figures. */
	vmsi_account_set(account, process, charged, unmade, unmade);
	vmsi_account_verify(account);
}

void vmsi_account_emptied(struct vmsi_account *account,
			  struct vmsi_account_process *process)
{
	vmsi_account_set(account, process, 0, 0, 0);
	vmsi_account_verify(account);
}

void vmsi_account_measured_objects(struct vmsi_account *account, size_t bytes,
				   bool is_partial)
{
	if (is_partial && bytes < account->objects)
		return;
	account->objects = bytes;
	vmsi_account_note_over(account);
	vmsi_account_verify(account);
}

/* --- the peak ------------------------------------------------------------ */

size_t vmsi_account_above_peak(const struct vmsi_account *account, size_t bytes)
{
	const size_t sum = vmsi_account_committed(account) + bytes;

	return sum - vmsi_min(sum, account->peak);
}

size_t vmsi_account_below_peak(const struct vmsi_account *account, size_t bytes)
{
	return account->peak - vmsi_min(account->peak, bytes);
}

void vmsi_account_raise_peak_to(struct vmsi_account *account, size_t sum)
{
	if (sum > account->peak)
		account->peak = sum;
}

void vmsi_account_raise_peak(struct vmsi_account *account)
{
	vmsi_account_raise_peak_to(account, vmsi_account_reached(account));
	vmsi_account_verify(account);
}

void vmsi_account_note_last(struct vmsi_account *account,
			    const struct vmsi_account_process *process)
{
	const size_t known = vmsi_account_reached(account) - account->copies;
	const size_t doubt = process->unseen - process->twice;

	if (known > account->peak)
		account->peak += vmsi_min(doubt, known - account->peak);
	vmsi_account_verify(account);
}

/* --- marks --------------------------------------------------------------- */

void vmsi_account_lower_marks(struct vmsi_account *account)
{
	vmsi_marks_fell_to(&account->marks, vmsi_account_committed(account));
}

void vmsi_account_reach_marks(struct vmsi_account *account)
{
	vmsi_marks_rose_to(&account->marks, vmsi_account_reached(account));
}
