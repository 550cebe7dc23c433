/* SPDX-License-Identifier: MIT */
#include "account_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct account_counts *account_world_counts(void)
{
	return &world.counts;
}

const char *account_world_last(void)
{
	return world.last;
}

/* --- calls --------------------------------------------------------------- */

static struct vmsi_account_process *copiers_of(const struct process *process)
{
	struct vmsi_account_process *copiers = NULL;

	for (int i = 0; i < PROCESSES; i++) {
		struct process *other = &world.processes[i];

		if (world.forks_are_free || !other->alive ||
		    other->counter != process->counter ||
		    !vmsi_account_forks_under_way(&other->account))
			continue;
		other->account.next_copier = copiers;
		copiers = &other->account;
	}
	return copiers;
}

/* Return how many forks of a process the account takes to be under way. */
static size_t copies_of(const struct process *process)
{
	size_t copies = 0;

	for (int i = 0; i < PROCESSES; i++) {
		const struct process *other = &world.processes[i];

		if (!world.forks_are_free && other->alive &&
		    other->counter == process->counter)
			copies += vmsi_account_forks_under_way(&other->account);
	}
	return copies;
}

static size_t some_bytes(void)
{
	if (kernel_below(50) == 0 && world.account.policy != VMS_COMMIT_ALWAYS)
		return SIZE_MAX / (1 + kernel_below(3));
	return 1 + kernel_below(MOST_BYTES);
}

static struct vmsi_effect some_own(void)
{
	struct vmsi_effect effect = { .kind = VMSI_EFFECT_OWN };

	if (kernel_below(3))
		effect.bytes = some_bytes();
	else
		effect.moved = 1 + kernel_below(MOST_BYTES);
	if (effect.bytes && kernel_below(4) == 0)
		effect.moved = 1 + kernel_below(MOST_BYTES);
	return effect;
}

static struct vmsi_effect some_fork(const struct process *process)
{
	struct vmsi_effect effect = { .kind = VMSI_EFFECT_CHILD };
	const size_t copy = said_of_memory(process->counter) +
		said_to_be_replaced(process->counter);

	if (world.forks_are_free)
		effect.credit = copy + counter_of(process)->credit;
	else
		effect.bytes = copy;
	return effect;
}

static struct vmsi_effect some_object(struct process *process)
{
	struct process *counter = counter_of(process);
	struct vmsi_effect effect = { .kind = VMSI_EFFECT_OBJECT };

	effect.bytes = some_bytes();
	effect.stays = kernel_below(2);
	if (kernel_below(3))
		return effect;
	/* Calls under way may replace some of it already. */
	effect.replaced = kernel_below(1 + kernel_less(counter->real,
				about_to_be_replaced(process->counter)));
	effect.replaced_of = &counter->account;
	return effect;
}

static bool is_free(const struct vmsi_effect *effect)
{
	return effect->bytes == 0 && effect->replaced == 0;
}

/* Return the private memory that the account will count for the object. */
static size_t given_up(const struct vmsi_effect *effect)
{
	const size_t most = effect->replaced_of ?
		vmsi_account_of(effect->replaced_of) : 0;

	return effect->replaced < most ? effect->replaced : most;
}

/* Return what the policy must answer, by the figures before the request. */
static bool may_grant(const struct process *process,
		      const struct vmsi_effect *effect, size_t before)
{
	const size_t limit = world.account.limit;
	const size_t times = effect->kind == VMSI_EFFECT_OWN ?
		1 + copies_of(process) : 1;
	const size_t given = given_up(effect);

	if (world.account.policy != VMS_COMMIT_STRICT)
		return world.account.policy == VMS_COMMIT_ALWAYS ||
			effect->bytes <= limit;
	return effect->bytes <= limit && before <= limit &&
		effect->bytes * times + effect->replaced - given <=
			limit - before;
}

/* Return whether the account grants the call. */
static bool ask(struct process *process, const struct vmsi_effect *effect)
{
	const struct vmsi_account before = world.account;
	const size_t sum = vmsi_account_committed(&before);
	const bool may = may_grant(process, effect, sum);
	const size_t given = given_up(effect);
	struct shadow_peak reached = shadow_reached();
	int error;

	if (is_free(effect))
		return vmsi_account_note(&world.account, &process->account,
					 effect) == 0;
	error = vmsi_account_grant(&world.account, &process->account, effect,
				   copiers_of(process));
	kernel_require(error == 0 || error == -EDQUOT, "a surprising error");
	kernel_require((error == 0) == may, may ?
		"it fitted, and was refused" :
		"it did not fit, and was granted");
	if (error) {
		world.counts.refused++;
		kernel_require(memcmp(&before, &world.account, sizeof before) == 0,
			"a refusal has changed the account");
		return false;
	}
	world.counts.granted++;
	shadow_granted(process, effect);
	shadow_gave_up(counter_of(process), given);
	reached.high += effect->bytes;
	if (effect->is_looked_at)
		shadow_raise_peak(reached);
	world.counts.peaks += world.account.peak > before.peak;
	if (world.account.policy == VMS_COMMIT_STRICT)
		kernel_require(vmsi_account_fits(&world.account, 0),
			"a grant has passed the limit");
	return true;
}

