/* SPDX-License-Identifier: MIT */
#include "group/account/inside.h"

#include <errno.h>

#include "base/align.h"
#include "commit/commit.h"

/* Calls that are let through or refused, and what becomes of them. */

static void take_unseen(struct vmsi_account *account,
			struct vmsi_account_process *process, size_t bytes)
{
	vmsi_account_set(account, process, process->measured,
			 process->unseen - vmsi_min(bytes, process->unseen),
			 process->twice);
}

/* Most memory that is given up was there at the last look. */
static void give_up(struct vmsi_account *account,
		    struct vmsi_account_process *process, size_t bytes)
{
	const size_t given = vmsi_min(bytes, vmsi_account_of(process));
	const size_t measured = vmsi_min(given, process->measured);

	vmsi_account_set(account, process, process->measured - measured,
			 process->unseen - (given - measured), process->twice);
}

size_t vmsi_account_forks_under_way(const struct vmsi_account_process *process)
{
	size_t forks = 0;

	for (size_t i = 0; i < process->pending.count; i++)
		forks += vmsi_pending_may_copy(&process->pending.list[i]);
	return forks;
}

/* --- granting ------------------------------------------------------------ */

static size_t bytes_given_up(const struct vmsi_effect *effect)
{
	const size_t most = effect->replaced_of ?
		vmsi_account_of(effect->replaced_of) : 0;

	return vmsi_min(effect->replaced, most);
}

size_t vmsi_account_cost(const struct vmsi_effect *effect,
			 const struct vmsi_account_process *copiers)
{
	size_t copies = 1, cost;

	if (effect->kind == VMSI_EFFECT_OBJECT)
		return vmsi_add_saturating(effect->bytes, effect->replaced -
					   bytes_given_up(effect));
	if (effect->kind == VMSI_EFFECT_CHILD)
		return effect->bytes;
	for (; copiers; copiers = copiers->next_copier)
		copies += vmsi_account_forks_under_way(copiers);
	return vmsi_multiply(effect->bytes, copies, &cost) ? cost : SIZE_MAX;
}

/* Under its heuristic, Linux compares a single call with the whole limit. */
bool vmsi_account_allows(const struct vmsi_account *account,
			   const struct vmsi_effect *effect,
			   const struct vmsi_account_process *copiers)
{
	return vmsi_commit_fits(account->policy, account->limit,
				vmsi_account_committed(account),
				account->policy == VMS_COMMIT_STRICT ?
				vmsi_account_cost(effect, copiers) :
				effect->bytes);
}

static void grow_copies(struct vmsi_account *account,
			struct vmsi_account_process *copier, size_t bytes)
{
	for (size_t i = 0; i < copier->pending.count; i++) {
		struct vmsi_pending *pending = &copier->pending.list[i];

		if (!vmsi_pending_may_copy(pending))
			continue;
		pending->effect.bytes += bytes;
		account->copies += bytes;
	}
}

static void grow_all_copies(struct vmsi_account *account,
			    struct vmsi_account_process *copiers, size_t bytes)
{
	for (; copiers; copiers = copiers->next_copier)
		grow_copies(account, copiers, bytes);
}

void vmsi_account_copies_grew(struct vmsi_account *account, size_t bytes,
			      struct vmsi_account_process *copiers)
{
	grow_all_copies(account, copiers, bytes);
	vmsi_account_note_over(account);
	vmsi_account_verify(account);
}

void vmsi_account_grew(struct vmsi_account *account,
		       struct vmsi_account_process *process, size_t bytes,
		       struct vmsi_account_process *copiers)
{
	vmsi_account_set(account, process, process->measured + bytes,
			 process->unseen, process->twice);
	vmsi_account_copies_grew(account, bytes, copiers);
}

static void charge(struct vmsi_account *account,
		   struct vmsi_account_process *process,
		   const struct vmsi_effect *effect,
		   struct vmsi_account_process *copiers)
{
	switch (effect->kind) {
	case VMSI_EFFECT_OWN:
		vmsi_account_add_unseen(account, process, effect->bytes);
		grow_all_copies(account, copiers, effect->bytes);
		break;
	case VMSI_EFFECT_CHILD:
		account->copies += effect->bytes;
		break;
	case VMSI_EFFECT_OBJECT:
		account->objects += effect->bytes + effect->replaced;
		if (effect->replaced_of)
			give_up(account, effect->replaced_of,
				effect->replaced);
		break;
	}
	vmsi_account_note_over(account);
}

int vmsi_account_grant(struct vmsi_account *account,
		       struct vmsi_account_process *process,
		       const struct vmsi_effect *effect,
		       struct vmsi_account_process *copiers)
{
	const size_t before = vmsi_account_reached(account);
	struct vmsi_effect noted = *effect;

