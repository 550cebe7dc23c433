/* SPDX-License-Identifier: MIT */
#include "run_commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "report_file.h"
#include "text.h"
#include "text/size.h"

/*
 * What was refused: to standard error at the end, or as it happens, and to a
 * file as JSON.
 */

/* A program may ask again and again; what is more is only counted. */
#define KEPT_MOST 10000
#define SHOWN_MOST 20
#define HOLDERS 3

struct vmsi_report {
	const struct vmsi_commit_options *options;
	char **arguments;
	json_t *refusals;
	char *text;      /* of the first ones */
	size_t text_length;
	FILE *shown;     /* writes text */
	uint64_t count;
	uint64_t written; /* refusals when the file was written */
};

const char *vmsi_report_call_name(enum vms_group_call call)
{
	static const char *const names[] = {
		[VMS_GROUP_MMAP] = "mmap",
		[VMS_GROUP_MPROTECT] = "mprotect",
		[VMS_GROUP_MREMAP] = "mremap",
		[VMS_GROUP_BRK] = "brk",
		[VMS_GROUP_FORK] = "fork",
		[VMS_GROUP_EXEC] = "execve",
		[VMS_GROUP_SHMGET] = "shmget",
	};

	return names[call];
}

static struct vmsi_size_text size(size_t bytes)
{
	return vmsi_size_text(bytes, VMSI_SIZE_HUMAN);
}

struct vmsi_report *vmsi_report_open(const struct vmsi_commit_options *options,
				     char **arguments)
{
	struct vmsi_report *report = calloc(1, sizeof *report);

	if (!report)
		return NULL;
	report->options = options;
	report->arguments = arguments;
	report->refusals = json_array();
	report->shown = open_memstream(&report->text, &report->text_length);
	if (report->refusals && report->shown)
		return report;
	vmsi_report_close(report);
	errno = ENOMEM;
	return NULL;
}

void vmsi_report_close(struct vmsi_report *report)
{
	if (!report)
		return;
	json_decref(report->refusals);
	if (report->shown)
		fclose(report->shown);
	free(report->text);
	free(report);
}

/* --- who has the memory ------------------------------------------------- */

struct holders {
	struct vms_group_process list[HOLDERS];
	size_t count;
};

/* Kept in order, the largest first. */
static void insert(struct holders *holders,
		   const struct vms_group_process *process)
{
	size_t at = holders->count < HOLDERS ? holders->count++ : HOLDERS - 1;

	if (at == HOLDERS - 1 && holders->list[at].committed &&
	    holders->list[at].committed >= process->committed)
		return;
	while (at > 0 && holders->list[at - 1].committed < process->committed) {
		holders->list[at] = holders->list[at - 1];
		at--;
	}
	holders->list[at] = *process;
}

static struct holders find_holders(vms_group *group)
{
	struct vms_group_process process = { .struct_size = sizeof process };
	struct holders holders = { .count = 0 };
	size_t cursor = 0;

	while (vms_group_next_process(group, &cursor, &process) == 1 &&
	       !process.ended)
		insert(&holders, &process);
	return holders;
}

/* --- text --------------------------------------------------------------- */

static void write_name(FILE *stream, const char *command, pid_t pid)
{
	vmsi_write_escaped(stream, command);
	fprintf(stream, "[%d]", (int)pid);
}

static void write_refusal(FILE *stream, const struct vms_group_refusal *refusal,
			  const struct holders *holders)
{
	fprintf(stream, "  %9.3f s  ", (double)refusal->time / 1e9);
	write_name(stream, refusal->command, refusal->process);
	fprintf(stream, "  %s of %s", vmsi_report_call_name(refusal->call),
		size(refusal->requested).text);
	if (refusal->injected)
		fprintf(stream, " (request %llu, refused on demand)",
			(unsigned long long)refusal->request);
	fprintf(stream, "; in use %s of %s:", size(refusal->committed).text,
		size(refusal->limit).text);
	for (size_t i = 0; i < holders->count; i++) {
		fputs(i ? ", " : " ", stream);
		write_name(stream, holders->list[i].command,
			   holders->list[i].pid);
		fprintf(stream, " %s", size(holders->list[i].committed).text);
	}
	fputc('\n', stream);
	/* Most children only execute a program, and touch little before. */
	if (refusal->call == VMS_GROUP_FORK && !refusal->injected)
		fputs("             a copy of the parent was charged; --fork=free "
		      "does not charge it\n", stream);
	if (refusal->stack)
		vmsi_write_stack(stream, refusal->stack, SIZE_MAX);
}

/* --- JSON --------------------------------------------------------------- */

static json_t *frames_of(const char *stack)
{
	json_t *frames = json_array();

	while (stack && *stack) {
		size_t length = strcspn(stack, "\n");
		char *frame = strndup(stack, length);

		if (frame)
			json_array_append_new(frames, vmsi_json_text(frame));
		free(frame);
		stack += length;
		stack += *stack == '\n';
	}
	return frames;
}

static json_t *holders_json(const struct holders *holders)
{
	json_t *list = json_array();

	for (size_t i = 0; i < holders->count; i++)
		json_array_append_new(list, json_pack("{s:i,s:o,s:o}",
			"pid", (int)holders->list[i].pid,
			"command", vmsi_json_text(holders->list[i].command),
			"committed", vmsi_json_amount(holders->list[i].committed)));
	return list;
}

