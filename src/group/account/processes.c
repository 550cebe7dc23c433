/* SPDX-License-Identifier: MIT */
#include "group/account/inside.h"

#include <stdlib.h>

#include "base/align.h"

/* Processes of an account: children, who has whose memory, and ends. */

void vmsi_account_add(struct vmsi_account *account,
		      struct vmsi_account_process *process)
{
	process->previous = NULL;
	process->next = account->processes;
	if (process->next)
		process->next->previous = process;
	account->processes = process;
	vmsi_account_verify(account);
}

static void unlink_process(struct vmsi_account *account,
			   struct vmsi_account_process *process)
{
	if (process->next)
		process->next->previous = process->previous;
	if (process->previous)
		process->previous->next = process->next;
	else
		account->processes = process->next;
	process->next = process->previous = NULL;
}

const struct vmsi_effect *
vmsi_account_find_child(const struct vmsi_account *account,
			const struct vmsi_account_process *parent,
			size_t needed)
{
	const struct vmsi_pendings *pendings =
		parent ? &parent->pending : &account->orphans;
	const size_t i = vmsi_pendings_find_copy(pendings, needed);

	return i < pendings->count ? &pendings->list[i].effect : NULL;
}

/*
 * Nothing tells which fork of its parent has made a child. The child takes the
 * copy that suits it best, and a fork is over that is known to have been made,
 * if there is one: see vmsi_pendings_change_with_made.
 */
struct vmsi_call_notes
vmsi_account_born(struct vmsi_account *account,
		  struct vmsi_account_process *parent,
		  struct vmsi_account_process *child, size_t needed)
{
	struct vmsi_pendings *pendings =
		parent ? &parent->pending : &account->orphans;
	size_t i = vmsi_pendings_find_copy(pendings, needed);
	struct vmsi_effect copy;

	if (i == pendings->count)
		return (struct vmsi_call_notes){ .number = 0 };
	i = vmsi_pendings_change_with_made(pendings, i);
	copy = pendings->list[i].effect;
	vmsi_account_release_copy(account, &pendings->list[i]);
	if (pendings->list[i].state == VMSI_PENDING_GRANTED)
		pendings->list[i].state = VMSI_PENDING_SEEN;
	else
		(void)vmsi_pendings_remove(pendings, i);
	child->credit = copy.credit;
	vmsi_account_set(account, child, child->measured, copy.bytes, 0);
	vmsi_account_verify(account);
	return copy.notes;
}

void vmsi_account_seek(struct vmsi_account *account)
{
	struct vmsi_account_process *process = account->processes;

	vmsi_pendings_seek(&account->orphans);
	for (; process; process = process->next)
		vmsi_pendings_seek(&process->pending);
}

static void drop_sought(struct vmsi_account *account,
			struct vmsi_pendings *pendings)
{
	for (size_t i = pendings->count; i-- > 0;)
		if (pendings->list[i].state == VMSI_PENDING_SOUGHT)
			(void)vmsi_account_remove_pending(account, pendings, i);
}

void vmsi_account_drop_sought(struct vmsi_account *account)
{
	struct vmsi_account_process *process = account->processes;

	drop_sought(account, &account->orphans);
	for (; process; process = process->next)
		drop_sought(account, &process->pending);
	vmsi_account_verify(account);
}

bool vmsi_account_hand_over(struct vmsi_account *account,
			    struct vmsi_account_process *from,
			    struct vmsi_account_process *to)
{
	const size_t unmade = vmsi_pendings_unmade(&from->pending);
	const size_t has = vmsi_account_of(from);
	const size_t made = has - vmsi_min(has, unmade);

	vmsi_account_set(account, from, 0, unmade, unmade);
	vmsi_account_add_unseen(account, to, made);
	vmsi_account_verify(account);
	return made > 0;
}

void vmsi_account_leave(struct vmsi_account *account,
			struct vmsi_account_process *from,
			struct vmsi_account_process *to)
{
	const size_t has = vmsi_account_of(from);

	vmsi_account_set(account, from, 0, 0, 0);
	vmsi_account_add_unseen(account, to, has);
	vmsi_account_verify(account);
}

void vmsi_account_executes(struct vmsi_account *account,
			   struct vmsi_account_process *process)
{
	vmsi_account_confirm_all(account, process);
	process->credit = 0;
	vmsi_account_verify(account);
}

void vmsi_account_free_process(struct vmsi_account_process *process)
{
	free(process->pending.list);
	process->pending = (struct vmsi_pendings){ NULL, 0, 0 };
}

void vmsi_account_ended(struct vmsi_account *account,
			struct vmsi_account_process *process)
{
	const struct vmsi_pendings *left = &process->pending;

	vmsi_account_set(account, process, 0, 0, 0);
	vmsi_account_confirm_all(account, process);
	for (size_t i = 0; i < left->count; i++)
		/*
		 * Without memory to keep the copy it is uncharged, and the child
		 * is charged from its first look on.
		 */
		if (vmsi_pendings_add(&account->orphans, &left->list[i]))
			vmsi_account_release_copy(account, &left->list[i]);
	vmsi_account_free_process(process);
	unlink_process(account, process);
	vmsi_account_verify(account);
}
