/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

/* What to say about an option that no command has, or that was meant as another. */
static const struct {
	const char *option;
	const char *advice;
} table[] = {
	{ "heap", "large blocks go to another heap with 'vmspace heap'" },
	{ "commit", "'vmspace limit SIZE' sets a limit" },
	{ "limit", "'vmspace limit SIZE' sets a limit" },
	{ "fail-", "'vmspace fail' refuses requests on demand" },
};

/* Returns whether something is said about the option. */
static bool write_advice(const char *program, const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *option = table[i].option;
		const size_t own = strlen(option);

		if ((own == length || option[own - 1] == '-') &&
		    length >= own && strncmp(name, option, own) == 0) {
			fprintf(stderr, "%s: %s\n", program, table[i].advice);
			return true;
		}
	}
	return false;
}

/* Write "it is an option of 'vmspace limit', of 'fail'". */
static void write_owners(const char *program, const char *name, size_t length)
{
	const struct vmsi_command *const *command = vmsi_all_commands()->list;
	bool is_first = true;

	for (; *command; command++) {
		if (!vmsi_find_option((*command)->options, name, length))
			continue;
		if (is_first)
			fprintf(stderr, "%s: it is an option of '%s'", program,
				(*command)->program);
		else
			fprintf(stderr, ", of '%s'", (*command)->name);
		is_first = false;
	}
	if (!is_first)
		fputc('\n', stderr);
}

enum vmsi_exit vmsi_option_hint(const char *program, const char *argument)
{
	const size_t dashes = strspn(argument, "-");
	const size_t length = strcspn(argument + dashes, "=");

	/* optopt is 0 only where getopt_long does not know a long option. */
	if (optopt == 0 && dashes == 2 &&
	    !write_advice(program, argument + dashes, length))
		write_owners(program, argument + dashes, length);
	return vmsi_usage_hint(program);
}
