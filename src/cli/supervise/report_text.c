/* SPDX-License-Identifier: MIT */
#include "cli/supervise/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "cli/output/size.h"
#include "cli/output/text.h"
#include "cli/supervise/stack_line.h"

/* The report as text: a screenful, however much was refused. */

/* With so many stacks each is shown whole; with more, a line each. */
#define WHOLE_MOST ((size_t)2)
#define LINES_MOST ((size_t)16)
#define COMMANDS_MOST ((size_t)6)

/* --- one refusal ---------------------------------------------------------- */

static void write_name(FILE *stream, const char *command, pid_t pid)
{
	vmsi_write_escaped(stream, command);
	fprintf(stream, "[%d]", (int)pid);
}

static void write_holders(FILE *stream, const struct vms_group_refusal *told)
{
	for (size_t i = 0; i < told->holder_count; i++) {
		fputs(i ? ", " : ": ", stream);
		write_name(stream, told->holders[i].command,
			   told->holders[i].pid);
		fprintf(stream, " %s",
			vmsi_told_size(told->holders[i].committed).text);
	}
}

static void write_line(FILE *stream, const struct vms_group_refusal *told,
		       enum vmsi_limited limited)
{
	fprintf(stream, "  %9.3f s  ", (double)told->time / 1e9);
	write_name(stream, told->command, told->process);
	fprintf(stream, "  %s of %s", vmsi_call_name(told->call),
		vmsi_told_size(told->requested).text);
	if (told->injected)
		fprintf(stream, " (request %llu, refused on demand)",
			(unsigned long long)told->request);
	if (told->unaccounted)
		fputs(" (no memory to account for it)", stream);
	fprintf(stream, "; in use %s", vmsi_told_size(told->committed).text);
	if (limited == VMSI_LIMITED)
		fprintf(stream, " of %s", vmsi_told_size(told->limit).text);
	write_holders(stream, told);
}

/* Most children soon execute a program and need no copy, so the option is named. */
static void write_fork_hint(FILE *stream, const struct vms_group_refusal *told)
{
	if (told->call == VMS_GROUP_FORK && !told->injected &&
	    !told->unaccounted)
		fputs("             a copy of the parent was charged; --fork=free "
		      "does not charge it\n", stream);
}

void vmsi_write_refusal(FILE *stream, const struct vms_group_refusal *told,
			const char *backtrace, enum vmsi_limited limited)
{
	write_line(stream, told, limited);
	fputc('\n', stream);
	write_fork_hint(stream, told);
	if (backtrace)
		vmsi_write_backtrace(stream, backtrace, SIZE_MAX);
}

/* --- the sum -------------------------------------------------------------- */

static void write_refused(FILE *stream, const struct vmsi_snapshot *snapshot)
{
	const struct vms_group_stats *stats = &snapshot->stats;
	const uint64_t refused = snapshot->tally->count;

	if (refused == 0 && snapshot->limited == VMSI_LIMITED)
		fputs("; nothing was refused", stream);
	else if (refused == 0 && stats->requests == 0)
		fputs("; nothing was requested", stream);
	else if (refused == 0 && stats->requests == 1)
		fputs("; the only request was not refused", stream);
	else if (refused == 0)
		fprintf(stream, "; of %llu requests none was refused",
			(unsigned long long)stats->requests);
	else
		fprintf(stream, "; %llu refused", (unsigned long long)refused);
}

static void write_sum(FILE *stream, const struct vmsi_snapshot *snapshot)
{
	const struct vms_group_stats *stats = &snapshot->stats;

	fprintf(stream, "%s: peak commit %s", snapshot->program,
		vmsi_told_size(stats->committed_peak).text);
	if (snapshot->limited == VMSI_LIMITED)
		fprintf(stream, " of %s", vmsi_told_size(stats->limit).text);
	if (snapshot->unrefusable)
		fprintf(stream, ", %s of it memory that nothing can refuse",
			vmsi_told_size(snapshot->unrefusable).text);
	write_refused(stream, snapshot);
	if (stats->granted_again)
		fprintf(stream, " (%llu granted when asked again)",
			(unsigned long long)stats->granted_again);
	fputc('\n', stream);
}

/* "  --warn-at=85% was reached 3 times, --grace=95% never" */
static void write_warnings(FILE *stream, const struct vmsi_warning *warning)
{
	const char *before = "  ";

	for (int i = 0; i < VMSI_STAGES; i++) {
		const char *text = warning->options->at[i].text;
		const uint64_t count = warning->counts[i];

		if (!text)
			continue;
		fprintf(stream, "%s%s=%s was reached ", before,
			vmsi_stage_option((enum vmsi_stage)i), text);
		if (count > 1)
			fprintf(stream, "%llu times",
				(unsigned long long)count);
		else
			fputs(count ? "once" : "never", stream);
		before = ", ";
	}
	if (*before == ',')
		fputc('\n', stream);
}

/* --- by process and by stack ---------------------------------------------- */

