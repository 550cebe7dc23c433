/* SPDX-License-Identifier: MIT */
#include "group/account.h"

#include <errno.h>
#include <stdlib.h>

#include "base/align.h"
#include "commit/commit.h"
#include "group/account_pending.h"

void vmsi_account_init(struct vmsi_account *account, size_t limit,
		       enum vms_commit_policy policy)
{
	*account = (struct vmsi_account){ .limit = limit, .policy = policy };
}

void vmsi_account_free(struct vmsi_account *account)
{
	free(account->orphans.list);
	account->orphans = (struct vmsi_pendings){ NULL, 0, 0 };
}

/* --- the figures --------------------------------------------------------- */

size_t vmsi_account_committed(const struct vmsi_account *account)
{
	return account->owned + account->copies + account->objects;
}

size_t vmsi_account_of(const struct vmsi_account_process *process)
{
	return process->measured + process->unseen;
}

size_t vmsi_account_doubt(const struct vmsi_account_process *process)
{
	return process->unseen;
}

bool vmsi_account_fits(const struct vmsi_account *account, size_t bytes)
{
	return vmsi_commit_fits(VMS_COMMIT_STRICT, account->limit,
				vmsi_account_committed(account), bytes);
}

size_t vmsi_account_room_for(const struct vmsi_account *account, size_t bytes)
{
	return account->limit > bytes ? account->limit - bytes : 0;
}

/* What is there once, for sure or at most. */
static size_t sum_without_twice(const struct vmsi_account *account)
{
	return vmsi_account_committed(account) - account->twice;
}

/* Nobody can refuse an image, a grown stack or what a look finds. */
static void note_over(struct vmsi_account *account)
{
	if (sum_without_twice(account) > account->limit)
		account->was_over = true;
}

/*
 * The only place that changes what a process has; the sum and the peak of the
 * process follow. What may be there twice is no more than what was granted.
 */
static void set_process(struct vmsi_account *account,
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
	note_over(account);
}

static void add_unseen(struct vmsi_account *account,
		       struct vmsi_account_process *process, size_t bytes)
{
	set_process(account, process, process->measured,
		    process->unseen + bytes, process->twice);
}

static void take_unseen(struct vmsi_account *account,
			struct vmsi_account_process *process, size_t bytes)
{
	set_process(account, process, process->measured,
		    process->unseen - vmsi_min(bytes, process->unseen),
		    process->twice);
}

/* Where what is given up was measured is not known: most of it was. */
static size_t give_up(struct vmsi_account *account,
		      struct vmsi_account_process *process, size_t bytes)
{
	const size_t given = vmsi_min(bytes, vmsi_account_of(process));
	const size_t measured = vmsi_min(given, process->measured);

	set_process(account, process, process->measured - measured,
		    process->unseen - (given - measured), process->twice);
	return given;
}

/* --- granting ------------------------------------------------------------ */

