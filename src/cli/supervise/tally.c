/* SPDX-License-Identifier: MIT */
#include "cli/supervise/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/output/demangle.h"
#include "cli/supervise/attempt.h"

#define STACKS_MOST 1000
#define PROCESSES_MOST 4096
#define COMMANDS_MOST 256

static struct vms_group_refusal
without_backtrace(const struct vms_group_refusal *attempt)
{
	struct vms_group_refusal copy = *attempt;

	copy.backtrace = copy.why_no_backtrace = NULL;
	return copy;
}

/*
 * An array with place for another element. NULL: it has as many as it may, or there is
 * no memory.
 */
static void *room_for(void *array, size_t count, size_t *room, size_t size,
		      size_t most)
{
	return count < most ? vmsi_with_capacity(array, count, room, size) :
			      NULL;
}

/* --- by stack ------------------------------------------------------------- */

static struct vmsi_tally_stack *find_stack(struct vmsi_tally *tally,
					   const struct vmsi_attempt *attempt)
{
	for (size_t i = 0; i < tally->stack_count; i++)
		if (tally->stacks[i].hash == attempt->key_hash &&
		    strcmp(tally->stacks[i].key, attempt->key) == 0)
			return &tally->stacks[i];
	return NULL;
}

/* Takes the key of the attempt over. */
static struct vmsi_tally_stack *add_stack(struct vmsi_tally *tally,
					  struct vmsi_attempt *attempt)
{
	const struct vms_group_refusal *told = attempt->told;
	struct vmsi_tally_stack *list =
		room_for(tally->stacks, tally->stack_count, &tally->stack_room,
			 sizeof *list, STACKS_MOST);
	struct vmsi_tally_stack *stack;

	if (!list)
		return NULL;
	tally->stacks = list;
	stack = &list[tally->stack_count++];
	*stack = (struct vmsi_tally_stack){
		.hash = attempt->key_hash, .key = attempt->key };
	attempt->key = NULL;
	if (told->backtrace)
		stack->backtrace = vmsi_demangle_backtrace(told->backtrace);
	if (!stack->backtrace)
		stack->why = strdup(told->why_no_backtrace ?
				    told->why_no_backtrace : "no memory");
	stack->first = without_backtrace(told);
	stack->least = stack->most = told->requested;
	return stack;
}

static struct vmsi_tally_stack *count_stack(struct vmsi_tally *tally,
					    struct vmsi_attempt *attempt)
{
	const struct vms_group_refusal *told = attempt->told;
	struct vmsi_tally_stack *stack =
		attempt->key ? find_stack(tally, attempt) : NULL;

	if (!stack && attempt->key)
		stack = add_stack(tally, attempt);
	if (!stack) {
		tally->beyond++;
		return NULL;
	}
	stack->count++;
	stack->attempts++;
	stack->last_time = told->time;
	if (told->requested < stack->least)
		stack->least = told->requested;
	if (told->requested > stack->most)
		stack->most = told->requested;
	return stack;
}

/* --- by process and program ----------------------------------------------- */

static struct vmsi_tally_process *find_process(const struct vmsi_tally *tally,
					       const struct vms_group_refusal *told)
{
	/* The newest first: it most likely asks again. */
	for (size_t i = tally->process_count; i-- > 0;)
		if (tally->processes[i].pid == told->process &&
		    memcmp(tally->processes[i].command, told->command,
			   sizeof told->command) == 0)
			return &tally->processes[i];
	return NULL;
}

static bool add_process(struct vmsi_tally *tally,
			const struct vms_group_refusal *told)
{
	struct vmsi_tally_process *list =
		room_for(tally->processes, tally->process_count,
			 &tally->process_room, sizeof *list, PROCESSES_MOST);
	struct vmsi_tally_process *process;

	if (!list)
		return false;
	tally->processes = list;
	process = &list[tally->process_count++];
	*process = (struct vmsi_tally_process){
		.pid = told->process, .count = 1 };
	memcpy(process->command, told->command, sizeof process->command);
	return true;
}

static struct vmsi_tally_command *
command_of(struct vmsi_tally *tally, const struct vms_group_refusal *told)
{
	struct vmsi_tally_command *list = tally->commands, *found;

	for (size_t i = 0; i < tally->command_count; i++)
		if (memcmp(list[i].command, told->command,
			   sizeof list[i].command) == 0)
			return &list[i];
	list = room_for(tally->commands, tally->command_count,
			&tally->command_room, sizeof *list, COMMANDS_MOST);
	if (!list)
		return NULL;
	tally->commands = list;
	found = &list[tally->command_count++];
	*found = (struct vmsi_tally_command){ .count = 0 };
	memcpy(found->command, told->command, sizeof found->command);
	return found;
}

