/* SPDX-License-Identifier: MIT */
#include "account_world.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "group/account.h"

#define PROCESSES 10
#define THREADS 3
#define UNSEEN 24
#define MOST_BYTES 100

/* A call that was let through. */
struct call {
	bool active;       /* it has not come back */
	bool made;
	struct vmsi_effect effect;
};

struct process {
	bool alive;
	int counter;       /* who counts its memory: itself or another one */
	size_t real;       /* bytes of the memory; 0 where another one counts it */
	size_t credit;     /* of it, what a fork copied for free */
	struct call calls[THREADS];
	pid_t first_thread;
	struct vmsi_account_process account;
};

/* A child that was made and has not asked for anything yet. */
struct unseen {
	bool alive;
	int parent;        /* -1: it has ended, and so the child is an orphan */
	size_t real;
};

static struct {
	const struct account_numbers *numbers;
	void (*wrong)(const char *what);
	struct vmsi_account account;
	bool forks_are_free, forks_often;
	struct process processes[PROCESSES];
	struct unseen unseen[UNSEEN];
	size_t objects;    /* bytes */
	size_t most;       /* that the sum ever was without what was twice */
	pid_t next_thread;
	char last[120];
	struct account_counts counts;
} world;

static size_t below(size_t limit)
{
	return world.numbers->below(world.numbers->context, limit);
}

static void require(bool condition, const char *what)
{
	if (!condition)
		world.wrong(what);
}

const struct account_counts *account_world_counts(void)
{
	return &world.counts;
}

const char *account_world_last(void)
{
	return world.last;
}

static size_t less(size_t bytes, size_t other)
{
	return bytes > other ? bytes - other : 0;
}

/* --- what must hold ------------------------------------------------------ */

/* What there is of a memory and was to be charged. */
static size_t charged_of(const struct process *process)
{
	return less(process->real, process->credit);
}

/* Private memory that counts for an object already, and is still there. */
static size_t about_to_be_replaced(int counter)
{
	size_t bytes = 0;

	for (int i = 0; i < PROCESSES; i++)
		for (int t = 0; t < THREADS; t++) {
			const struct process *process = &world.processes[i];
			const struct call *call = &process->calls[t];

			if (process->alive && process->counter == counter &&
			    call->active && !call->made)
				bytes += call->effect.replaced;
		}
	return bytes;
}

static size_t said_of_memory(int counter)
{
	size_t bytes = 0;

	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive &&
		    world.processes[i].counter == counter)
			bytes += vmsi_account_of(&world.processes[i].account);
	return bytes;
}

static size_t real_sum(void)
{
	size_t bytes = world.objects;

	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive)
			bytes += charged_of(&world.processes[i]);
	for (int i = 0; i < UNSEEN && !world.forks_are_free; i++)
		if (world.unseen[i].alive)
			bytes += world.unseen[i].real;
	return bytes;
}

static void note_most(void)
{
	const size_t sum = vmsi_account_committed(&world.account) -
		world.account.twice;

	if (sum > world.most)
		world.most = sum;
}

static void check(void)
{
	const struct vmsi_account *account = &world.account;
	const size_t sum = vmsi_account_committed(account);
	const char *broken = vmsi_account_broken(account);

	require(!broken, broken);
	require(sum >= real_sum(), "the sum is less than there is");
	require(account->objects >= world.objects,
		"objects are more than is known of");
	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive && world.processes[i].counter == i)
			require(said_of_memory(i) + about_to_be_replaced(i) >=
				charged_of(&world.processes[i]),
				"a process has more than is known of");
	note_most();
	require(account->peak <= world.most, "the peak was never reached");
}

/* --- processes ----------------------------------------------------------- */

static struct process *some_process(void)
{
	const int first = (int)below(PROCESSES);

	for (int i = 0; i < PROCESSES; i++) {
		struct process *process =
			&world.processes[(first + i) % PROCESSES];

		if (process->alive)
			return process;
	}
	return NULL;
}

static int index_of(const struct process *process)
{
	return (int)(process - world.processes);
}

static struct process *counter_of(const struct process *process)
{
	return &world.processes[process->counter];
}

static pid_t thread_of(const struct process *process, int t)
{
	return process->first_thread + t;
}

/* NULL: there are enough. */
static struct process *add_process(void)
{
	for (int i = 0; i < PROCESSES; i++) {
		struct process *process = &world.processes[i];

		if (process->alive)
			continue;
		*process = (struct process){ .alive = true, .counter = i,
			.first_thread = world.next_thread };
		world.next_thread += THREADS;
		vmsi_account_add(&world.account, &process->account);
		return process;
	}
	return NULL;
}

