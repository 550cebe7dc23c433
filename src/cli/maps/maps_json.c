/* SPDX-License-Identifier: MIT */
#include "cli/maps/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <vmspace.h>

#include "cli/maps/words.h"
#include "cli/output/json.h"
#include "cli/output/json_stream.h"
#include "cli/output/text.h"
#include "cli/sight/saved.h"
#include "text/number.h"

/*
 * Amounts are numbers. Addresses, offsets and inodes are strings, since they use
 * all 64 bits, and a number of jansson and of most JSON readers has fewer. Each
 * object has all its members; null stands for what there is not, and for figures
 * that were not read.
 */

/* Digits are UTF-8, which jansson need not look at. */
static json_t *hex(uint64_t number)
{
	struct vmsi_digits digits;
	char text[sizeof(digits.text) + 2];

	stpcpy(stpcpy(text, "0x"), vmsi_write_digits(&digits, number, 16));
	return json_string_nocheck(text);
}

static bool is_utf8(const char *text)
{
	while (*text) {
		size_t length = vmsi_utf8_length(text);

		if (length == 0)
			return false;
		text += length;
	}
	return true;
}

static json_t *bytes_in_hex(const char *text)
{
	size_t length = strlen(text);
	char *digits = calloc(length + 1, 2);
	json_t *string;

	if (!digits)
		return NULL;
	for (size_t i = 0; i < length; i++)
		snprintf(digits + 2 * i, 3, "%02x",
			 (unsigned)(unsigned char)text[i]);
	string = json_string(digits);
	free(digits);
	return string;
}

/* Set a text, and where it is not UTF-8 its bytes as well. */
static int set_text(json_t *object, const char *key, const char *bytes_key,
		    const char *text)
{
	int failed = json_object_set_new_nocheck(object, key, vmsi_json_text(text));

	if (!is_utf8(text))
		failed |= json_object_set_new(object, bytes_key,
					      bytes_in_hex(text));
	return failed;
}

/* An amount, or in a difference one that may be below 0. */
static json_t *amount(uint64_t number, unsigned what)
{
	return what & VMSI_SEE_DIFFERENCE ? json_integer((json_int_t)number) :
					    vmsi_json_amount(number);
}

static int set_figures(json_t *object, const struct vmsi_figures *figures,
		       unsigned what)
{
	int failed = 0;

	for (size_t i = 0; i < VMSI_COLUMNS; i++)
		failed |= json_object_set_new_nocheck(object, vmsi_columns[i].name,
			vmsi_columns[i].needs_pages && !(what & VMSI_SEE_PAGES) ?
			json_null() : amount(figures->of[i], what));
	return failed;
}

/* --- a mapping ------------------------------------------------------------ */

static json_t *flags(const struct vmsi_seen_mapping *mapping)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; vmsi_flag_words[i].word && !failed; i++)
		if (mapping->flags & vmsi_flag_words[i].flag)
			failed |= json_array_append_new(array,
				json_string(vmsi_flag_words[i].word));
	return vmsi_json_complete(array, failed);
}

static json_t *mapping_object(const struct vmsi_seen_mapping *mapping,
			      unsigned what)
{
	const bool has_pages = (what & VMSI_SEE_PAGES) != 0;
	const bool is_file = mapping->label == VMSI_LABEL_FILE;
	json_t *object = json_pack(
		"{s:o,s:o,s:s,s:s,s:s,s:o,s:o,s:b,s:o,s:o,s:o,s:o}",
		"start", hex(mapping->start),
		"end", hex(mapping->end),
		"prot", vmsi_prot_text(mapping->prot).text,
		"sharing", mapping->flags & VMS_MAPPING_SHARED ?
			"shared" : "private",
		"content", is_file ? "file" : "memory",
		"page_size", has_pages ? vmsi_json_amount(mapping->page_size) :
			json_null(),
		"flags", has_pages ? flags(mapping) : json_null(),
		"deleted", is_file && mapping->name->is_deleted,
		"offset", hex(mapping->offset),
		"device", mapping->inode ?
			json_sprintf("%u:%u", major(mapping->device),
				     minor(mapping->device)) : json_null(),
		"inode", mapping->inode ?
			json_sprintf("%" PRIu64, mapping->inode) :
			json_null(),
		"owner", json_integer(mapping->owner));
	int failed = set_figures(object, &mapping->figures, what);

	failed |= set_text(object, "name", "name_bytes", mapping->name && !is_file ?
			   mapping->name->text : "");
	failed |= set_text(object, "path", "path_bytes", is_file ?
			   mapping->name->text : "");
	return vmsi_json_complete(object, failed);
}