/* Processes that there is no place for are only missing in the number of them. */
static void count_process(struct vmsi_tally *tally,
			  const struct vms_group_refusal *told)
{
	struct vmsi_tally_process *process = find_process(tally, told);
	struct vmsi_tally_command *command = command_of(tally, told);
	const bool is_new = !process && add_process(tally, told);

	if (process)
		process->count++;
	if (!command)
		return;
	command->count++;
	command->processes += is_new;
}

uint64_t vmsi_tally_of(const struct vmsi_tally *tally, pid_t pid)
{
	uint64_t count = 0;

	for (size_t i = 0; i < tally->process_count; i++)
		if (tally->processes[i].pid == pid)
			count += tally->processes[i].count;
	return count;
}

/* --- attempts ------------------------------------------------------------- */

/* The place of a thread; that which was used longest ago where it has none. */
static struct vmsi_tally_open *open_of(struct vmsi_tally *tally, pid_t thread)
{
	struct vmsi_tally_open *oldest = &tally->open[0];

	for (size_t i = 0; i < VMSI_OPEN_MOST; i++) {
		struct vmsi_tally_open *open = &tally->open[i];

		if (open->thread == thread)
			return open;
		if (open->last_time < oldest->last_time)
			oldest = open;
	}
	return oldest;
}

static void note_attempt(struct vmsi_tally *tally, struct vmsi_tally_open *open,
			 const struct vmsi_attempt *attempt)
{
	struct vmsi_refusal *refusal = &open->refusal;

	open->last_time = attempt->told->time;
	open->whole[refusal->attempt_count] = attempt->whole_hash;
	refusal->attempts[refusal->attempt_count++] = attempt->told->call;
	if (open->kept < tally->kept)
		tally->refusals[open->kept] = *refusal;
}

static void begin_refusal(struct vmsi_tally *tally, struct vmsi_tally_open *open,
			  struct vmsi_attempt *attempt)
{
	const struct vmsi_tally_stack *stack;
	struct vmsi_refusal *list;

	*open = (struct vmsi_tally_open){
		.thread = attempt->told->thread,
		.key = attempt->key_hash,
		.has_allocator = attempt->has_allocator,
		.refusal.told = without_backtrace(attempt->told),
		.refusal.stack = SIZE_MAX,
		.kept = SIZE_MAX,
	};
	tally->count++;
	count_process(tally, attempt->told);
	stack = count_stack(tally, attempt);
	if (stack)
		open->refusal.stack = (size_t)(stack - tally->stacks);
	list = room_for(tally->refusals, tally->kept, &tally->kept_room,
			sizeof *list, tally->kept_most);
	if (list) {
		tally->refusals = list;
		open->kept = tally->kept++;
	}
	note_attempt(tally, open, attempt);
}

bool vmsi_tally_add(struct vmsi_tally *tally,
		    const struct vms_group_refusal *told)
{
	struct vmsi_attempt attempt = vmsi_attempt_of(told);
	struct vmsi_tally_open *open = open_of(tally, told->thread);
	const bool is_first = !vmsi_attempt_belongs(open, &attempt);

	if (is_first) {
		begin_refusal(tally, open, &attempt);
	} else {
		if (open->refusal.stack < tally->stack_count)
			tally->stacks[open->refusal.stack].attempts++;
		note_attempt(tally, open, &attempt);
	}
	free(attempt.key);
	return is_first;
}

/* --- the end -------------------------------------------------------------- */

static int compare_stacks(const void *one, const void *other)
{
	const struct vmsi_tally_stack *a = *(const struct vmsi_tally_stack *const *)one;
	const struct vmsi_tally_stack *b = *(const struct vmsi_tally_stack *const *)other;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return (a->first.time > b->first.time) - (a->first.time < b->first.time);
}

const struct vmsi_tally_stack **vmsi_tally_sorted(const struct vmsi_tally *tally)
{
	const struct vmsi_tally_stack **list =
		calloc(tally->stack_count ? tally->stack_count : 1, sizeof *list);

	for (size_t i = 0; list && i < tally->stack_count; i++)
		list[i] = &tally->stacks[i];
	if (list)
		qsort(list, tally->stack_count, sizeof *list, compare_stacks);
	return list;
}

static int compare_commands(const void *one, const void *other)
{
	const struct vmsi_tally_command *a = one, *b = other;

	return (a->count < b->count) - (a->count > b->count);
}

void vmsi_tally_sort_commands(struct vmsi_tally *tally)
{
	if (tally->command_count)
		qsort(tally->commands, tally->command_count,
		      sizeof *tally->commands, compare_commands);
}

void vmsi_tally_free(struct vmsi_tally *tally)
{
	for (size_t i = 0; i < tally->stack_count; i++) {
		free(tally->stacks[i].key);
		free(tally->stacks[i].backtrace);
		free(tally->stacks[i].why);
	}
	free(tally->stacks);
	free(tally->processes);
	free(tally->commands);
	free(tally->refusals);
}
