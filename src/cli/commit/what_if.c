/* SPDX-License-Identifier: MIT */
#include "cli/commit/what_if.h"

#include <stdio.h>
#include <string.h>

#include "text/number.h"
#include "text/size.h"

/* A setting of /proc/sys/vm, and the largest number that the kernel takes. */
static const struct {
	const char *name;
	enum vmsi_vm_setting setting;
	uint64_t most;
} settings[] = {
	{ "mode", VMSI_OVERCOMMIT_MEMORY, 2 },
	{ "ratio", VMSI_OVERCOMMIT_RATIO, INT32_MAX },
	{ "kbytes", VMSI_OVERCOMMIT_KBYTES, UINT64_MAX / 1024 },
};

static bool set_number(const char *name, const char *value,
		       struct vmsi_commit_sources *sources)
{
	uint64_t number;

	if (!vmsi_parse_number(value, &number))
		return false;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(name, settings[i].name) != 0)
			continue;
		if (number > settings[i].most)
			return false;
		sources->settings[settings[i].setting] =
			(struct vmsi_reading){ .value = number };
		/* The kernel sets either of the two to 0 for the other. */
		if (settings[i].setting == VMSI_OVERCOMMIT_RATIO)
			sources->settings[VMSI_OVERCOMMIT_KBYTES] =
				(struct vmsi_reading){ 0 };
		return true;
	}
	return false;
}

static bool set_size(const char *name, const char *value,
		     struct vmsi_commit_sources *sources)
{
	size_t bytes;

	if (!vmsi_parse_size(value, VMSI_SIZE_FRACTION, &bytes))
		return false;
	if (strcmp(name, "swap") == 0)
		sources->meminfo.swap = bytes;
	else if (strcmp(name, "ram") == 0)
		sources->meminfo.ram = bytes;
	else
		return false;
	return true;
}

static bool set(const char *word, size_t length, struct vmsi_commit_sources *sources)
{
	char name[64];
	char *value;

	if (length >= sizeof(name))
		return false;
	memcpy(name, word, length);
	name[length] = '\0';
	value = strchr(name, '=');
	if (!value)
		return false;
	*value++ = '\0';
	return set_number(name, value, sources) || set_size(name, value, sources);
}

const char *vmsi_what_if(const char *text, struct vmsi_commit_sources *sources)
{
	for (;;) {
		const size_t length = strcspn(text, ",");

		if (!set(text, length, sources))
			return text;
		sources->is_supposed = true;
		if (text[length] == '\0')
			return NULL;
		text += length + 1;
	}
}
