/* SPDX-License-Identifier: MIT */
#include "cli/top/writers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output/text.h"

/*
 * Metrics in the names of Prometheus: a prefix, base units at the end, "_total" for
 * what only grows. All samples of one name come together.
 */

enum source { OF_FIGURE, OF_MINOR, OF_MAJOR };

struct metric {
	const char *name; /* without the prefix and "_total" */
	const char *help;
	enum source source;
	enum vmsi_top_column column;
};

static const struct metric metrics[] = {
	{ "commit_bytes", "What the kernel has promised.", OF_FIGURE,
	  VMSI_TOP_COMMIT },
	{ "writable_bytes", "Private memory that may be written.", OF_FIGURE,
	  VMSI_TOP_WRITABLE },
	{ "reserved_bytes", "Addresses that are set aside.", OF_FIGURE,
	  VMSI_TOP_RESERVED },
	{ "resident_bytes", "What is in memory.", OF_FIGURE, VMSI_TOP_RESIDENT },
	{ "anonymous_bytes", "Resident memory without a file.", OF_FIGURE,
	  VMSI_TOP_ANONYMOUS },
	{ "file_bytes", "Resident pages of files and of shared memory.", OF_FIGURE,
	  VMSI_TOP_FILE },
	{ "proportional_bytes", "Resident memory, each page divided by its users.",
	  OF_FIGURE, VMSI_TOP_PROPORTIONAL },
	{ "swapped_bytes", "What is in swap.", OF_FIGURE, VMSI_TOP_SWAPPED },
	{ "mappings", "Mappings.", OF_FIGURE, VMSI_TOP_MAPPINGS },
	{ "minor_faults", "Page faults that read nothing.", OF_MINOR, 0 },
	{ "major_faults", "Page faults that had to read.", OF_MAJOR, 0 },
};

/* --- the parts of a line --------------------------------------------------------------- */

/* A label's value has a backslash before quotes, backslashes and, as n, newlines. */
static void write_label_text(FILE *stream, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", stream);
			continue;
		}
		if (*text == '"' || *text == '\\')
			fputc('\\', stream);
		fputc(*text, stream);
	}
}

/*
 * Names have their bytes that are no text as \ooo, so that two of them never become
 * one, and the whole is UTF-8.
 */
static void write_name(FILE *stream, const char *label, const char *name)
{
	char *text = NULL;
	size_t size = 0;
	FILE *escaped = open_memstream(&text, &size);

	fprintf(stream, "%s=\"", label);
	if (escaped) {
		vmsi_write_escaped(escaped, name);
		if (fclose(escaped) == 0)
			write_label_text(stream, text);
		free(text);
	}
	fputc('"', stream);
}

static void write_labels(FILE *stream, const struct vmsi_top_row *row)
{
	if (row->kind)
		fprintf(stream, "{kind=\"%s\",deleted=\"%s\",", row->kind,
			row->is_deleted ? "true" : "false");
	else
		fprintf(stream, "{pid=\"%" PRIu64 "\",", row->id.number);
	write_name(stream, "name", row->name);
	fputc('}', stream);
}

/* A unit must be the end of the name, and bytes are the one that there is. */
static void write_head(FILE *stream, const char *prefix, const char *name,
		       const char *type, const char *help)
{
	const size_t length = strlen(name);

	fprintf(stream, "# TYPE vmspace_%s_%s %s\n", prefix, name, type);
	if (length > 5 && strcmp(name + length - 5, "bytes") == 0)
		fprintf(stream, "# UNIT vmspace_%s_%s bytes\n", prefix, name);
	fprintf(stream, "# HELP vmspace_%s_%s %s\n", prefix, name, help);
}

/* --- rows ---------------------------------------------------------------------------- */

static bool value_of(const struct vmsi_top_row *row, const struct metric *metric,
		     uint64_t *value)
{
	if (metric->source == OF_FIGURE) {
		*value = (uint64_t)row->figures.of[metric->column];
		return vmsi_top_is_fresh(&row->figures, metric->column);
	}
	*value = metric->source == OF_MINOR ? row->minor : row->major;
	return row->counts_faults;
}

