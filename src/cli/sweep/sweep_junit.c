/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_findings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/output/report_file.h"
#include "cli/output/text.h"

/*
 * The results as JUnit's XML, which CI systems show: a test case a trial. The writer of
 * libxml2 would load that library, and ICU with it, at each start of the command; what
 * is to be written needs five characters replaced.
 */

/* XML has no way to write most control characters, and none for bytes of no text. */
static void write_text(FILE *file, const char *text)
{
	static const char *const names[128] = {
		['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;",
		['"'] = "&quot;",
	};

	while (*text) {
		const unsigned char byte = (unsigned char)*text;
		const size_t length = vmsi_utf8_length(text);

		if (length == 0 || (byte < ' ' && byte != '\n' && byte != '\t'))
			fputs("\xef\xbf\xbd", file);
		else if (length == 1 && names[byte & 127])
			fputs(names[byte & 127], file);
		else
			fwrite(text, 1, length, file);
		text += length ? length : 1;
	}
}

static void write_how(FILE *file, const struct vmsi_sweep_result *result)
{
	if (result->verdict == VMSI_SWEEP_CRASHED)
		fprintf(file, "by signal %d", WTERMSIG(result->status));
	else if (result->verdict == VMSI_SWEEP_HUNG)
		fprintf(file, "after %.1f s", result->seconds);
	else if (result->verdict == VMSI_SWEEP_BROKEN)
		write_text(file, strerror(result->error));
	else
		fprintf(file, "with exit status %d",
			WEXITSTATUS(result->status));
}

static bool is_skipped(enum vmsi_sweep_verdict verdict)
{
	return verdict == VMSI_SWEEP_NOT_MADE ||
		verdict == VMSI_SWEEP_LEFT_OUT;
}

static void write_outcome(FILE *file, const struct vmsi_sweep_result *result)
{
	const char *element = result->verdict == VMSI_SWEEP_BROKEN ? "error" :
								     "failure";

	if (is_skipped(result->verdict))
		fputs("<skipped/>", file);
	if (!vmsi_sweep_is_bad(result->verdict))
		return;
	if (result->known) {
		fputs("<skipped message=\"known\"/>", file);
		return;
	}
	fprintf(file, "<%s type=\"%s\" message=\"%s ", element,
		vmsi_sweep_word(result->verdict),
		vmsi_sweep_word(result->verdict));
	write_how(file, result);
	fputs("\">", file);
	write_text(file, result->backtrace);
	fprintf(file, "</%s>", element);
}

static void write_case(FILE *file, const struct vmsi_sweep_result *result)
{
	char *first = strndup(result->backtrace,
			      strcspn(result->backtrace, "\n"));

	fprintf(file, "<testcase classname=\"%s\" name=\"%" PRIu64 ": %s of %zu",
		result->kind == VMSI_SWEEP_REQUEST ? "request" : "allocation",
		result->number, result->call, result->requested);
	if (first && *first) {
		fputs(" in ", file);
		write_text(file, first);
	}
	fprintf(file, "\" time=\"%.3f\">", result->seconds);
	write_outcome(file, result);
	fputs("</testcase>\n", file);
	free(first);
}

static size_t count_of(const struct vmsi_sweep_part *part, bool broken,
		       bool skipped)
{
	size_t count = 0;

	for (size_t i = 0; i < part->count; i++) {
		const struct vmsi_sweep_result *one = &part->results[i];
		const bool bad = vmsi_sweep_is_bad(one->verdict);

		if (skipped)
			count += is_skipped(one->verdict) ||
				(bad && one->known);
		else
			count += bad && !one->known &&
				broken == (one->verdict == VMSI_SWEEP_BROKEN);
	}
	return count;
}

static void write_suite(FILE *file, const struct vmsi_sweep_options *options,
			const struct vmsi_sweep_part *part)
{
	size_t tried = 0;

	for (size_t i = 0; i < part->count; i++)
		tried += part->results[i].verdict != VMSI_SWEEP_UNTRIED;
	fputs("<testsuite name=\"vmspace sweep of ", file);
	write_text(file, options->arguments[0]);
	fprintf(file, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		"skipped=\"%zu\">\n", tried, count_of(part, false, false),
		count_of(part, true, false), count_of(part, false, true));
	for (size_t i = 0; i < part->count; i++)
		if (part->results[i].verdict != VMSI_SWEEP_UNTRIED)
			write_case(file, &part->results[i]);
	fputs("</testsuite>\n", file);
}

bool vmsi_sweep_write_junit(const struct vmsi_sweep_options *options,
			    const struct vmsi_sweep_part *parts, size_t count)
{
	char *content = NULL;
	size_t length;
	FILE *file = open_memstream(&content, &length);
	bool written;

	if (!file)
		return vmsi_sweep_fail(options->junit, ENOMEM) == VMSI_EXIT_OK;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", file);
	for (size_t i = 0; i < count; i++)
		write_suite(file, options, &parts[i]);
	fputs("</testsuites>\n", file);
	written = fclose(file) == 0 &&
		vmsi_report_write_text(content, options->junit);
	free(content);
	return written;
}
