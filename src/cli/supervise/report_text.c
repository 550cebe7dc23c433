/* SPDX-License-Identifier: MIT */
#include "cli/supervise/snapshot.h"

#include "cli/output/text.h"
#include "text/size.h"

/* The report as text. */

static struct vmsi_size_text size(size_t bytes)
{
	return vmsi_size_text(bytes, VMSI_SIZE_HUMAN);
}

static void write_name(FILE *stream, const char *command, pid_t pid)
{
	vmsi_write_escaped(stream, command);
	fprintf(stream, "[%d]", (int)pid);
}

static void write_largest(FILE *stream, const struct vmsi_largest *largest)
{
	for (size_t i = 0; i < largest->count; i++) {
		fputs(i ? ", " : ": ", stream);
		write_name(stream, largest->list[i].command,
			   largest->list[i].pid);
		fprintf(stream, " %s", size(largest->list[i].committed).text);
	}
}

void vmsi_write_refusal(FILE *stream, const struct vmsi_refusal *refusal,
			enum vmsi_limited limited)
{
	const struct vms_group_refusal *told = &refusal->told;

	fprintf(stream, "  %9.3f s  ", (double)told->time / 1e9);
	write_name(stream, told->command, told->process);
	fprintf(stream, "  %s of %s", vmsi_call_name(told->call),
		size(told->requested).text);
	if (told->injected)
		fprintf(stream, " (request %llu, refused on demand)",
			(unsigned long long)told->request);
	if (told->unaccounted)
		fputs(" (no memory to account for it)", stream);
	fprintf(stream, "; in use %s", size(told->committed).text);
	if (limited == VMSI_LIMITED)
		fprintf(stream, " of %s", size(told->limit).text);
	write_largest(stream, &refusal->largest);
	fputc('\n', stream);
	/*
	 * Most children soon execute a program and need no copy, so the option is
	 * named.
	 */
	if (told->call == VMS_GROUP_FORK && !told->injected &&
	    !told->unaccounted)
		fputs("             a copy of the parent was charged; --fork=free "
		      "does not charge it\n", stream);
	if (told->backtrace)
		vmsi_write_backtrace(stream, told->backtrace, SIZE_MAX);
}

static void write_sum(FILE *stream, const struct vmsi_snapshot *snapshot)
{
	const struct vms_group_stats *stats = &snapshot->stats;

	fprintf(stream, "%s: peak commit %s", snapshot->program,
		size(stats->peak).text);
	if (snapshot->limited == VMSI_LIMITED)
		fprintf(stream, " of %s", size(stats->limit).text);
	if (snapshot->unrefusable)
		fprintf(stream, ", %s of it memory that nothing can refuse",
			size(snapshot->unrefusable).text);
	if (stats->refusals == 0 && snapshot->limited == VMSI_LIMITED)
		fputs("; nothing was refused", stream);
	else if (stats->refusals == 0 && stats->requests == 0)
		fputs("; nothing was requested", stream);
	else if (stats->refusals == 0 && stats->requests == 1)
		fputs("; the only request was not refused", stream);
	else if (stats->refusals == 0)
		fprintf(stream, "; of %llu requests none was refused",
			(unsigned long long)stats->requests);
	else
		fprintf(stream, "; %llu refused",
			(unsigned long long)stats->refusals);
	if (stats->granted_again)
		fprintf(stream, " (%llu granted when asked again)",
			(unsigned long long)stats->granted_again);
	fputc('\n', stream);
}

void vmsi_snapshot_write_text(FILE *stream,
			      const struct vmsi_snapshot *snapshot,
			      size_t shown_most)
{
	const struct vms_group_stats *stats = &snapshot->stats;
	size_t shown = snapshot->refusal_count;

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
	if (shown_most == 0)
		return;
	if (shown > shown_most)
		shown = shown_most;
	for (size_t i = 0; i < shown; i++)
		vmsi_write_refusal(stream, &snapshot->refusals[i],
				   snapshot->limited);
	if (snapshot->refusals_told > shown)
		fprintf(stream, "  and %llu more\n",
			(unsigned long long)(snapshot->refusals_told - shown));
}
