/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/align.h"
#include "base/versioned.h"
#include "budget/ask.h"
#include "budget/budget.h"
#include "budget/callback.h"
#include "budget/member.h"
#include "budget/round.h"
#include "budget/slots.h"
#include "budget/soft.h"
#include "host/host.h"

/* Budgets themselves: open, close, charge, figures. */

/* --- charging; the lock is held ------------------------------------------ */

/*
 * Charge a budget and all above it, or none. A shared one has no parent, so it
 * is asked last, and nothing can refuse after it has been charged.
 */
static int charge(struct vms_budget *budget, size_t bytes,
		  struct vms_budget **refuser)
{
	for (struct vms_budget *at = budget; at; at = at->parent) {
		bool fits = at->shared ? vmsi_ask_and_charge(at, bytes) == 0 :
					 vmsi_ledger_fits(&at->ledger, bytes);

		if (!fits) {
			*refuser = at;
			return -ENOMEM;
		}
	}
	for (struct vms_budget *at = budget; at && !at->shared; at = at->parent)
		vmsi_ledger_charge_forced(&at->ledger, bytes, 0);
	return 0;
}

static void charge_forced(struct vms_budget *budget, size_t bytes)
{
	for (; budget; budget = budget->parent) {
		vmsi_ledger_charge_forced(&budget->ledger, bytes, 0);
		if (budget->shared) {
			vmsi_slots_publish(budget);
			vmsi_slots_note_peak(budget, UINT64_MAX);
		}
	}
}

static void uncharge(struct vms_budget *budget, size_t bytes)
{
	for (; budget; budget = budget->parent) {
		vmsi_ledger_uncharge(&budget->ledger, bytes);
		if (budget->shared)
			vmsi_slots_publish(budget);
	}
}

/* A shared budget's peak stays, since other processes may have read it. */
static void take_back(struct vms_budget *budget, size_t bytes)
{
	for (; budget; budget = budget->parent) {
		vmsi_ledger_take_back(&budget->ledger, bytes);
		if (budget->shared)
			vmsi_slots_publish(budget);
	}
}

/* --- for spaces ---------------------------------------------------------- */

/* The end of what may change charges. */
static void leave(struct vms_budget *budget)
{
	vmsi_soft_note(budget);
	vmsi_budget_leave();
}

static int upper_charge(void *context, size_t bytes)
{
	struct vms_budget *refuser = NULL;
	int error;

	vmsi_budget_enter(context);
	error = charge(context, bytes, &refuser);
	leave(context);
	if (error)
		vmsi_budget_note_refusal(context, refuser, bytes);
	return error;
}

static void upper_charge_forced(void *context, size_t bytes)
{
	vmsi_budget_enter(context);
	charge_forced(context, bytes);
	leave(context);
}

static void upper_uncharge(void *context, size_t bytes)
{
	vmsi_budget_enter(context);
	uncharge(context, bytes);
	leave(context);
}

static void upper_take_back(void *context, size_t bytes)
{
	vmsi_budget_enter(context);
	take_back(context, bytes);
	leave(context);
}

static int upper_hold(void *context, const struct vmsi_hold *hold,
		      size_t refund)
{
	struct vms_budget *refuser = NULL;
	int error;

	vmsi_budget_enter(context);
	error = vmsi_held_hold(context, hold, refund, VMSI_HELD_ASK, &refuser);
	leave(context);
	if (error == -ENOMEM)
		vmsi_budget_note_refusal(context, refuser,
					 hold->bytes - hold->before);
	return error;
}

static int upper_hold_forced(void *context, const struct vmsi_hold *hold,
			     size_t refund)
{
	int error;

	vmsi_budget_enter(context);
	error = vmsi_held_hold(context, hold, refund, VMSI_HELD_FORCED, NULL);
	leave(context);
	return error;
}

static void upper_release(void *context, struct vmsi_object_id id)
{
	vmsi_budget_enter(context);
	vmsi_held_release(context, id, VMSI_HELD_RELEASE);
	leave(context);
}

static void upper_take_back_hold(void *context, const struct vmsi_hold *hold,
				 size_t refund)
{
	vmsi_budget_enter(context);
	if (hold->before == 0)
		vmsi_held_release(context, hold->id, VMSI_HELD_TAKE_BACK);
	charge_forced(context, refund);
	leave(context);
}

static bool upper_honours_noreserve(void *context)
{
	struct vms_budget *at = context;

	/* Without the lock: the policy in a ledger never changes. */
	for (; at; at = at->parent)
		if (!vmsi_ledger_honours_noreserve(&at->ledger))
			return false;
	return true;
}