static size_t bytes_given_up(const struct vmsi_effect *effect)
{
	return effect->replaced_of ?
		vmsi_min(effect->replaced, vmsi_account_of(effect->replaced_of)) : 0;
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

/* Linux compares a single call with the whole limit under its heuristic. */
bool vmsi_account_has_room(const struct vmsi_account *account,
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

static void charge(struct vmsi_account *account,
		   struct vmsi_account_process *process,
		   const struct vmsi_effect *effect,
		   struct vmsi_account_process *copiers)
{
	switch (effect->kind) {
	case VMSI_EFFECT_OWN:
		add_unseen(account, process, effect->bytes);
		for (; copiers; copiers = copiers->next_copier)
			grow_copies(account, copiers, effect->bytes);
		break;
	case VMSI_EFFECT_CHILD:
		account->copies += effect->bytes;
		break;
	case VMSI_EFFECT_OBJECT:
		account->objects += effect->bytes + effect->replaced;
		if (effect->replaced_of)
			(void)give_up(account, effect->replaced_of,
				      effect->replaced);
		break;
	}
	note_over(account);
}

static void raise_peak_to(struct vmsi_account *account, size_t sum)
{
	if (sum > account->peak + account->twice)
		account->peak = sum - account->twice;
}

int vmsi_account_grant(struct vmsi_account *account,
		       struct vmsi_account_process *process,
		       const struct vmsi_effect *effect,
		       struct vmsi_account_process *copiers)
{
	const size_t before = vmsi_account_committed(account);
	struct vmsi_effect noted = *effect;

	if (!vmsi_account_has_room(account, effect, copiers))
		return -EDQUOT;
	noted.replaced = bytes_given_up(effect);
	noted.replaced_of = NULL;
	if (vmsi_account_note(account, process, &noted))
		return -ENOMEM;
	charge(account, process, effect, copiers);
	if (effect->is_looked_at)
		raise_peak_to(account, before + effect->bytes);
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

/* The child of a fork is seen, or will never be: its copy is the child's. */
static void release_copy(struct vmsi_account *account,
			 const struct vmsi_pending *pending)
{
	account->copies -= pending->effect.bytes;
	account->forks--;
}

static struct vmsi_effect remove_pending(struct vmsi_account *account,
					 struct vmsi_pendings *pendings,
					 size_t i)
{
	if (vmsi_pending_has_copy(&pendings->list[i]))
		release_copy(account, &pendings->list[i]);
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
	/* What replaced would have been is still the process's own. */
	add_unseen(account, process, effect->replaced);
	/* What of its part counted before is not known: looks tell. */
	if (!effect->stays)
		account->objects -= vmsi_min(effect->bytes + effect->replaced,
					account->objects);
}

void vmsi_account_withdraw(struct vmsi_account *account,
			   struct vmsi_account_process *process, pid_t thread)
{
	const size_t i = vmsi_pendings_find(&process->pending, thread);
	struct vmsi_effect effect;

	if (i == process->pending.count)
		return;
	effect = remove_pending(account, &process->pending, i);
	undo(account, process, &effect);
	vmsi_account_verify(account);
}

/* What it added stays, until figures are read that show it. */
void vmsi_account_confirm_at(struct vmsi_account *account,
			     struct vmsi_account_process *process, size_t i)
{
	struct vmsi_pendings *pendings = &process->pending;

	if (!vmsi_pending_may_copy(&pendings->list[i]))
		(void)remove_pending(account, pendings, i);
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

static void confirm_all(struct vmsi_account *account,
			struct vmsi_account_process *process)
{
	for (size_t i = process->pending.count; i-- > 0;)
		if (vmsi_pending_is_under_way(&process->pending.list[i]))
			vmsi_account_confirm_at(account, process, i);
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

/* --- looks --------------------------------------------------------------- */

void vmsi_account_measured(struct vmsi_account *account,
			   struct vmsi_account_process *process, size_t bytes)
{
	const size_t unmade = vmsi_pendings_unmade(&process->pending);

	set_process(account, process,
		    bytes - vmsi_min(bytes, process->credit), unmade, unmade);
	vmsi_account_verify(account);
}

void vmsi_account_emptied(struct vmsi_account *account,
			  struct vmsi_account_process *process)
{
	set_process(account, process, 0, 0, 0);
	vmsi_account_verify(account);
}

void vmsi_account_grew(struct vmsi_account *account,
		       struct vmsi_account_process *process, size_t bytes)
{
	set_process(account, process, process->measured + bytes,
		    process->unseen, process->twice);
	vmsi_account_verify(account);
}

void vmsi_account_measured_objects(struct vmsi_account *account, size_t bytes,
				   bool is_partial)
{
	if (is_partial && bytes < account->objects)
		return;
	account->objects = bytes;
	note_over(account);
	vmsi_account_verify(account);
}

/* --- processes ----------------------------------------------------------- */

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
 * Which fork of its parent's a child is of is not told. It takes the copy that
 * suits it, and a fork is over that is known to be made, so that those that may be
 * under way are waited for: the two change copies.
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
	release_copy(account, &pendings->list[i]);
	if (pendings->list[i].state == VMSI_PENDING_GRANTED)
		pendings->list[i].state = VMSI_PENDING_SEEN;
	else
		(void)vmsi_pendings_remove(pendings, i);
	child->credit = copy.credit;
	set_process(account, child, child->measured, copy.bytes, 0);
	vmsi_account_verify(account);
	return copy.notes;
}

size_t vmsi_account_forks_under_way(const struct vmsi_account_process *process)
{
	size_t forks = 0;

	for (size_t i = 0; i < process->pending.count; i++)
		forks += vmsi_pending_may_copy(&process->pending.list[i]);
	return forks;
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
			(void)remove_pending(account, pendings, i);
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

	set_process(account, from, 0, unmade, unmade);
	add_unseen(account, to, made);
	vmsi_account_verify(account);
	return made > 0;
}

void vmsi_account_leave(struct vmsi_account *account,
			struct vmsi_account_process *from,
			struct vmsi_account_process *to)
{
	const size_t has = vmsi_account_of(from);

	set_process(account, from, 0, 0, 0);
	add_unseen(account, to, has);
	vmsi_account_verify(account);
}

void vmsi_account_executes(struct vmsi_account *account,
			   struct vmsi_account_process *process)
{
	confirm_all(account, process);
	process->credit = 0;
	vmsi_account_verify(account);
}

void vmsi_account_ended(struct vmsi_account *account,
			struct vmsi_account_process *process)
{
	set_process(account, process, 0, 0, 0);
	confirm_all(account, process);
	for (size_t i = 0; i < process->pending.count; i++)
		/* Without memory for it, the child counts when it is looked at. */
		if (vmsi_pendings_add(&account->orphans,
				      &process->pending.list[i]))
			release_copy(account, &process->pending.list[i]);
	free(process->pending.list);
	process->pending = (struct vmsi_pendings){ NULL, 0, 0 };
	unlink_process(account, process);
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

void vmsi_account_raise_peak(struct vmsi_account *account)
{
	raise_peak_to(account, vmsi_account_committed(account));
	vmsi_account_verify(account);
}

void vmsi_account_note_last(struct vmsi_account *account,
			    const struct vmsi_account_process *process)
{
	const size_t known = sum_without_twice(account) - account->copies;
	const size_t doubt = process->unseen - process->twice;

	if (known > account->peak)
		account->peak += vmsi_min(doubt, known - account->peak);
	vmsi_account_verify(account);
}
