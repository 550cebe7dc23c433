/* SPDX-License-Identifier: MIT */
#include "group/account/pending.h"

/* The invariants of an account, by their numbers in docs/invariants.md. */

struct sums {
	size_t owned, twice, copies, forks;
};

static bool is_once_a_thread(const struct vmsi_pendings *pendings)
{
	for (size_t i = 0; i < pendings->count; i++)
		for (size_t j = 0; j < i; j++)
			if (pendings->list[i].effect.thread ==
				    pendings->list[j].effect.thread &&
			    vmsi_pending_is_under_way(&pendings->list[i]) &&
			    vmsi_pending_is_under_way(&pendings->list[j]))
				return false;
	return true;
}

/*
 * Whether each effect is of a fork whose child has not been seen, or under way
 * if that may be.
 */
static bool are_pending(const struct vmsi_pendings *pendings, bool may_be)
{
	for (size_t i = 0; i < pendings->count; i++) {
		const struct vmsi_pending *pending = &pendings->list[i];

		if (vmsi_pending_is_under_way(pending) ? !may_be :
		    !vmsi_pending_has_copy(pending))
			return false;
	}
	return true;
}

static void add_copies(const struct vmsi_pendings *pendings, struct sums *sums)
{
	for (size_t i = 0; i < pendings->count; i++)
		if (vmsi_pending_has_copy(&pendings->list[i])) {
			sums->copies += pendings->list[i].effect.bytes;
			sums->forks++;
		}
}

static const char *check_process(const struct vmsi_account_process *process,
				 struct sums *sums)
{
	sums->owned += vmsi_account_of(process);
	sums->twice += process->twice;
	add_copies(&process->pending, sums);
	if (process->twice > process->unseen)
		return "A2: more may be there twice than was granted";
	if (!is_once_a_thread(&process->pending))
		return "A5: a thread has two calls under way";
	return are_pending(&process->pending, true) ? NULL :
		"A5: what was made is still pending";
}

const char *vmsi_account_broken(const struct vmsi_account *account)
{
	const struct vmsi_account_process *process = account->processes;
	struct sums sums = { 0, 0, 0, 0 };
	const char *broken = NULL;

	for (; process && !broken; process = process->next)
		broken = check_process(process, &sums);
	add_copies(&account->orphans, &sums);
	if (broken)
		return broken;
	if (sums.owned != account->owned)
		return "A1: the group has not the sum of its processes";
	if (sums.copies != account->copies || sums.forks != account->forks)
		return "A1: the group has not the sum of pending children";
	if (sums.twice != account->twice)
		return "A2: what may be there twice is not the sum";
	if (!are_pending(&account->orphans, false))
		return "A5: an orphan is still being made";
	return account->policy == VMS_COMMIT_STRICT && !account->was_over &&
		account->peak > account->limit ?
		"A4: the peak is above the limit that nothing passed" : NULL;
}