const struct vmsi_ledger_upper vmsi_budget_upper = {
	.charge = upper_charge,
	.charge_forced = upper_charge_forced,
	.uncharge = upper_uncharge,
	.take_back = upper_take_back,
	.hold = upper_hold,
	.hold_forced = upper_hold_forced,
	.release = upper_release,
	.take_back_hold = upper_take_back_hold,
	.honours_noreserve = upper_honours_noreserve,
};

void vmsi_budget_use(struct vms_budget *budget)
{
	vmsi_lock_acquire(&vmsi_budget_lock);
	budget->users++;
	vmsi_lock_release(&vmsi_budget_lock);
}

void vmsi_budget_unuse(struct vms_budget *budget)
{
	vmsi_lock_acquire(&vmsi_budget_lock);
	budget->users--;
	vmsi_lock_release(&vmsi_budget_lock);
}

/* --- open and close ------------------------------------------------------ */

static bool options_are_good(const struct vms_budget_options *options)
{
	return (options->policy == VMS_COMMIT_HEURISTIC ||
		 options->policy == VMS_COMMIT_ALWAYS ||
		 options->policy == VMS_COMMIT_STRICT) &&
		!(options->flags & ~VMS_BUDGET_SHARED) &&
		!(options->flags & VMS_BUDGET_SHARED && options->parent) &&
		(!options->name || strlen(options->name) <= VMS_NAME_MAX);
}

/* Not from malloc, which may be built on a space with a budget. */
struct vms_budget *vmsi_budget_make(void)
{
	size_t bytes = vmsi_align_up(sizeof(struct vms_budget),
				     vmsi_page_size());
	long address = vmsi_host.mmap(0, bytes, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vms_budget *budget = (struct vms_budget *)address;

	if (address < 0)
		return NULL;
	vmsi_host.name_memory((uintptr_t)address, bytes, "vmspace budget");
	budget->fd = budget->lock_fd = budget->child_fd = -1;
	vmsi_held_init(budget);
	return budget;
}

void vmsi_budget_drop(struct vms_budget *budget)
{
	vmsi_held_end(budget);
	vmsi_host.munmap((uintptr_t)budget,
			 vmsi_align_up(sizeof(*budget), vmsi_page_size()));
}

static void enlist(struct vms_budget *budget)
{
	/* Without this call a linker leaves fork.c out of a static program. */
	vmsi_budget_handle_fork();
	vmsi_lock_acquire(&vmsi_budget_lock);
	vmsi_budgets_add(budget);
	if (budget->shared)
		vmsi_member_enlist(budget);
	vmsi_lock_release(&vmsi_budget_lock);
}

/* The end of opening a budget, whose steps came to error. */
static struct vms_budget *finish(struct vms_budget *budget, int error)
{
	if (!error)
		enlist(budget);
	else if (budget)
		vmsi_budget_drop(budget);
	return vmsi_budget_status(error) == 0 ? budget : NULL;
}

static int set_up(struct vms_budget *budget,
		  const struct vms_budget_options *options)
{
	vmsi_ledger_init(&budget->ledger,
			 options->limit ? options->limit : vmsi_host_memory(),
			 options->policy);
	if (options->name)
		memcpy(budget->name, options->name, strlen(options->name) + 1);
	if (options->flags & VMS_BUDGET_SHARED)
		return vmsi_member_create(budget);
	budget->parent = options->parent;
	if (budget->parent)
		vmsi_budget_use(budget->parent);
	return 0;
}

vms_budget *vms_budget_open(const struct vms_budget_options *options)
{
	struct vms_budget_options known = { 0 };
	struct vms_budget *budget = NULL;
	int error = options ? vmsi_take_options(&known, sizeof(known),
						VMSI_FIRST_BUDGET_OPTIONS,
						options) : 0;

	if (!error && !options_are_good(&known))
		error = -EINVAL;
	if (!error) {
		budget = vmsi_budget_make();
		error = budget ? set_up(budget, &known) : -ENOMEM;
	}
	return finish(budget, error);
}

vms_budget *vms_budget_from_fd(int fd)
{
	struct vms_budget *budget = vmsi_budget_make();
	int error = budget ? vmsi_member_attach(budget, fd) : -ENOMEM;

	return finish(budget, error);
}

/*
 * Two threads that are in callbacks could wait for each other for ever, each to close the
 * budget whose callback the other is in. So a callback waits for none.
 */
static bool may_await_callbacks(const struct vms_budget *budget)
{
	return !vmsi_callback_budget() || budget->running == 0;
}

/*
 * Under the lock. Callbacks are asked for requests of others, too: one that runs ends first,
 * and its budget is not asked again. It may have opened a space or a budget that uses this
 * one.
 */
static int end_use(struct vms_budget *budget)
{
	if (budget->users || !may_await_callbacks(budget))
		return -EBUSY;
	budget->is_closing = true;
	vmsi_callback_await(budget);
	budget->is_closing = false;
	if (budget->users)
		return -EBUSY;
	vmsi_budgets_remove(budget);
	return 0;
}

int vms_budget_close(vms_budget *budget)
{
	int error;

	if (!budget)
		return vmsi_budget_status(-EINVAL);
	vmsi_budget_enter(budget);
	error = end_use(budget);
	if (error) {
		vmsi_budget_leave();
		return vmsi_budget_status(error);
	}
	vmsi_soft_end(budget);
	uncharge(budget, budget->by_hand);
	if (budget->parent)
		budget->parent->users--;
	if (budget->shared)
		vmsi_member_close(budget);
	leave(budget->parent);
	vmsi_budget_drop(budget);
	return 0;
}

/* --- by hand ------------------------------------------------------------- */

static int charge_by_hand(struct vms_budget *budget, size_t bytes)
{
	struct vms_budget *refuser = NULL;
	int error;

	vmsi_budget_begin();
	vmsi_budget_enter(budget);
	error = charge(budget, bytes, &refuser);
	if (!error)
		budget->by_hand += bytes;
	leave(budget);
	if (error)
		vmsi_budget_note_refusal(budget, refuser, bytes);
	return error;
}

int vms_budget_charge(vms_budget *budget, size_t bytes)
{
	struct vmsi_attempts attempts = { 0 };
	int error;

	if (!budget)
		return vmsi_budget_status(-EINVAL);
	do
		error = charge_by_hand(budget, bytes);
	while (error && vmsi_budget_ask(&attempts) == VMSI_BUDGET_TRY_AGAIN);
	vmsi_budget_tell_early();
	return vmsi_budget_status(error);
}

int vms_budget_uncharge(vms_budget *budget, size_t bytes)
{
	int error = -EINVAL;

	if (!budget)
		return vmsi_budget_status(error);
	vmsi_budget_enter(budget);
	if (bytes <= budget->by_hand) {
		uncharge(budget, bytes);
		budget->by_hand -= bytes;
		error = 0;
	}
	leave(budget);
	return vmsi_budget_status(error);
}

/* --- the rest ------------------------------------------------------------ */

int vms_budget_set_limit(vms_budget *budget, size_t limit)
{
	if (!budget)
		return vmsi_budget_status(-EINVAL);
	limit = limit ? limit : vmsi_host_memory();
	vmsi_budget_enter(budget);
	budget->ledger.limit = limit;
	if (budget->shared)
		atomic_store(&budget->shared->head.limit, limit);
	vmsi_budget_leave();
	return 0;
}

int vms_budget_set_callback(vms_budget *budget, vms_budget_callback callback,
			    void *context)
{
	if (!budget)
		return vmsi_budget_status(-EINVAL);
	vmsi_budget_enter(budget);
	budget->callback = callback;
	budget->context = context;
	vmsi_budget_leave();
	return 0;
}

/* Read the figures of all processes, which are not in the ledger. */
static void read_shared(struct vms_budget *budget,
			struct vms_budget_stats *stats)
{
	struct vmsi_budget_head *head = &budget->shared->head;