/* A call that was granted is not let through. */
static void withdraw(struct process *process, const struct vmsi_effect *effect,
		     size_t given)
{
	const size_t sum = vmsi_account_of(&process->account);

	/*
	 * Another call has mapped a part of the object in the meantime, and was
	 * charged nothing for that.
	 */
	if (effect->kind == VMSI_EFFECT_OBJECT && effect->stays)
		world.objects += kernel_below(1 + effect->bytes + given);
	vmsi_account_withdraw(&world.account, &process->account,
			      effect->thread);
	shadow_withdrawn(process, effect, given);
	if (effect->kind == VMSI_EFFECT_OWN)
		kernel_require(vmsi_account_of(&process->account) ==
			sum - effect->bytes, "a withdrawn call is charged");
	world.counts.withdrawn++;
}

static void do_ask(struct process *process)
{
	const int t = (int)kernel_below(THREADS);
	const size_t kind = world.forks_often && kernel_below(4) ? 4 : kernel_below(8);
	struct call *call = &process->calls[t];
	struct vmsi_effect effect;
	size_t given;

	come_back(process, t);
	vmsi_account_confirm(&world.account, &process->account,
			     thread_of(process, t));
	if (kind < 4)
		effect = some_own();
	else if (kind < 6)
		effect = some_fork(process);
	else
		effect = some_object(process);
	effect.thread = thread_of(process, t);
	effect.is_looked_at = kernel_below(2);
	snprintf(world.last, sizeof world.last,
		 "thread %d asks for kind %d: %zu, moves %zu, replaces %zu",
		 (int)effect.thread, (int)effect.kind, effect.bytes,
		 effect.moved, effect.replaced);
	given = given_up(&effect);
	if (!ask(process, &effect))
		return;
	if (kernel_below(10) == 0)
		withdraw(process, &effect, given);
	else
		*call = (struct call){ .active = true, .effect = effect };
}

static void do_make(struct process *process)
{
	snprintf(world.last, sizeof world.last, "the kernel makes a call of %d",
		 index_of(process));
	kernel_make(process, &process->calls[kernel_below(THREADS)]);
}

/* The supervisor sees that a call has returned, without another request. */
static void do_see_back(struct process *process)
{
	const int t = (int)kernel_below(THREADS);

	snprintf(world.last, sizeof world.last, "thread %d is seen to be back",
		 (int)thread_of(process, t));
	come_back(process, t);
	vmsi_account_confirm(&world.account, &process->account,
			     thread_of(process, t));
}

static void do_give_back(struct process *process)
{
	size_t *from = kernel_below(3) ? &counter_of(process)->real : &world.objects;
	size_t most = from == &world.objects ? *from :
		kernel_less(*from, about_to_be_replaced(process->counter));

	snprintf(world.last, sizeof world.last, "something is given back");
	*from -= kernel_below(most + 1);
}

static void do_look(struct process *process)
{
	snprintf(world.last, sizeof world.last, "a look at %d",
		 index_of(process));
	kernel_look(process);
}

static void do_look_at_all(struct process *process)
{
	(void)process;
	snprintf(world.last, sizeof world.last, "a look at all");
	look_at_all();
}

static void do_grow(struct process *process)
{
	const size_t bytes = kernel_below(MOST_BYTES);

	snprintf(world.last, sizeof world.last, "a stack grows by %zu", bytes);
	if (process->counter != index_of(process))
		return;
	process->real += bytes;
	if (kernel_below(2)) {
		vmsi_account_grew(&world.account, &process->account, bytes,
				  copiers_of(process));
		shadow_grew(process, bytes);
	} else {
		/* A look at all of the process's figures finds it. */
		kernel_look(process);
		vmsi_account_copies_grew(&world.account, bytes,
					 copiers_of(process));
	}
}

/* Return a random child that has not been seen, or NULL if there is none. */
static struct unseen *some_unseen(void)
{
	const size_t first = kernel_below(UNSEEN);

	for (size_t i = 0; i < UNSEEN; i++) {
		struct unseen *unseen = &world.unseen[(first + i) % UNSEEN];

		if (unseen->alive)
			return unseen;
	}
	return NULL;
}

static void do_see(struct process *process)
{
	struct unseen *unseen = some_unseen();

	(void)process;
	snprintf(world.last, sizeof world.last, "a child asks");
	if (unseen)
		(void)kernel_see(unseen);
}

static void do_end_unseen(struct process *process)
{
	struct unseen *unseen = &world.unseen[kernel_below(UNSEEN)];

	(void)process;
	snprintf(world.last, sizeof world.last, "a child ends unseen");
	world.counts.never_seen += unseen->alive;
	unseen->alive = false;
}