/* "  cc1plus: 412 in 38 processes; ld: 75 in 3 processes" */
static void write_commands(FILE *stream, struct vmsi_tally *tally)
{
	size_t shown = tally->command_count;

	if (tally->process_count < 2)
		return;
	vmsi_tally_sort_commands(tally);
	if (shown > COMMANDS_MOST)
		shown = COMMANDS_MOST;
	fputs("  ", stream);
	for (size_t i = 0; i < shown; i++) {
		const struct vmsi_tally_command *command = &tally->commands[i];

		fputs(i ? "; " : "", stream);
		vmsi_write_escaped(stream, command->command);
		fprintf(stream, ": %llu in %zu process%s",
			(unsigned long long)command->count, command->processes,
			command->processes == 1 ? "" : "es");
	}
	if (shown < tally->command_count)
		fprintf(stream, "; and %zu more programs",
			tally->command_count - shown);
	fputc('\n', stream);
}

static void write_whole(FILE *stream, const struct vmsi_tally_stack *stack,
			enum vmsi_limited limited)
{
	if (stack->count > 1)
		fprintf(stream, "  %llu times, first\n",
			(unsigned long long)stack->count);
	vmsi_write_refusal(stream, &stack->first, stack->backtrace, limited);
	if (!stack->backtrace)
		fprintf(stream, "             no stack: %s\n",
			stack->why ? stack->why : "");
}

static void write_row(FILE *stream, const struct vmsi_tally_stack *stack)
{
	fprintf(stream, "  %6llu  ", (unsigned long long)stack->count);
	vmsi_write_escaped(stream, stack->first.command);
	fprintf(stream, "  %s of %s", vmsi_call_name(stack->first.call),
		vmsi_told_size(stack->least).text);
	if (stack->most > stack->least)
		fprintf(stream, " to %s", vmsi_told_size(stack->most).text);
	fputs("  ", stream);
	if (stack->backtrace)
		vmsi_write_stack_line(stream, stack->backtrace);
	else
		fprintf(stream, "(no stack: %s)", stack->why ? stack->why : "");
	fputc('\n', stream);
}

static const struct vmsi_tally_stack *
first_of(const struct vmsi_tally_stack *const *stacks, size_t count)
{
	const struct vmsi_tally_stack *first = stacks[0];

	for (size_t i = 1; i < count; i++)
		if (stacks[i]->first.time < first->first.time)
			first = stacks[i];
	return first;
}

/* A line for each stack, after the first refusal, which tells who had the memory. */
static void write_rows(FILE *stream, const struct vmsi_snapshot *snapshot,
		       const struct vmsi_tally_stack *const *stacks)
{
	const struct vmsi_tally *tally = snapshot->tally;
	const size_t shown = tally->stack_count < LINES_MOST ?
		tally->stack_count : LINES_MOST;
	uint64_t more = tally->beyond;
	const struct vmsi_tally_stack *fork = NULL;

	vmsi_write_refusal(stream, &first_of(stacks, tally->stack_count)->first,
			   NULL, snapshot->limited);
	for (size_t i = 0; i < shown; i++)
		write_row(stream, stacks[i]);
	for (size_t i = shown; i < tally->stack_count; i++)
		more += stacks[i]->count;
	if (more)
		fprintf(stream, "  %6llu  of %s%zu more stacks\n",
			(unsigned long long)more,
			tally->beyond ? "at least " : "",
			tally->stack_count - shown + (tally->beyond > 0));
	for (size_t i = 0; i < tally->stack_count && !fork; i++)
		if (stacks[i]->first.call == VMS_GROUP_FORK)
			fork = stacks[i];
	if (fork && fork != first_of(stacks, tally->stack_count))
		write_fork_hint(stream, &fork->first);
}

static void write_stacks(FILE *stream, const struct vmsi_snapshot *snapshot)
{
	const struct vmsi_tally_stack **stacks =
		vmsi_tally_sorted(snapshot->tally);
	const size_t count = snapshot->tally->stack_count;

	if (stacks && count > WHOLE_MOST)
		write_rows(stream, snapshot, stacks);
	for (size_t i = 0; stacks && i < count && count <= WHOLE_MOST; i++)
		write_whole(stream, stacks[i], snapshot->limited);
	free(stacks);
}

void vmsi_snapshot_write_text(FILE *stream,
			      const struct vmsi_snapshot *snapshot,
			      enum vmsi_detail detail)
{
	const struct vms_group_stats *stats = &snapshot->stats;

	write_sum(stream, snapshot);
	if (stats->interruptible)
		fprintf(stream, "%s: calls of %llu processes that handle "
			"signals and could not be traced may have answered "
			"EINTR\n", snapshot->program,
			(unsigned long long)stats->interruptible);
	if (stats->unaccounted)
		fprintf(stream, "%s: %llu calls failed because there was no "
			"memory to account for them\n", snapshot->program,
			(unsigned long long)stats->unaccounted);
	write_warnings(stream, snapshot->warning);
	write_commands(stream, snapshot->tally);
	if (detail == VMSI_DETAIL_STACKS)
		write_stacks(stream, snapshot);
}
