/* SPDX-License-Identifier: MIT */
#include "cli/supervise/limit_source.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "host/cgroup.h"

bool vmsi_percentage_parse(const char *text, double *parts)
{
	char *end;
	const double percent = strtod(text, &end);

	if (end == text || strcmp(end, "%") != 0 ||
	    !(percent > 0 && percent <= 100))
		return false;
	*parts = percent / 100;
	return true;
}

/* Whether text is a word, or has a percentage behind it. */
static bool is_word(const char *text, const char *word, double *parts)
{
	const size_t length = strlen(word);

	if (strncmp(text, word, length) != 0)
		return false;
	*parts = 1;
	return !text[length] || (text[length] == ':' &&
				 vmsi_percentage_parse(text + length + 1, parts));
}

bool vmsi_limit_source_parse(const char *text, struct vmsi_limit_source *source)
{
	*source = (struct vmsi_limit_source){ .kind = VMSI_LIMIT_SIZE };
	if (is_word(text, "cgroup", &source->parts))
		source->kind = VMSI_LIMIT_CGROUP;
	else if (is_word(text, "ram", &source->parts))
		source->kind = VMSI_LIMIT_RAM;
	return source->kind != VMSI_LIMIT_SIZE;
}

struct vmsi_limit_source_text
vmsi_limit_source_text(const struct vmsi_limit_source *source)
{
	const char *word = source->kind == VMSI_LIMIT_CGROUP ? "cgroup" :
		source->kind == VMSI_LIMIT_RAM ? "ram" : "";
	struct vmsi_limit_source_text text;

	if (*word && source->parts < 1)
		snprintf(text.text, sizeof text.text, "%s:%.10g%%", word,
			 source->parts * 100);
	else
		snprintf(text.text, sizeof text.text, "%s", word);
	return text;
}

static uint64_t machine_bytes(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? SIZE_MAX :
		(uint64_t)info.totalram * info.mem_unit;
}

bool vmsi_limit_has_cgroup(void)
{
	return vmsi_cgroup_memory() < machine_bytes();
}

size_t vmsi_limit_source_bytes(const struct vmsi_limit_source *source)
{
	const uint64_t cgroup = source->kind == VMSI_LIMIT_CGROUP ?
		vmsi_cgroup_memory() : UINT64_MAX;
	uint64_t bytes = machine_bytes();

	if (cgroup < bytes)
		bytes = cgroup;
	bytes = (uint64_t)((long double)bytes * source->parts);
	if (bytes > SIZE_MAX)
		return SIZE_MAX;
	return bytes ? (size_t)bytes : 1;
}
