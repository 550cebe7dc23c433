/* SPDX-License-Identifier: MIT */
#include "cli/sight/saved.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char not_understood[] = "is no listing of 'vmspace maps --json'";
static const char no_memory[] = "is more than there is memory for";

/* --- figures -------------------------------------------------------------- */

/* A number that is not below 0. */
static bool take_amount(const json_t *object, const char *key, uint64_t *amount)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*amount = (uint64_t)json_integer_value(value);
	return true;
}

static bool take_figures(const json_t *object, unsigned what,
			 struct vmsi_figures *figures)
{
	for (size_t i = 0; i < VMSI_COLUMNS; i++) {
		if (vmsi_columns[i].needs_pages && !(what & VMSI_SEE_PAGES))
			continue;
		if (!take_amount(object, vmsi_columns[i].name, &figures->of[i]))
			return false;
	}
	return true;
}

static bool take_status(const json_t *object, struct vmsi_status *status)
{
	return take_amount(object, "resident", &status->resident) &&
		take_amount(object, "resident_anonymous",
			    &status->resident_anonymous) &&
		take_amount(object, "resident_file", &status->resident_file) &&
		take_amount(object, "resident_shared", &status->resident_shared) &&
		take_amount(object, "swapped", &status->swapped) &&
		take_amount(object, "locked", &status->locked);
}

/* --- owners --------------------------------------------------------------- */

static int digit(char character)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = character ? strchr(digits, character) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The bytes that hexadecimal digits stand for; NULL: they are none. Freed by the caller. */
static char *bytes_of(const char *digits)
{
	const size_t length = strlen(digits) / 2;
	char *bytes = malloc(length + 1);

	for (size_t i = 0; bytes && i < length; i++) {
		const int high = digit(digits[2 * i]), low = digit(digits[2 * i + 1]);

		if (high < 0 || low < 0 || high + low == 0) {
			free(bytes);
			return NULL;
		}
		bytes[i] = (char)(high << 4 | low);
	}
	if (bytes)
		bytes[length] = '\0';
	return bytes;
}

/* A name as a label of the kernel's, with newlines as they are. Freed by the caller. */
static char *written_label(const char *name, bool is_deleted)
{
	static const char deleted[] = " (deleted)";
	char *label = malloc(strlen(name) + sizeof(deleted));

	if (label)
		stpcpy(stpcpy(label, name), is_deleted ? deleted : "");
	return label;
}

/* What a process has told is no label of the kernel's, and is kept as it is. */
static char *label_of(const json_t *object, enum vmsi_owner_kind kind)
{
	const char *digits = json_string_value(json_object_get(object, "name_bytes"));
	const char *text = json_string_value(json_object_get(object, "name"));
	char *bytes = digits ? bytes_of(digits) : NULL;
	char *label = NULL;

	if (vmsi_owner_is_told(kind) && !digits && text)
		label = strdup(text);
	else if (vmsi_owner_is_told(kind) && bytes)
		label = strdup(bytes);
	else if (digits ? bytes != NULL : text != NULL)
		label = written_label(digits ? bytes : text,
				      json_is_true(json_object_get(object,
								   "deleted")));
	free(bytes);
	return label;
}

static enum vmsi_owner_kind kind_of(const json_t *object)
{
	const char *word = json_string_value(json_object_get(object, "kind"));
	enum vmsi_owner_kind kind = 0;

	while (kind < VMSI_OWNER_KINDS &&
	       (!word || strcmp(word, vmsi_owner_kinds[kind]) != 0))
		kind++;
	return kind;
}

static const char *take_owner(const json_t *object, struct vmsi_process *process)
{
	const enum vmsi_owner_kind kind = kind_of(object);
	char *label = label_of(object, kind);
	struct vmsi_figures figures = { 0 };
	struct vmsi_name *name;
	uint32_t number;

	if (!label || kind == VMSI_OWNER_KINDS ||
	    !take_figures(object, process->what, &figures)) {
		free(label);
		return not_understood;
	}
	name = vmsi_owner_is_told(kind) ?
		vmsi_owners_told_name(&process->owners, label) :
		vmsi_owners_name(&process->owners, vmsi_scan_text(label));
	free(label);
	number = name ? vmsi_owners_find(&process->owners, kind, name) :
			VMSI_NO_OWNER;
	if (number == VMSI_NO_OWNER)
		return no_memory;
	vmsi_figures_add(&process->owners.list[number].figures, &figures);
	vmsi_figures_add(&process->total, &figures);
	return NULL;
}

/* --- processes ------------------------------------------------------------ */

static bool take_head(const json_t *object, struct vmsi_process *process)
{
	const char *command = json_string_value(json_object_get(object, "command"));
	uint64_t pid;

	if (!take_amount(object, "pid", &pid) || pid > INT_MAX ||
	    !take_status(json_object_get(object, "status"), &process->status))
		return false;
	process->pid = (pid_t)pid;
	snprintf(process->command, sizeof(process->command), "%s",
		 command ? command : "");
	return true;
}

static const char *take_process(const json_t *object, unsigned what,
				struct vmsi_seen_processes *processes)
{
	struct vmsi_process *process = vmsi_seen_processes_add(processes);
	const json_t *owners = json_object_get(object, "owners");
	const char *why = NULL;

	if (!process)
		return no_memory;
	process->what = what;
	if (!take_head(object, process))
		return not_understood;
	if (!json_is_array(owners))
		return "has no owners, as --total leaves them out";
	for (size_t i = 0; !why && i < json_array_size(owners); i++)
		why = take_owner(json_array_get(owners, i), process);
	return why;
}

static const char *take_all(const json_t *whole, struct vmsi_seen_processes *processes)
{
	const char *format = json_string_value(json_object_get(whole, "format"));
	const json_t *list = json_object_get(whole, "processes");
	const unsigned what = json_is_true(json_object_get(whole, "pages")) ?
		VMSI_SEE_PAGES : 0;
	const char *why = NULL;
	uint64_t version;

	if (!format || strcmp(format, VMSI_SAVED_FORMAT) != 0 ||
	    !take_amount(whole, "version", &version) || !json_is_array(list) ||
	    json_is_true(json_object_get(whole, "difference")))
		return not_understood;
	if (version != VMSI_SAVED_VERSION)
		return "is of another version of vmspace";
	for (size_t i = 0; !why && i < json_array_size(list); i++)
		why = take_process(json_array_get(list, i), what, processes);
	return why;
}

const char *vmsi_saved_read(const char *path, struct vmsi_seen_processes *processes)
{
	FILE *file = fopen(path, "re");
	json_error_t error;
	json_t *whole;
	const char *why;

	*processes = (struct vmsi_seen_processes){ 0 };
	if (!file)
		return strerror(errno);
	whole = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
	fclose(file);
	why = whole ? take_all(whole, processes) : not_understood;
	json_decref(whole);
	return why;
}