static void do_share(struct process *process)
{
	struct process *child = add_process();

	snprintf(world.last, sizeof world.last, "%d has a child with its memory",
		 index_of(process));
	if (!child)
		return;
	child->counter = process->counter;
	world.counts.shared++;
}

/* --- the end of a memory -------------------------------------------------- */

static void end_calls(struct process *process)
{
	for (int t = 0; t < THREADS; t++)
		come_back(process, t);
}

/* A process is about to lose its memory and its threads. */
static void note_last(struct process *process)
{
	const size_t peak = world.account.peak;

	end_calls(process);
	vmsi_account_note_last(&world.account, &process->account);
	shadow_note_last(process, peak);
}

static void leave(struct process *process)
{
	struct process *counter = counter_of(process);

	if (counter != process) {
		vmsi_account_leave(&world.account, &process->account,
				   &counter->account);
		shadow_left(process, counter);
	}
	process->counter = index_of(process);
}

/* Another process with the same memory counts it from now on. */
static void reassign_memory(int counter, size_t real)
{
	struct process *heir = NULL;

	for (int i = 0; i < PROCESSES; i++) {
		struct process *process = &world.processes[i];

		if (!process->alive || process->counter != counter ||
		    i == counter)
			continue;
		if (!heir) {
			heir = process;
			heir->real = real;
		}
		process->counter = index_of(heir);
	}
	if (heir)
		kernel_look(heir);
}

static void do_execute(struct process *process)
{
	const size_t real = process->real, image = kernel_below(MOST_BYTES);
	const bool counts = process->counter == index_of(process);

	snprintf(world.last, sizeof world.last, "%d executes %zu",
		 index_of(process), image);
	note_last(process);
	leave(process);
	vmsi_account_executes(&world.account, &process->account);
	kernel_require(!vmsi_account_has_unmade(&process->account),
		"a thread of the old program is waited for");
	process->real = image;
	process->credit = 0;
	kernel_tell_figures(process, image);
	if (counts)
		reassign_memory(index_of(process), real);
	world.counts.executed++;
}

static void do_end(struct process *process)
{
	const size_t real = process->real;
	const bool counts = process->counter == index_of(process);

	snprintf(world.last, sizeof world.last, "%d ends", index_of(process));
	note_last(process);
	leave(process);
	process->alive = false;
	vmsi_account_ended(&world.account, &process->account);
	for (int i = 0; i < UNSEEN; i++)
		if (world.unseen[i].parent == index_of(process))
			world.unseen[i].parent = -1;
	if (counts)
		reassign_memory(index_of(process), real);
	world.counts.ended++;
}

/* --- rounds -------------------------------------------------------------- */

void account_world_begin(const struct account_numbers *numbers,
			 void (*wrong)(const char *what))
{
	static const enum vms_commit_policy policies[] = {
		VMS_COMMIT_STRICT, VMS_COMMIT_STRICT, VMS_COMMIT_HEURISTIC,
		VMS_COMMIT_ALWAYS };
	const struct account_counts counts = world.counts;

	memset(&world, 0, sizeof world);
	world.counts = counts;
	world.numbers = numbers;
	world.wrong = wrong;
	world.next_thread = 1;
	world.forks_are_free = kernel_below(4) == 0;
	world.forks_often = kernel_below(2);
	vmsi_account_init(&world.account, MOST_BYTES * (1 + kernel_below(40)),
			  policies[kernel_below(4)]);
}

void account_world_step(void)
{
	static void (*const kinds[])(struct process *) = {
		do_ask, do_ask, do_ask, do_ask, do_ask, do_ask, do_make, do_make,
		do_make, do_see_back, do_see_back, do_give_back, do_look,
		do_look, do_look_at_all, do_grow, do_see, do_see, do_see,
		do_end_unseen, do_share, do_execute, do_end,
	};
	struct process *process = some_process();

	if (process)
		kinds[kernel_below(sizeof kinds / sizeof *kinds)](process);
	else
		(void)add_process();
	kernel_check();
}

static void finish_all(void)
{
	for (int i = 0; i < PROCESSES; i++)
		for (int t = 0; t < THREADS; t++) {
			struct process *process = &world.processes[i];

			if (!process->alive)
				continue;
			come_back(process, t);
			vmsi_account_confirm(&world.account, &process->account,
					     thread_of(process, t));
		}
	look_at_all();
}

void account_world_end(void)
{
	finish_all();
	snprintf(world.last, sizeof world.last, "all is settled");
	kernel_check();
	kernel_require(vmsi_account_committed(&world.account) == real_sum(),
		"the account is not what there is");
	kernel_require(world.account.twice == 0, "something may be there twice");
	kernel_require(world.account.forks == 0, "a fork is still pending");
	kernel_require(!vmsi_account_fits(&world.account, 0) ||
		world.account.peak >= real_sum(),
		"the peak is less than there is");
	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive)
			do_end(&world.processes[i]);
	kernel_check();
	kernel_require(vmsi_account_committed(&world.account) == world.objects,
		"a process has left something behind");
	vmsi_account_free(&world.account);
}