/* --- the kernel ---------------------------------------------------------- */

/* What the fork of a process makes. Returns whether there was a place for it. */
static bool make_child(const struct process *process)
{
	for (int i = 0; i < UNSEEN; i++)
		if (!world.unseen[i].alive) {
			world.unseen[i] = (struct unseen){ true,
				index_of(process), counter_of(process)->real };
			return true;
		}
	return false;
}

static void make(struct process *process, struct call *call)
{
	struct process *counter = counter_of(process);

	if (!call->active || call->made)
		return;
	switch (call->effect.kind) {
	case VMSI_EFFECT_OWN:
		counter->real += call->effect.bytes;
		break;
	case VMSI_EFFECT_CHILD:
		if (!make_child(process))
			return;
		break;
	case VMSI_EFFECT_OBJECT:
		counter->real -= call->effect.replaced;
		world.objects += call->effect.bytes + call->effect.replaced;
		break;
	}
	call->made = true;
}

/* Made or failed, as the kernel likes; the thread runs on, or is no more. */
static void come_back(struct process *process, int t)
{
	/*
	 * The account has private memory replaced that a call which fails leaves:
	 * until all is looked at, it says so of the object and not of the process.
	 */
	if (process->calls[t].effect.replaced || below(4))
		make(process, &process->calls[t]);
	process->calls[t].active = false;
}

/* --- looks --------------------------------------------------------------- */

/* Figures that are read while mremap moves may have that in neither place. */
static size_t figures_of(const struct process *process)
{
	size_t missed = 0;

	for (int t = 0; t < THREADS; t++)
		if (process->calls[t].active && !process->calls[t].made)
			missed += below(process->calls[t].effect.moved + 1);
	return less(process->real, missed);
}

/* Returns whether there was anything that is the counter's now. */
static bool hand_over(struct process *process, struct process *counter)
{
	const size_t sum = vmsi_account_of(&process->account) +
		vmsi_account_of(&counter->account);
	const bool any = vmsi_account_hand_over(&world.account,
						&process->account,
						&counter->account);

	require(vmsi_account_of(&process->account) +
		vmsi_account_of(&counter->account) >= sum,
		"something was lost on the way");
	return any;
}

static void look(struct process *process)
{
	struct process *counter = counter_of(process);

	world.counts.looks++;
	if (counter == process)
		vmsi_account_measured(&world.account, &process->account,
				      figures_of(process));
	else if (hand_over(process, counter))
		look(counter);
}

/* A child asks, or is found. Returns whether there was a place for it. */
static bool see(struct unseen *unseen)
{
	struct vmsi_account_process *parent = unseen->parent < 0 ? NULL :
		&world.processes[unseen->parent].account;
	const struct vmsi_effect *copy =
		vmsi_account_find_child(&world.account, parent, unseen->real);
	struct process *process = add_process();
	size_t bytes;

	if (!process)
		return false;
	require(copy, "a child was charged nothing");
	bytes = copy->bytes;
	process->credit = copy->credit;
	process->real = unseen->real;
	(void)vmsi_account_born(&world.account, parent, &process->account,
				unseen->real);
	require(vmsi_account_of(&process->account) == bytes,
		"a child has not what it was granted");
	if (bytes + process->credit < unseen->real)
		look(process);
	unseen->alive = false;
	world.counts.born++;
	return true;
}

/* A thread comes back, and is seen to, while children are searched for. */
static void run_meanwhile(void)
{
	struct process *process = some_process();
	const int t = (int)below(THREADS);

	if (!process || below(8))
		return;
	come_back(process, t);
	vmsi_account_confirm(&world.account, &process->account,
			     thread_of(process, t));
}

/* What is not seen for want of a place ends. */
static void see_all(void)
{
	const size_t first = below(UNSEEN);

	vmsi_account_seek(&world.account);
	for (size_t i = 0; i < UNSEEN; i++) {
		struct unseen *unseen = &world.unseen[(first + i) % UNSEEN];

		if (unseen->alive && !see(unseen))
			unseen->alive = false;
		run_meanwhile();
	}
	vmsi_account_drop_sought(&world.account);
}

static void look_at_all(void)
{
	const bool is_partial = vmsi_account_has_loose(&world.account);

	see_all();
	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive)
			look(&world.processes[i]);
	vmsi_account_measured_objects(&world.account, world.objects,
				      is_partial);
	if (vmsi_account_fits(&world.account, 0))
		vmsi_account_raise_peak(&world.account);
}

/* --- calls --------------------------------------------------------------- */

