/* SPDX-License-Identifier: MIT */
#include "cli/output/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/output/text.h"

json_t *vmsi_json_amount(uint64_t number)
{
	/* No machine has more than INT64_MAX bytes. */
	if (number > INT64_MAX)
		number = INT64_MAX;
	return json_integer((json_int_t)number);
}

json_t *vmsi_json_text(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	char *copy, *at;
	json_t *string;

	if (text[0] == '\0')
		return json_null();
	copy = calloc(strlen(text) + 1, sizeof(replacement) - 1);
	if (!copy)
		return NULL;
	at = copy;
	while (*text) {
		size_t length = vmsi_utf8_length(text);

		if (length) {
			at = mempcpy(at, text, length);
			text += length;
		} else {
			at = mempcpy(at, replacement, sizeof(replacement) - 1);
			text++;
		}
	}
	string = json_string(copy);
	free(copy);
	return string;
}

json_t *vmsi_json_exit_status(int status)
{
	return WIFEXITED(status) ? json_integer(WEXITSTATUS(status)) :
				   json_null();
}

json_t *vmsi_json_signal(int status)
{
	return WIFSIGNALED(status) ? json_integer(WTERMSIG(status)) :
				     json_null();
}

json_t *vmsi_json_complete(json_t *value, int failed)
{
	if (!failed)
		return value;
	json_decref(value);
	return NULL;
}

/* jansson writes a few bytes at a time: to a stream without its lock. */
static int write_part(const char *part, size_t length, void *nothing)
{
	(void)nothing;
	return fwrite_unlocked(part, 1, length, stdout) == length ? 0 : -1;
}

int vmsi_json_print(json_t *value)
{
	if (!value)
		return -ENOMEM;
	if (json_dump_callback(value, write_part, NULL, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(value);
	return 0;
}