	if (!vmsi_account_allows(account, effect, copiers))
		return -EDQUOT;
	noted.replaced = bytes_given_up(effect);
	noted.replaced_of = NULL;
	if (vmsi_account_note(account, process, &noted))
		return -ENOMEM;
	charge(account, process, effect, copiers);
	if (effect->is_looked_at)
		vmsi_account_raise_peak_to(account, before + effect->bytes);
	if (effect->may_reach_mark)
		vmsi_marks_rose_to(&account->marks, before + effect->bytes);
	vmsi_debug_check(account->policy != VMS_COMMIT_STRICT ||
			 vmsi_account_fits(account, 0),
			 "A3: a grant has passed the limit");
	vmsi_account_verify(account);
	return 0;
}

int vmsi_account_note(struct vmsi_account *account,
		      struct vmsi_account_process *process,
		      const struct vmsi_effect *effect)
{
	const struct vmsi_pending pending = {
		.effect = *effect, .state = VMSI_PENDING_GRANTED };

	if (vmsi_pendings_add(&process->pending, &pending))
		return -ENOMEM;
	account->forks += effect->kind == VMSI_EFFECT_CHILD;
	return 0;
}

/* --- what becomes of what was granted ------------------------------------- */

void vmsi_account_release_copy(struct vmsi_account *account,
			       const struct vmsi_pending *pending)
{
	account->copies -= pending->effect.bytes;
	account->forks--;
}

struct vmsi_effect vmsi_account_remove_pending(struct vmsi_account *account,
					       struct vmsi_pendings *pendings,
					       size_t i)
{
	if (vmsi_pending_has_copy(&pendings->list[i]))
		vmsi_account_release_copy(account, &pendings->list[i]);
	return vmsi_pendings_remove(pendings, i);
}

static void undo(struct vmsi_account *account,
		 struct vmsi_account_process *process,
		 const struct vmsi_effect *effect)
{
	if (effect->kind == VMSI_EFFECT_OWN)
		take_unseen(account, process, effect->bytes);
	if (effect->kind != VMSI_EFFECT_OBJECT)
		return;
	/*
	 * The private memory was not replaced: it counts for the process again.
	 */
	vmsi_account_add_unseen(account, process, effect->replaced);
	/*
	 * If parts counted before, only a look can tell how much to take off.
	 */
	if (!effect->stays)
		account->objects -= vmsi_min(account->objects, effect->bytes +
					     effect->replaced);
}

void vmsi_account_withdraw(struct vmsi_account *account,
			   struct vmsi_account_process *process, pid_t thread)
{
	const size_t i = vmsi_pendings_find(&process->pending, thread);
	struct vmsi_effect effect;

	if (i == process->pending.count)
		return;
	effect = vmsi_account_remove_pending(account, &process->pending, i);
	undo(account, process, &effect);
	vmsi_account_verify(account);
}

void vmsi_account_confirm_at(struct vmsi_account *account,
			     struct vmsi_account_process *process, size_t i)
{
	struct vmsi_pendings *pendings = &process->pending;

	if (!vmsi_pending_may_copy(&pendings->list[i]))
		(void)vmsi_account_remove_pending(account, pendings, i);
	else if (!vmsi_pendings_give_to_seen(pendings, i))
		pendings->list[i].state = VMSI_PENDING_MADE;
}

void vmsi_account_confirm(struct vmsi_account *account,
			  struct vmsi_account_process *process, pid_t thread)
{
	size_t i;

	while ((i = vmsi_pendings_find(&process->pending, thread)) <
	       process->pending.count)
		vmsi_account_confirm_at(account, process, i);
	vmsi_account_verify(account);
}

void vmsi_account_confirm_all(struct vmsi_account *account,
			      struct vmsi_account_process *process)
{
	for (size_t i = process->pending.count; i-- > 0;)
		if (vmsi_pending_is_under_way(&process->pending.list[i]))
			vmsi_account_confirm_at(account, process, i);
}

size_t vmsi_account_replaced(const struct vmsi_account_process *process)
{
	size_t bytes = 0;

	for (size_t i = 0; i < process->pending.count; i++)
		if (vmsi_pending_is_under_way(&process->pending.list[i]))
			bytes += process->pending.list[i].effect.replaced;
	return bytes;
}

bool vmsi_account_has_unmade(const struct vmsi_account_process *process)
{
	for (size_t i = 0; i < process->pending.count; i++)
		if (vmsi_pending_is_under_way(&process->pending.list[i]))
			return true;
	return false;
}

bool vmsi_account_has_loose(const struct vmsi_account *account)
{
	const struct vmsi_account_process *process = account->processes;

	while (process && !vmsi_pendings_have_loose(&process->pending))
		process = process->next;
	return process != NULL;
}