static void write_mappings(struct vmsi_json_stream *stream,
			   const struct vmsi_maps_view *view,
			   const struct vmsi_process *process)
{
	vmsi_json_open_array(stream, "list");
	for (size_t i = 0; i < process->count && !stream->error &&
	     !ferror(stdout); i++)
		if (vmsi_maps_shows(view, &process->owners
				    .list[process->mappings[i].owner]))
			vmsi_json_add(stream, NULL,
				mapping_object(&process->mappings[i],
					       process->what));
	vmsi_json_close(stream);
}

/* --- a process ------------------------------------------------------------ */

static json_t *owner_object(const struct vmsi_process *process,
			    const struct vmsi_owner *owner)
{
	json_t *object = json_pack("{s:i,s:s,s:b}",
		"owner", (int)(owner - process->owners.list),
		"kind", vmsi_owner_kinds[owner->kind],
		"deleted", owner->name->is_deleted);
	int failed = set_text(object, "name", "name_bytes", owner->name->text);

	failed |= set_figures(object, &owner->figures, process->what);
	return vmsi_json_complete(object, failed);
}

static json_t *owner_array(const struct vmsi_process *process,
			   const struct vmsi_maps_choice *choice)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < choice->count && !failed; i++)
		failed |= json_array_append_new(array,
			owner_object(process, choice->owners[i]));
	return vmsi_json_complete(array, failed);
}

static json_t *figures_object(const struct vmsi_figures *figures, unsigned what)
{
	json_t *object = json_object();

	return vmsi_json_complete(object, set_figures(object, figures, what));
}

/* What the kernel tells of the whole process at once. */
static json_t *status_object(const struct vmsi_status *status, unsigned what)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}",
		"resident", amount(status->resident, what),
		"resident_anonymous", amount(status->resident_anonymous, what),
		"resident_file", amount(status->resident_file, what),
		"resident_shared", amount(status->resident_shared, what),
		"swapped", amount(status->swapped, what),
		"locked", amount(status->locked, what));
}

static json_t *bound_object(const struct vmsi_bound *bound)
{
	json_t *object = json_pack("{s:s,s:o,s:o,s:o,s:b}",
		"kind", vmsi_bound_kinds[bound->kind],
		"pid", bound->pid ? json_integer(bound->pid) : json_null(),
		"committed", vmsi_json_amount(bound->committed),
		"limit", vmsi_json_amount(bound->limit),
		"held", bound->is_held);

	return vmsi_json_complete(object, set_text(object, "name", "name_bytes",
						   bound->name));
}

static json_t *bound_array(const struct vmsi_bounds *bounds)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < bounds->count && !failed; i++)
		failed |= json_array_append_new(array,
						bound_object(&bounds->list[i]));
	return vmsi_json_complete(array, failed);
}

static void write_process(struct vmsi_json_stream *stream,
			  const struct vmsi_maps_view *view,
			  const struct vmsi_process *process)
{
	struct vmsi_maps_choice choice;

	stream->error = vmsi_maps_choose(view, process, &choice);
	if (stream->error)
		return;
	vmsi_json_open_object(stream, NULL);
	vmsi_json_add(stream, "pid", json_integer(process->pid));
	vmsi_json_add(stream, "command", vmsi_json_text(process->command));
	vmsi_json_add(stream, "status",
		      status_object(&process->status, process->what));
	if (vmsi_maps_shows_bounds(view))
		vmsi_json_add(stream, "bounds", bound_array(&process->bounds));
	if (view->detail != VMSI_MAPS_TOTAL)
		vmsi_json_add(stream, "owners", owner_array(process, &choice));
	if (process->what & VMSI_SEE_MAPPINGS)
		write_mappings(stream, view, process);
	vmsi_json_add(stream, "total", figures_object(&choice.total, process->what));
	vmsi_json_close(stream);
	vmsi_maps_free_choice(&choice);
}

/* Saved listings that are compared may have been asked for more than is shown. */
static bool all_have_pages(const struct vmsi_seen_processes *processes)
{
	for (size_t i = 0; i < processes->count; i++)
		if (!(processes->list[i].what & VMSI_SEE_PAGES))
			return false;
	return true;
}

int vmsi_maps_write_json(const struct vmsi_maps_view *view,
			 const struct vmsi_seen_processes *processes)
{
	struct vmsi_json_stream stream = { 0 };

	vmsi_json_open_object(&stream, NULL);
	vmsi_json_add(&stream, "format", json_string(VMSI_SAVED_FORMAT));
	vmsi_json_add(&stream, "version", json_integer(VMSI_SAVED_VERSION));
	vmsi_json_add(&stream, "difference", json_boolean(view->is_difference));
	vmsi_json_add(&stream, "pages",
		      json_boolean(all_have_pages(processes)));
	vmsi_json_open_array(&stream, "processes");
	for (size_t i = 0; i < processes->count && !stream.error; i++)
		write_process(&stream, view, &processes->list[i]);
	vmsi_json_close(&stream);
	vmsi_json_close(&stream);
	return stream.error;
}
