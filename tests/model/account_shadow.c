/* SPDX-License-Identifier: MIT */
#include "account_kernel.h"

static size_t smaller(size_t one, size_t other)
{
	return one < other ? one : other;
}

static void raise_to(size_t *bound, size_t bytes)
{
	if (bytes > *bound)
		*bound = bytes;
}

/* --- processes ----------------------------------------------------------- */

static size_t all_of(const struct shadow *shadow)
{
	return shadow->figures + shadow->since + shadow->doubtful;
}

/* Each byte once. */
static size_t once_of(const struct shadow *shadow)
{
	return shadow->figures + shadow->since;
}

static void note_high(struct process *process)
{
	raise_to(&process->shadow.high, once_of(&process->shadow));
}

static size_t take(size_t *from, size_t bytes)
{
	const size_t taken = smaller(*from, bytes);

	*from -= taken;
	return bytes - taken;
}

/* Return the bytes of calls that figures may show or miss. */
static size_t under_way(const struct process *process)
{
	size_t bytes = 0;

	for (int t = 0; t < THREADS; t++) {
		const struct call *call = &process->calls[t];

		if (call->active && call->effect.kind == VMSI_EFFECT_OWN)
			bytes += call->effect.bytes + call->effect.moved;
	}
	return bytes;
}

static void begin(struct process *process, size_t figures, size_t doubtful)
{
	struct shadow *shadow = &process->shadow;

	shadow->figures = figures;
	shadow->since = 0;
	shadow->doubtful = doubtful;
	note_high(process);
}

void shadow_looked(struct process *process, size_t figures)
{
	const size_t charged = kernel_less(figures, process->credit);

	begin(process, charged, under_way(process));
	raise_to(&process->shadow.low, charged);
}

void shadow_granted(struct process *process, const struct vmsi_effect *effect)
{
	if (effect->kind == VMSI_EFFECT_OWN)
		process->shadow.since += effect->bytes;
	note_high(process);
}

void shadow_gave_up(struct process *process, size_t bytes)
{
	struct shadow *shadow = &process->shadow;

	bytes = take(&shadow->figures, bytes);
	bytes = take(&shadow->since, bytes);
	(void)take(&shadow->doubtful, bytes);
}

void shadow_withdrawn(struct process *process, const struct vmsi_effect *effect,
		      size_t given_up)
{
	if (effect->kind == VMSI_EFFECT_OWN)
		(void)take(&process->shadow.since, effect->bytes);
	process->shadow.since += given_up;
	note_high(process);
}

void shadow_grew(struct process *process, size_t bytes)
{
	process->shadow.figures += bytes;
	note_high(process);
}

void shadow_born(struct process *process, size_t bytes)
{
	process->shadow.since = bytes;
	note_high(process);
}

void shadow_handed_over(struct process *from, struct process *to)
{
	const size_t unmade = under_way(from);
	const size_t made = kernel_less(all_of(&from->shadow), unmade);

	begin(from, 0, unmade);
	to->shadow.since += made;
	note_high(to);
}

void shadow_left(struct process *from, struct process *to)
{
	to->shadow.since += all_of(&from->shadow);
	note_high(to);
	begin(from, 0, 0);
}

/* --- the group ----------------------------------------------------------- */

/* Copies may not have been made. */
static size_t sum_without_copies(void)
{
	size_t bytes = world.account.objects;

	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive)
			bytes += once_of(&world.processes[i].shadow);
	return bytes;
}

/* Return what calls have made while figures were read, at most. */
static size_t all_doubtful(void)
{
	size_t bytes = 0;

	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive)
			bytes += world.processes[i].shadow.doubtful;
	return bytes;
}

struct shadow_peak shadow_reached(void)
{
	return (struct shadow_peak){ kernel_less(real_sum(), all_doubtful()),
		sum_without_copies() + world.account.copies };
}

void shadow_raise_peak(struct shadow_peak reached)
{
	raise_to(&world.peak.low, reached.low);
	raise_to(&world.peak.high, reached.high);
}

void shadow_note_last(const struct process *process, size_t peak_before)
{
	const size_t most = peak_before + process->shadow.since;
	const size_t seen = kernel_less(real_sum(), real_unseen());

	raise_to(&world.peak.high, smaller(most, sum_without_copies()));
	raise_to(&world.peak.low,
		 smaller(most, kernel_less(seen, all_doubtful())));
	kernel_require(world.account.peak <= world.peak.high,
		       "a last peak was never reached");
	kernel_require(world.account.peak >= world.peak.low,
		       "a last peak was missed");
}

/* --- bounds -------------------------------------------------------------- */

static void check_process(const struct process *process)
{
	const struct shadow *shadow = &process->shadow;
	const struct vmsi_account_process *account = &process->account;

	kernel_require(vmsi_account_of(account) <= all_of(shadow),
		       "a process has more than it was ever granted");
	kernel_require(account->peak >= shadow->low,
		       "the peak of a process was missed");
	kernel_require(account->peak <= shadow->high,
		       "the peak of a process was never reached");
}

void shadow_check(void)
{
	for (int i = 0; i < PROCESSES; i++)
		if (world.processes[i].alive)
			check_process(&world.processes[i]);
	kernel_require(world.account.peak >= world.peak.low,
		       "the peak was missed");
	kernel_require(world.account.peak <= world.peak.high,
		       "the peak was never reached");
}