/* Whatever the account believes. */
static bool forks_under_way(int counter)
{
	for (int i = 0; i < PROCESSES; i++)
		for (int t = 0; t < THREADS; t++) {
			const struct process *process = &world.processes[i];

			if (process->alive && process->counter == counter &&
			    process->calls[t].active &&
			    process->calls[t].effect.kind == VMSI_EFFECT_CHILD)
				return true;
		}
	return false;
}

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

/* Forks of its memory that were asked for, and of which no more is known. */
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
	if (below(50) == 0 && world.account.policy != VMS_COMMIT_ALWAYS)
		return SIZE_MAX / (1 + below(3));
	return 1 + below(MOST_BYTES);
}

static struct vmsi_effect some_own(void)
{
	struct vmsi_effect effect = { .kind = VMSI_EFFECT_OWN };

	if (below(3))
		effect.bytes = some_bytes();
	else
		effect.moved = 1 + below(MOST_BYTES);
	if (effect.bytes && below(4) == 0)
		effect.moved = 1 + below(MOST_BYTES);
	return effect;
}

static struct vmsi_effect some_fork(const struct process *process)
{
	struct vmsi_effect effect = { .kind = VMSI_EFFECT_CHILD };
	const size_t copy = said_of_memory(process->counter);

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
	/* What a fork copies of what is replaced meanwhile is not foreseen. */
	if (below(3) || forks_under_way(process->counter))
		return effect;
	effect.stays = true;
	/* Other calls are under way that replace some of it already. */
	effect.replaced = below(1 + less(counter->real,
				about_to_be_replaced(process->counter)));
	effect.replaced_of = &counter->account;
	return effect;
}

static bool is_free(const struct vmsi_effect *effect)
{
	return effect->bytes == 0 && effect->replaced == 0;
}

/* What the policy must answer, from the figures before. */
static bool may_grant(const struct process *process,
		      const struct vmsi_effect *effect, size_t before)
{
	const size_t limit = world.account.limit;
	const size_t times = effect->kind == VMSI_EFFECT_OWN ?
		1 + copies_of(process) : 1;
	size_t given = 0;

	if (world.account.policy != VMS_COMMIT_STRICT)
		return world.account.policy == VMS_COMMIT_ALWAYS ||
			effect->bytes <= limit;
	if (effect->replaced_of)
		given = vmsi_account_of(effect->replaced_of);
	if (given > effect->replaced)
		given = effect->replaced;
	return effect->bytes <= limit && before <= limit &&
		effect->bytes * times + effect->replaced - given <=
			limit - before;
}

/* Returns whether the call is let through. */
static bool ask(struct process *process, const struct vmsi_effect *effect)
{
	const struct vmsi_account before = world.account;
	const size_t sum = vmsi_account_committed(&before);
	const bool may = may_grant(process, effect, sum);
	int error;

	if (is_free(effect))
		return vmsi_account_note(&world.account, &process->account,
					 effect) == 0;
	error = vmsi_account_grant(&world.account, &process->account, effect,
				   copiers_of(process));
	require(error == 0 || error == -EDQUOT, "a surprising error");
	require((error == 0) == may, may ?
		"there was room, and it was refused" :
		"there was no room, and it was granted");
	if (error) {
		world.counts.refused++;
		require(memcmp(&before, &world.account, sizeof before) == 0,
			"a refusal has changed the account");
		return false;
	}
	note_most();
	world.counts.granted++;
	world.counts.peaks += world.account.peak > before.peak;
	if (world.account.policy == VMS_COMMIT_STRICT)
		require(vmsi_account_fits(&world.account, 0),
			"a grant has passed the limit");
	return true;
}

static void do_ask(struct process *process)
{
	const int t = (int)below(THREADS);
	const size_t kind = world.forks_often && below(2) ? 4 : below(8);
	struct call *call = &process->calls[t];
	struct vmsi_effect effect;

	come_back(process, t);
	vmsi_account_confirm(&world.account, &process->account,
			     thread_of(process, t));
	if (kind < 4)
		effect = some_own();
	else if (kind < 6 && !about_to_be_replaced(process->counter))
		effect = some_fork(process);
	else
		effect = some_object(process);
	effect.thread = thread_of(process, t);
	effect.is_looked_at = below(2);
	snprintf(world.last, sizeof world.last,
		 "thread %d asks for kind %d: %zu, moves %zu, replaces %zu",
		 (int)effect.thread, (int)effect.kind, effect.bytes,
		 effect.moved, effect.replaced);
	if (!ask(process, &effect))
		return;
	if (below(10) == 0) {
		vmsi_account_withdraw(&world.account, &process->account,
				      effect.thread);
		world.counts.withdrawn++;
		return;
	}
	*call = (struct call){ .active = true, .effect = effect };
}