static json_t *refusal_json(const struct vms_group_refusal *refusal,
			    const struct holders *holders)
{
	return json_pack("{s:f,s:i,s:i,s:o,s:s,s:o,s:o,s:o,s:b,s:o,s:o,s:o}",
		"seconds", (double)refusal->time / 1e9,
		"pid", (int)refusal->process,
		"thread", (int)refusal->thread,
		"command", vmsi_json_text(refusal->command),
		"call", vmsi_report_call_name(refusal->call),
		"requested", vmsi_json_amount(refusal->requested),
		"committed", vmsi_json_amount(refusal->committed),
		"limit", vmsi_json_amount(refusal->limit),
		"injected", refusal->injected,
		"request", vmsi_json_amount(refusal->request),
		"in_use_by", holders_json(holders),
		"stack", frames_of(refusal->stack));
}

void vmsi_report_refusal(void *context, vms_group *group,
			 const struct vms_group_refusal *refusal)
{
	struct vmsi_report *report = context;
	struct holders holders = find_holders(group);

	report->count++;
	if (report->options->log)
		write_refusal(stderr, refusal, &holders);
	else if (report->count <= SHOWN_MOST)
		write_refusal(report->shown, refusal, &holders);
	if (report->options->report &&
	    json_array_size(report->refusals) < KEPT_MOST)
		json_array_append_new(report->refusals,
				      refusal_json(refusal, &holders));
}

/* --- the end ------------------------------------------------------------ */

static json_t *processes_json(vms_group *group)
{
	struct vms_group_process process = { .struct_size = sizeof process };
	json_t *list = json_array();
	size_t cursor = 0;

	while (vms_group_next_process(group, &cursor, &process) == 1)
		json_array_append_new(list, json_pack("{s:i,s:o,s:o,s:o,s:b}",
			"pid", (int)process.pid,
			"command", vmsi_json_text(process.command),
			"peak", vmsi_json_amount(process.peak),
			"refusals", vmsi_json_amount(process.refusals),
			"ended", process.ended));
	return list;
}

static json_t *arguments_json(char **arguments)
{
	json_t *list = json_array();

	for (; *arguments; arguments++)
		json_array_append_new(list, **arguments ?
			vmsi_json_text(*arguments) : json_string(""));
	return list;
}

/*
 * What the peak had above a strict limit. No request is granted there, so it came
 * without one: pages of files, stacks that grew, images of programs.
 */
static size_t unrefusable(const struct vmsi_report *report,
			  const struct vms_group_stats *stats)
{
	return report->options->group.policy == VMS_COMMIT_STRICT &&
		stats->peak > stats->limit ? stats->peak - stats->limit : 0;
}

static void write_json(struct vmsi_report *report, vms_group *group,
		       const struct vms_group_stats *stats)
{
	const int status = vms_group_status(group);
	json_t *all = json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:O,s:o}",
		"command", arguments_json(report->arguments),
		"limit", vmsi_json_amount(stats->limit),
		"peak", vmsi_json_amount(stats->peak),
		"unrefusable", vmsi_json_amount(unrefusable(report, stats)),
		"requests", vmsi_json_amount(stats->requests),
		"calls", vmsi_json_amount(stats->calls),
		"refused", vmsi_json_amount(stats->refusals),
		"granted_again", vmsi_json_amount(stats->granted_again),
		"injected", vmsi_json_amount(stats->injected),
		"interruptible", vmsi_json_amount(stats->interruptible),
		"exit_status", vmsi_json_exit_status(status),
		"signal", vmsi_json_signal(status),
		"refusals", report->refusals,
		"processes", processes_json(group));

	if (all)
		(void)vmsi_report_write(all, report->options->report);
	json_decref(all);
}

static void write_text(struct vmsi_report *report,
		       const struct vms_group_stats *stats)
{
	const size_t unasked = unrefusable(report, stats);

	fprintf(stderr, "vmspace run: peak commit %s of %s",
		size(stats->peak).text, size(stats->limit).text);
	if (unasked)
		fprintf(stderr, ", %s of it memory that nothing can refuse",
			size(unasked).text);
	fputs("; ", stderr);
	if (stats->refusals == 0)
		fputs("nothing was refused", stderr);
	else
		fprintf(stderr, "%llu refused",
			(unsigned long long)stats->refusals);
	if (stats->granted_again)
		fprintf(stderr, " (%llu granted when asked again)",
			(unsigned long long)stats->granted_again);
	fputc('\n', stderr);
	if (stats->interruptible)
		fprintf(stderr, "vmspace run: calls of %llu processes that "
			"handle signals and could not be traced may have "
			"answered EINTR\n",
			(unsigned long long)stats->interruptible);
	if (stats->refusals == 0)
		return;
	fflush(report->shown);
	fputs(report->text, stderr);
	if (!report->options->log && report->count > SHOWN_MOST)
		fprintf(stderr, "  and %llu more\n",
			(unsigned long long)(report->count - SHOWN_MOST));
}

void vmsi_report_finish(struct vmsi_report *report, vms_group *group)
{
	struct vms_group_stats stats = { .struct_size = sizeof stats };

	(void)vms_group_get_stats(group, &stats);
	report->written = stats.refusals;
	if (report->options->report)
		write_json(report, group, &stats);
	if (!report->options->quiet)
		write_text(report, &stats);
}

void vmsi_report_update(struct vmsi_report *report, vms_group *group)
{
	struct vms_group_stats stats = { .struct_size = sizeof stats };

	(void)vms_group_get_stats(group, &stats);
	if (report->options->report && stats.refusals > report->written)
		write_json(report, group, &stats);
}
