/* SPDX-License-Identifier: MIT */
#include "cli/report/page_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output/json.h"
#include "cli/output/text.h"

/* A text as it is shown: where it is read, everything in it is seen. */
static json_t *shown(const char *text)
{
	char *buffer = NULL;
	size_t size = 0;
	FILE *stream;
	json_t *string;

	/* Most have nothing to be escaped in them. */
	if (!vmsi_needs_escape(text))
		return json_string(text);
	stream = open_memstream(&buffer, &size);
	if (!stream)
		return NULL;
	vmsi_write_escaped(stream, text);
	string = fclose(stream) == 0 ? json_string(buffer) : NULL;
	free(buffer);
	return string;
}

static json_t *amount_or_null(bool is_known, uint64_t number)
{
	return is_known ? vmsi_json_amount(number) : json_null();
}

static json_t *process_row(const struct vmsi_recorded_process *process)
{
	bool is_status_known = process->is_ended && process->is_status_known;

	return json_pack("{s:I, s:o, s:I, s:o, s:o, s:o, s:o}", "pid",
			 (json_int_t)process->pid, "parent",
			 amount_or_null(process->parent != VMSI_NOBODY, process->parent),
			 "begin", (json_int_t)process->begin, "end",
			 amount_or_null(process->is_ended, process->end), "exit",
			 is_status_known ? vmsi_json_exit_status(process->status) :
					   json_null(),
			 "signal",
			 is_status_known ? vmsi_json_signal(process->status) :
					   json_null(),
			 "name", shown(process->name));
}

static json_t *stack_row(const struct vmsi_recorded_stack *stack)
{
	json_t *frames = json_array();
	int failed = 0;

	for (uint32_t i = 0; frames && i < stack->count; i++)
		failed |= json_array_append_new(frames, shown(stack->frames[i]));
	return vmsi_json_complete(frames, failed);
}

static json_t *processes(const struct vmsi_recording *recording)
{
	json_t *rows = json_array();
	int failed = 0;

	for (size_t i = 0; rows && i < recording->process_count; i++)
		failed |= json_array_append_new(rows,
			process_row(&recording->processes[i]));
	return vmsi_json_complete(rows, failed);
}

static json_t *owners(const struct vmsi_recording *recording)
{
	json_t *rows = json_array();
	int failed = 0;

	for (size_t i = 0; rows && i < recording->owner_count; i++) {
		const struct vmsi_recorded_owner *owner = &recording->owners[i];

		failed |= json_array_append_new(rows, json_pack("[I, s, o]",
			(json_int_t)owner->process, vmsi_owner_kinds[owner->kind],
			shown(owner->name)));
	}
	return vmsi_json_complete(rows, failed);
}

static json_t *stacks(const struct vmsi_recording *recording)
{
	json_t *rows = json_array();
	int failed = 0;

	for (size_t i = 0; rows && i < recording->stack_count; i++)
		failed |= json_array_append_new(rows, stack_row(&recording->stacks[i]));
	return vmsi_json_complete(rows, failed);
}

/* The words of errors that calls were refused with, by number. */
static json_t *errors(const struct vmsi_recording *recording)
{
	json_t *words = json_object();
	int failed = 0;

	for (size_t i = 0; words && i < recording->event_count; i++) {
		int error = recording->events[i].error;
		char key[16];

		if (error == 0)
			continue;
		snprintf(key, sizeof(key), "%d", error);
		if (!json_object_get(words, key))
			failed |= json_object_set_new(words, key,
				json_string(strerrorname_np(error) ?
					strerrorname_np(error) : key));
	}
	return vmsi_json_complete(words, failed);
}

/*
 * "<" cannot end an element, begin a comment or anything else where it is not one. JSON
 * has it in strings only.
 */
static int put_without_tags(const char *buffer, size_t size, void *data)
{
	FILE *stream = data;
	const char *end = buffer + size;

	while (buffer < end) {
		const char *tag = memchr(buffer, '<', (size_t)(end - buffer));
		size_t length = (size_t)((tag ? tag : end) - buffer);

		fwrite(buffer, 1, length, stream);
		if (tag)
			fputs("\\u003c", stream);
		buffer += length + (tag != NULL);
	}
	return 0;
}

static json_t *calls(const struct vmsi_page_calls *table)
{
	json_t *words = json_array();
	int failed = 0;

	for (size_t i = 0; words && i < table->count; i++)
		failed |= json_array_append_new(words, shown(table->list[i]));
	return vmsi_json_complete(words, failed);
}

int vmsi_page_tables_write(FILE *stream, const struct vmsi_recording *recording,
			   const struct vmsi_page_calls *call_table)
{
	json_t *tables = json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
		"program", shown(recording->program),
		"machine", shown(recording->machine),
		"began", vmsi_json_amount(recording->began),
		"pageSize", vmsi_json_amount(recording->page_size),
		"isCut", recording->is_cut, "calls", calls(call_table),
		"length", vmsi_json_amount(recording->length),
		"processes", processes(recording), "owners", owners(recording),
		"stacks", stacks(recording), "errors", errors(recording));
	int failed;

	if (!tables)
		return -ENOMEM;
	fputs("<script type=\"application/json\" id=\"tables\">", stream);
	failed = json_dump_callback(tables, put_without_tags, stream,
				    JSON_COMPACT | JSON_ENSURE_ASCII);
	fputs("</script>\n", stream);
	json_decref(tables);
	return failed ? -ENOMEM : 0;
}
