/* SPDX-License-Identifier: MIT */
#include "account_kernel.h"

struct world world;

size_t kernel_below(size_t limit)
{
	return world.numbers->below(world.numbers->context, limit);
}

void kernel_require(bool condition, const char *what)
{
	if (!condition)
		world.wrong(what);
}

size_t kernel_less(size_t bytes, size_t other)
{
	return bytes > other ? bytes - other : 0;
}

/* --- what must hold ------------------------------------------------------ */

/* Return how many bytes of this process's memory the account must charge. */
static size_t charged_of(const struct process *process)
{
	return kernel_less(process->real, process->credit);
}

size_t about_to_be_replaced(int counter)
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

size_t said_of_memory(int counter)
{
	size_t bytes = 0;

	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive &&
		    world.processes[i].counter == counter)
			bytes += vmsi_account_of(&world.processes[i].account);
	return bytes;
}

size_t said_to_be_replaced(int counter)
{
	size_t bytes = 0;

	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive &&
		    world.processes[i].counter == counter)
			bytes += vmsi_account_replaced(
				&world.processes[i].account);
	return bytes;
}

size_t real_unseen(void)
{
	size_t bytes = 0;

	for (int i = 0; i < UNSEEN && !world.forks_are_free; i++)
		if (world.unseen[i].alive)
			bytes += world.unseen[i].real;
	return bytes;
}

size_t real_sum(void)
{
	size_t bytes = world.objects + real_unseen();

	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive)
			bytes += charged_of(&world.processes[i]);
	return bytes;
}

/*
 * Return how many children the account must wait for: those that have been made,
 * and those that threads may still make.
 */
static size_t awaited_children(void)
{
	size_t children = 0;

	for (int i = 0; i < UNSEEN; i++)
		children += world.unseen[i].alive;
	for (int i = 0; i < PROCESSES; i++)
		for (int t = 0; t < THREADS; t++) {
			const struct call *call = &world.processes[i].calls[t];

			children += world.processes[i].alive && call->active &&
				!call->made &&
				call->effect.kind == VMSI_EFFECT_CHILD;
		}
	return children;
}

void kernel_check(void)
{
	const struct vmsi_account *account = &world.account;
	const size_t sum = vmsi_account_committed(account);
	const char *broken = vmsi_account_broken(account);

	kernel_require(!broken, broken);
	kernel_require(sum >= real_sum(), "the sum is less than there is");
	kernel_require(account->objects >= world.objects,
		"objects are more than is known of");
	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive && world.processes[i].counter == i)
			kernel_require(said_of_memory(i) + about_to_be_replaced(i) >=
				charged_of(&world.processes[i]),
				"a process has more than is known of");
	kernel_require(account->forks >= awaited_children(),
		"a child is not waited for");
	shadow_check();
}

/* --- processes ----------------------------------------------------------- */

struct process *some_process(void)
{
	const int first = (int)kernel_below(PROCESSES);

	for (int i = 0; i < PROCESSES; i++) {
		struct process *process =
			&world.processes[(first + i) % PROCESSES];

		if (process->alive)
			return process;
	}
	return NULL;
}

int index_of(const struct process *process)
{
	return (int)(process - world.processes);
}

struct process *counter_of(const struct process *process)
{
	return &world.processes[process->counter];
}

pid_t thread_of(const struct process *process, int t)
{
	return process->first_thread + t;
}

/* Return a new process, or NULL if there are enough. */
struct process *add_process(void)
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

/* Make a process's child; return false if there are as many as fit. */
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

void kernel_make(struct process *process, struct call *call)
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

/* A call succeeds or fails at random; its thread then goes on or ends. */
void come_back(struct process *process, int t)
{
	/*
	 * A call that replaces memory never fails here: the account would count the
	 * memory twice until everything is looked at.
	 */
	if (process->calls[t].effect.replaced || kernel_below(4))
		kernel_make(process, &process->calls[t]);
	process->calls[t].active = false;
}

/* --- looks --------------------------------------------------------------- */

/* While mremap moves memory, the kernel's figures may lack it. */
static size_t figures_of(const struct process *process)
{
	size_t missed = 0;

	for (int t = 0; t < THREADS; t++)
		if (process->calls[t].active && !process->calls[t].made)
			missed += kernel_below(process->calls[t].effect.moved + 1);
	return kernel_less(process->real, missed);
}

/* Return whether the counter now counts anything more. */
static bool hand_over(struct process *process, struct process *counter)
{
	const size_t sum = vmsi_account_of(&process->account) +
		vmsi_account_of(&counter->account);
	const bool any = vmsi_account_hand_over(&world.account,
						&process->account,
						&counter->account);

	shadow_handed_over(process, counter);
	kernel_require(vmsi_account_of(&process->account) +
		vmsi_account_of(&counter->account) >= sum,
		"something was lost on the way");
	return any;
}

void kernel_tell_figures(struct process *process, size_t figures)
{
	vmsi_account_measured(&world.account, &process->account, figures);
	shadow_looked(process, figures);
}

void kernel_look(struct process *process)
{
	struct process *counter = counter_of(process);

	world.counts.looks++;
	if (counter == process)
		kernel_tell_figures(process, figures_of(process));
	else if (hand_over(process, counter))
		kernel_look(counter);
}

/* A child makes its first request or is found; return false if none fits. */
bool kernel_see(struct unseen *unseen)
{
	struct vmsi_account_process *parent = unseen->parent < 0 ? NULL :
		&world.processes[unseen->parent].account;
	const struct vmsi_effect *copy =
		vmsi_account_find_child(&world.account, parent, unseen->real);
	struct process *process = add_process();
	size_t bytes;

	if (!process)
		return false;
	kernel_require(copy, "a child was charged nothing");
	bytes = copy->bytes;
	process->credit = copy->credit;
	process->real = unseen->real;
	(void)vmsi_account_born(&world.account, parent, &process->account,
				unseen->real);
	shadow_born(process, bytes);
	kernel_require(vmsi_account_of(&process->account) == bytes,
		"a child has not what it was granted");
	if (bytes + process->credit < unseen->real)
		kernel_look(process);
	unseen->alive = false;
	world.counts.born++;
	return true;
}

/* Let a thread return while the supervisor searches for children. */
static void run_meanwhile(void)
{
	struct process *process = some_process();
	const int t = (int)kernel_below(THREADS);

	if (!process || kernel_below(8))
		return;
	come_back(process, t);
	vmsi_account_confirm(&world.account, &process->account,
			     thread_of(process, t));
}

/* A child that has no place in the model ends. */
static void see_all(void)
{
	const size_t first = kernel_below(UNSEEN);

	vmsi_account_seek(&world.account);
	for (size_t i = 0; i < UNSEEN; i++) {
		struct unseen *unseen = &world.unseen[(first + i) % UNSEEN];

		if (unseen->alive && !kernel_see(unseen))
			unseen->alive = false;
		run_meanwhile();
	}
	vmsi_account_drop_sought(&world.account);
}

void look_at_all(void)
{
	const bool is_partial = vmsi_account_has_loose(&world.account);

	see_all();
	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive)
			kernel_look(&world.processes[i]);
	vmsi_account_measured_objects(&world.account, world.objects,
				      is_partial);
	if (!vmsi_account_fits(&world.account, 0))
		return;
	vmsi_account_raise_peak(&world.account);
	shadow_raise_peak(shadow_reached());
}