static void write_metric(FILE *stream, const struct vmsi_top_model *model,
			 const char *prefix, const struct metric *metric)
{
	const bool is_counter = metric->source != OF_FIGURE;
	bool is_first = true;
	uint64_t value;

	for (size_t i = 0; i < model->line_count && !ferror(stream); i++) {
		const struct vmsi_top_row *row = model->lines[i].row;

		if (!value_of(row, metric, &value))
			continue;
		if (is_first)
			write_head(stream, prefix, metric->name, is_counter ?
				   "counter" : "gauge", metric->help);
		is_first = false;
		fprintf(stream, "vmspace_%s_%s%s", prefix, metric->name,
			is_counter ? "_total" : "");
		write_labels(stream, row);
		fprintf(stream, " %" PRIu64 "\n", value);
	}
}

/* --- the machine and the limit --------------------------------------------------------- */

static void write_one(FILE *stream, const char *prefix, const char *name,
		      const char *help, uint64_t value)
{
	write_head(stream, prefix, name, "gauge", help);
	fprintf(stream, "vmspace_%s_%s %" PRIu64 "\n", prefix, name, value);
}

static void write_machine(FILE *stream, const struct vmsi_top_machine *machine)
{
	const struct vmsi_meminfo *meminfo = &machine->meminfo;

	if (!machine->is_known)
		return;
	write_one(stream, "machine", "ram_bytes", "Memory that there is.",
		  meminfo->ram);
	write_one(stream, "machine", "ram_available_bytes",
		  "Memory that could be had without swap.", meminfo->ram_available);
	write_one(stream, "machine", "swap_bytes", "Swap that there is.",
		  meminfo->swap);
	write_one(stream, "machine", "swap_free_bytes", "Swap that is not used.",
		  meminfo->swap_free);
	if (machine->tells_mode)
		write_one(stream, "machine", "overcommit_mode",
			  "vm.overcommit_memory: in 2 alone the limit of commit binds.",
			  machine->mode);
	if (!meminfo->tells_commit)
		return;
	write_one(stream, "machine", "commit_limit_bytes",
		  "CommitLimit, which binds in overcommit mode 2.",
		  meminfo->commit_limit);
	write_one(stream, "machine", "committed_bytes", "Committed_AS.",
		  meminfo->committed);
}

static void write_of_limit(FILE *stream, const struct vmsi_top_limit *limit,
			   const char *name, const char *help, uint64_t value)
{
	const bool is_counter = strcmp(name, "refusals") == 0;

	write_head(stream, "limit", name, is_counter ? "counter" : "gauge", help);
	fprintf(stream, "vmspace_limit_%s%s{", name, is_counter ? "_total" : "");
	if (limit->kind == VMSI_TOP_LIMIT_SUPERVISED)
		fprintf(stream, "pid=\"%d\",", (int)limit->first);
	write_name(stream, "group", limit->name);
	fprintf(stream, "} %" PRIu64 "\n", value);
}

static void write_limit(FILE *stream, const struct vmsi_top_limit *limit)
{
	if (!limit->is_known)
		return;
	write_of_limit(stream, limit, "limit_bytes", "The limit of the group.",
		       limit->limit);
	if (limit->kind == VMSI_TOP_LIMIT_MEMORY) {
		write_of_limit(stream, limit, "memory_bytes", "What of it is touched.",
			       limit->committed);
		return;
	}
	write_of_limit(stream, limit, "committed_bytes", "What of it is in use.",
		       limit->committed);
	write_of_limit(stream, limit, "refusals", "Requests that were refused.",
		       limit->refusals);
	if (limit->kind != VMSI_TOP_LIMIT_SUPERVISED)
		return;
	write_of_limit(stream, limit, "peak_bytes", "The most that was in use.",
		       limit->peak);
	write_of_limit(stream, limit, "processes", "Processes in the group.",
		       limit->processes);
}

void vmsi_top_write_openmetrics(FILE *stream, const struct vmsi_top_model *model,
				enum vmsi_top_view view)
{
	const char *prefix = view == VMSI_TOP_VIEW_PROCESS ? "owner" : "process";

	write_machine(stream, &model->machine);
	write_limit(stream, &model->limit);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		write_metric(stream, model, prefix, &metrics[i]);
	fputs("# EOF\n", stream);
}