static void do_make(struct process *process)
{
	snprintf(world.last, sizeof world.last, "the kernel makes a call of %d",
		 index_of(process));
	make(process, &process->calls[below(THREADS)]);
}

/* That a call came back is seen without the thread asking again. */
static void do_see_back(struct process *process)
{
	const int t = (int)below(THREADS);

	snprintf(world.last, sizeof world.last, "thread %d is seen to be back",
		 (int)thread_of(process, t));
	come_back(process, t);
	vmsi_account_confirm(&world.account, &process->account,
			     thread_of(process, t));
}

static void do_give_back(struct process *process)
{
	size_t *from = below(3) ? &counter_of(process)->real : &world.objects;
	size_t most = from == &world.objects ? *from :
		less(*from, about_to_be_replaced(process->counter));

	snprintf(world.last, sizeof world.last, "something is given back");
	*from -= below(most + 1);
}

static void do_look(struct process *process)
{
	snprintf(world.last, sizeof world.last, "a look at %d",
		 index_of(process));
	look(process);
}

static void do_look_at_all(struct process *process)
{
	(void)process;
	snprintf(world.last, sizeof world.last, "a look at all");
	look_at_all();
}

static void do_grow(struct process *process)
{
	const size_t bytes = below(MOST_BYTES);

	snprintf(world.last, sizeof world.last, "a stack grows by %zu", bytes);
	/* What a fork copies of a stack that grows meanwhile is not foreseen. */
	if (process->counter != index_of(process) ||
	    forks_under_way(process->counter))
		return;
	process->real += bytes;
	vmsi_account_grew(&world.account, &process->account, bytes);
}

static void do_see(struct process *process)
{
	struct unseen *unseen = &world.unseen[below(UNSEEN)];

	(void)process;
	snprintf(world.last, sizeof world.last, "a child asks");
	if (unseen->alive)
		(void)see(unseen);
}

static void do_end_unseen(struct process *process)
{
	struct unseen *unseen = &world.unseen[below(UNSEEN)];

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

/* --- the end of a memory --------------------------------------------------- */

static void end_calls(struct process *process)
{
	for (int t = 0; t < THREADS; t++)
		come_back(process, t);
}

static void leave(struct process *process)
{
	if (process->counter != index_of(process))
		vmsi_account_leave(&world.account, &process->account,
				   &counter_of(process)->account);
	process->counter = index_of(process);
}

/* Another one of those who have the memory counts it from now on. */
static void bequeath(int counter, size_t real)
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
		look(heir);
}

static void do_execute(struct process *process)
{
	const size_t real = process->real, image = below(MOST_BYTES);
	const bool counts = process->counter == index_of(process);

	snprintf(world.last, sizeof world.last, "%d executes %zu",
		 index_of(process), image);
	end_calls(process);
	vmsi_account_note_last(&world.account, &process->account);
	leave(process);
	vmsi_account_executes(&world.account, &process->account);
	process->real = image;
	process->credit = 0;
	vmsi_account_measured(&world.account, &process->account, image);
	if (counts)
		bequeath(index_of(process), real);
	world.counts.executed++;
}

static void do_end(struct process *process)
{
	const size_t real = process->real;
	const bool counts = process->counter == index_of(process);

	snprintf(world.last, sizeof world.last, "%d ends", index_of(process));
	end_calls(process);
	vmsi_account_note_last(&world.account, &process->account);
	leave(process);
	process->alive = false;
	vmsi_account_ended(&world.account, &process->account);
	for (int i = 0; i < UNSEEN; i++)
		if (world.unseen[i].parent == index_of(process))
			world.unseen[i].parent = -1;
	if (counts)
		bequeath(index_of(process), real);
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
	world.forks_are_free = below(4) == 0;
	world.forks_often = below(2);
	vmsi_account_init(&world.account, MOST_BYTES * (1 + below(40)),
			  policies[below(4)]);
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
		kinds[below(sizeof kinds / sizeof *kinds)](process);
	else
		(void)add_process();
	check();
}

static void settle(void)
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
	settle();
	snprintf(world.last, sizeof world.last, "all is settled");
	check();
	require(vmsi_account_committed(&world.account) == real_sum(),
		"the account is not what there is");
	require(world.account.twice == 0, "something may be there twice");
	require(world.account.forks == 0, "a fork is still pending");
	require(!vmsi_account_fits(&world.account, 0) ||
		world.account.peak >= real_sum(),
		"the peak is less than there is");
	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive)
			do_end(&world.processes[i]);
	check();
	require(vmsi_account_committed(&world.account) == world.objects,
		"a process has left something behind");
	vmsi_account_free(&world.account);
}
