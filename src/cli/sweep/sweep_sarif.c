/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/output/json.h"
#include "cli/output/report_file.h"
#include "cli/output/size.h"

/* The findings as SARIF 2.1.0, which code-scanning services show beside the code. */

static const char *const rules[VMSI_SWEEP_VERDICTS] = {
	[VMSI_SWEEP_WRONG] = "After a failure the program writes something wrong "
			     "and ends as if nothing had happened.",
	[VMSI_SWEEP_LEAKED] = "After a failure the program leaves memory behind that "
			      "nothing points to.",
	[VMSI_SWEEP_CRASHED] = "A failure ends the program by a signal.",
	[VMSI_SWEEP_HUNG] = "After a failure the program does not end.",
	[VMSI_SWEEP_BROKEN] = "The run could not be made.",
};

static json_t *rules_json(void)
{
	json_t *all = json_array();

	for (int i = 0; i < VMSI_SWEEP_VERDICTS; i++)
		if (rules[i])
			json_array_append_new(all, json_pack(
				"{s:s,s:{s:s}}", "id",
				vmsi_sweep_word((enum vmsi_sweep_verdict)i),
				"shortDescription", "text", rules[i]));
	return all;
}

/* --- frames --------------------------------------------------------------------- */

/* "function (library) at file:line", in its parts. */
struct frame {
	char *function;
	char *file; /* NULL: not known */
	int line;
};

static struct frame split(const char *text, size_t length)
{
	struct frame frame = { .function = strndup(text, length) };
	char *at = frame.function ? strstr(frame.function, " at ") : NULL;
	char *colon = at ? strrchr(at, ':') : NULL;

	if (!colon)
		return frame;
	frame.line = atoi(colon + 1);
	*colon = '\0';
	frame.file = at + strlen(" at ");
	*at = '\0';
	return frame;
}

static json_t *location_json(const struct frame *frame)
{
	json_t *location = json_pack("{s:[{s:o}]}", "logicalLocations", "name",
				     vmsi_json_text(frame->function ? frame->function : "?"));

	if (frame->file && frame->line > 0)
		json_object_set_new(location, "physicalLocation", json_pack(
			"{s:{s:o},s:{s:i}}", "artifactLocation", "uri",
			vmsi_json_text(frame->file), "region", "startLine",
			frame->line));
	return location;
}

/* The frames of a backtrace, the first ones alone where most is 1. */
static json_t *locations_json(const char *backtrace, size_t most,
			      const char *member)
{
	json_t *all = json_array();

	for (size_t i = 0; i < most && *backtrace; i++) {
		const size_t length = strcspn(backtrace, "\n");
		struct frame frame = split(backtrace, length);
		json_t *location = location_json(&frame);

		json_array_append_new(all, member ?
			json_pack("{s:o}", member, location) : location);
		free(frame.function);
		backtrace += length;
		backtrace += *backtrace != '\0';
	}
	return all;
}

/* --- results -------------------------------------------------------------------- */

static json_t *message_json(const struct vmsi_sweep_result *result)
{
	char *text = NULL;
	json_t *message;
	const struct vmsi_size_text size = vmsi_told_size(result->requested);

	if (asprintf(&text, "%s %s when %s of %s fails", result->command,
		     vmsi_sweep_word(result->verdict), result->call, size.text) < 0)
		return NULL;
	message = json_pack("{s:o}", "text", vmsi_json_text(text));
	free(text);
	return message;
}

static json_t *finding_json(const struct vmsi_sweep_options *options,
			    const struct vmsi_sweep_result *result)
{
	char *signature = vmsi_sweep_signature(result);
	json_t *finding = json_pack(
		"{s:s,s:s,s:o,s:o,s:[{s:o}],s:{s:o}}", "ruleId",
		vmsi_sweep_word(result->verdict), "level", "error", "message",
		message_json(result), "locations",
		locations_json(result->backtrace, 1, NULL), "stacks", "frames",
		locations_json(result->backtrace, SIZE_MAX, "location"),
		"partialFingerprints", "vmspaceSweep/v1",
		vmsi_json_text(signature ? signature : "?"));

	if (options->baseline)
		json_object_set_new(finding, "baselineState", json_string(
			result->known ? "unchanged" : "new"));
	free(signature);
	return finding;
}

static json_t *findings_json(const struct vmsi_sweep_options *options,
			     const struct vmsi_sweep_part *parts, size_t count)
{
	json_t *all = json_array();

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < parts[i].count; j++)
			if (vmsi_sweep_is_bad(parts[i].results[j].verdict))
				json_array_append_new(all, finding_json(
					options, &parts[i].results[j]));
	return all;
}

bool vmsi_sweep_write_sarif(const struct vmsi_sweep_options *options,
			    const struct vmsi_sweep_part *parts, size_t count)
{
	json_t *all = json_pack(
		"{s:s,s:s,s:[{s:{s:{s:s,s:s,s:o}},s:o}]}", "$schema",
		"https://json.schemastore.org/sarif-2.1.0.json", "version",
		"2.1.0", "runs", "tool", "driver", "name", "vmspace sweep",
		"version", VMSI_VERSION, "rules", rules_json(), "results",
		findings_json(options, parts, count));
	const bool written = vmsi_report_write(all, options->sarif);

	json_decref(all);
	return written;
}