	stats->limit = atomic_load(&head->limit);
	stats->committed_peak = atomic_load(&head->peak);
	stats->refusals = atomic_load(&head->refusals);
	if (budget->is_published) {
		stats->committed = atomic_load(&head->charged);
		stats->processes = atomic_load(&head->processes);
		return;
	}
	vmsi_slots_reap(budget);
	stats->committed = vmsi_slots_charged(budget);
	stats->processes = vmsi_slots_processes(budget);
}

int vms_budget_get_stats(vms_budget *budget, struct vms_budget_stats *stats)
{
	struct vms_budget_stats known;
	int error = budget && stats ?
		vmsi_check_struct_size(stats->struct_size,
				       VMSI_FIRST_BUDGET_STATS) : -EINVAL;

	if (error)
		return vmsi_budget_status(error);
	vmsi_budget_enter(budget);
	known = (struct vms_budget_stats){
		.limit = budget->ledger.limit,
		.policy = budget->ledger.policy,
		.committed = budget->ledger.charged,
		.committed_here = budget->ledger.charged,
		.committed_peak = budget->ledger.peak,
		.refusals = budget->ledger.refusals,
		.processes = 1,
		.soft_limit = budget->soft_limit,
	};
	if (budget->shared)
		read_shared(budget, &known);
	vmsi_budget_leave();
	vmsi_give_figures(stats, &known, sizeof(known));
	return 0;
}

const char *vms_budget_name(const vms_budget *budget)
{
	return budget->name;
}

int vms_budget_fd(const vms_budget *budget)
{
	if (!budget || !budget->shared)
		return vmsi_budget_status(-EINVAL);
	return budget->fd;
}
