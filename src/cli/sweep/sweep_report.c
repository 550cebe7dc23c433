/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_findings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/output/json.h"
#include "cli/output/report_file.h"
#include "cli/output/size.h"
#include "cli/output/terminal.h"
#include "cli/output/text.h"

/*
 * The text has the bad runs, with one backtrace for all that have the same, and
 * how many runs had which verdict. The JSON has all runs.
 */

#define FRAMES_SHOWN 12

static bool are_alike(const struct vmsi_sweep_result *a,
		      const struct vmsi_sweep_result *b)
{
	return a->verdict == b->verdict && a->status == b->status &&
		strcmp(a->backtrace, b->backtrace) == 0;
}

/* --- text ------------------------------------------------------------------------- */

static void print_status(const struct vmsi_sweep_result *result)
{
	if (result->verdict == VMSI_SWEEP_HUNG)
		printf(" after %.1f s", result->seconds);
	else if (result->verdict == VMSI_SWEEP_BROKEN)
		printf(": %s", strerror(result->error));
	else if (WIFSIGNALED(result->status))
		printf(" by signal %d (%s)", WTERMSIG(result->status),
		       strsignal(WTERMSIG(result->status)));
	else
		printf(" with status %d", WEXITSTATUS(result->status));
}

static void print_group(const struct vmsi_sweep_result *results, size_t count,
			size_t first, bool *told)
{
	const struct vmsi_sweep_result *one = &results[first];
	size_t alike = 0;

	for (size_t i = first; i < count; i++)
		if (!told[i] && are_alike(one, &results[i])) {
			told[i] = true;
			alike++;
		}
	vmsi_mark_begin(stdout, VMSI_MARK_BAD);
	fputs(vmsi_sweep_word(one->verdict), stdout);
	vmsi_mark_end(stdout);
	print_status(one);
	printf(": %s %" PRIu64, one->kind == VMSI_SWEEP_REQUEST ?
	       "request" : "allocation", one->number);
	if (alike > 1)
		printf(" and %zu more like it", alike - 1);
	fputs(": ", stdout);
	vmsi_write_escaped(stdout, one->command);
	printf(", %s of %s", one->call,
	       vmsi_told_size(one->requested).text);
	if (one->calls > 1)
		printf(", one of %" PRIu64 " from there", one->calls);
	putchar('\n');
	vmsi_write_backtrace(stdout, one->backtrace, FRAMES_SHOWN);
	if (one->leak && *one->leak) {
		fputs("    leaked, allocated by:\n", stdout);
		vmsi_write_backtrace(stdout, one->leak, FRAMES_SHOWN);
	}
}

/* What is shown of a part as a whole. */
static void print_head(const struct vmsi_sweep_part *part, size_t tried)
{
	if (part->kind == VMSI_SWEEP_REQUEST) {
		printf("%zu request%s failed in turn\n", tried,
		       tried == 1 ? "" : "s");
		return;
	}
	printf("%zu allocation%s failed in turn, of %" PRIu64 " from %" PRIu64
	       " stack%s\n", tried, tried == 1 ? "" : "s", part->made,
	       part->stacks, part->stacks == 1 ? "" : "s");
}

static void print_known(const struct vmsi_sweep_part *part)
{
	size_t known = 0;

	for (size_t i = 0; i < part->count; i++)
		known += part->results[i].known;
	if (known > 0)
		printf("%zu of them known\n", known);
}

static void print_table(const struct vmsi_sweep_part *part)
{
	size_t counts[VMSI_SWEEP_UNTRIED + 1] = { 0 };
	size_t tried;

	for (size_t i = 0; i < part->count; i++)
		counts[part->results[i].verdict]++;
	tried = part->count - counts[VMSI_SWEEP_UNTRIED];
	print_head(part, tried - counts[VMSI_SWEEP_LEFT_OUT]);
	for (int i = 0; i < VMSI_SWEEP_VERDICTS; i++)
		if (counts[i])
			printf("%8zu  %s\n", counts[i],
			       vmsi_sweep_word((enum vmsi_sweep_verdict)i));
	print_known(part);
	if (tried < part->count)
		printf("interrupted before the other %zu\n",
		       part->count - tried);
}

/* Returns whether there is anything bad. */
static bool print_part(const struct vmsi_sweep_part *part)
{
	bool *told = calloc(part->count + 1, sizeof *told), bad = false;

	for (size_t i = 0; i < part->count; i++)
		if (vmsi_sweep_is_bad(part->results[i].verdict) &&
		    !part->results[i].known) {
			bad = true;
			if (told && !told[i])
				print_group(part->results, part->count, i, told);
		}
	free(told);
	print_table(part);
	return bad;
}

/* --- JSON ----------------------------------------------------------------------------- */

/* The status of a program that hung is of the SIGKILL of the worker. */
static json_t *exit_status_json(const struct vmsi_sweep_result *result)
{
	if (result->verdict == VMSI_SWEEP_HUNG ||
	    result->verdict == VMSI_SWEEP_BROKEN)
		return json_null();
	return vmsi_json_exit_status(result->status);
}

static json_t *result_json(const struct vmsi_sweep_result *result)
{
	const bool is_request = result->kind == VMSI_SWEEP_REQUEST;

	return json_pack("{s:o,s:s,s:b,s:s,s:o,s:o,s:f,s:o,s:o,s:o,s:o,s:o}",
		is_request ? "request" : "allocation",
		vmsi_json_amount(result->number),
		"verdict", vmsi_sweep_word(result->verdict),
		"known", result->known,
		"call", result->call,
		"requested", vmsi_json_amount(result->requested),
		"calls", is_request ? json_null() :
				      vmsi_json_amount(result->calls),
		"seconds", result->seconds,
		"exit_status", exit_status_json(result),
		"signal", vmsi_json_signal(result->status),
		"command", vmsi_json_text(result->command),
		"backtrace", vmsi_json_text(result->backtrace),
		"leak", result->leak && *result->leak ?
			vmsi_json_text(result->leak) : json_null());
}

static bool write_json(const struct vmsi_sweep_options *options,
		       const struct vmsi_sweep_part *parts, size_t count)
{
	json_t *all = json_array();
	bool written;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < parts[i].count; j++)
			if (parts[i].results[j].verdict != VMSI_SWEEP_UNTRIED)
				json_array_append_new(
					all, result_json(&parts[i].results[j]));
	written = vmsi_report_write(all, options->report);
	json_decref(all);
	return written;
}

/* Of an interrupted sweep no baseline is written: it would forget findings. */
static bool write_files(const struct vmsi_sweep_options *options,
			const struct vmsi_sweep_part *parts, size_t count)
{
	bool written = !options->report || write_json(options, parts, count);

	if (options->junit)
		written &= vmsi_sweep_write_junit(options, parts, count);
	if (options->sarif)
		written &= vmsi_sweep_write_sarif(options, parts, count);
	if (options->new_baseline && !vmsi_sweep_interrupted())
		written &= vmsi_sweep_write_baseline(options->new_baseline,
						     parts, count);
	return written;
}

enum vmsi_exit vmsi_sweep_report(const struct vmsi_sweep_options *options,
				 const struct vmsi_sweep_part *parts,
				 size_t count)
{
	bool bad = false;

	if (options->baseline &&
	    vmsi_sweep_take_baseline(options->baseline, parts, count) !=
		    VMSI_EXIT_OK)
		return VMSI_EXIT_RUN_FAILED;
	for (size_t i = 0; i < count; i++)
		bad = print_part(&parts[i]) || bad;
	if (!write_files(options, parts, count))
		return VMSI_EXIT_RUN_FAILED;
	if (vmsi_finish_output("vmspace sweep") != VMSI_EXIT_OK)
		return VMSI_EXIT_RUN_FAILED;
	return bad ? VMSI_EXIT_FAILED : VMSI_EXIT_OK;
}
