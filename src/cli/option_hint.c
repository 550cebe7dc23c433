/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

/* What to say about an option that another command has. */
static const struct {
	const char *option;
	const char *advice;
} table[] = {
	{ "--heap", "large blocks go to another heap with 'vmspace heap'" },
	{ "--threshold", "it is an option of 'vmspace heap'" },
	{ "--retain", "it is an option of 'vmspace heap'" },
	{ "--reclaimable-after", "it is an option of 'vmspace heap'" },
	{ "--give-back-after", "it is an option of 'vmspace heap'" },
	{ "--no-huge-pages", "it is an option of 'vmspace heap'" },
	{ "--stats", "it is an option of 'vmspace heap'" },
	{ "--commit", "'vmspace limit SIZE' sets a limit" },
	{ "--limit", "'vmspace limit SIZE' sets a limit" },
	{ "--policy", "it is an option of 'vmspace limit'" },
	{ "--fork", "it is an option of 'vmspace limit'" },
	{ "--noreserve", "it is an option of 'vmspace limit'" },
	{ "--report", "it is an option of 'vmspace limit' and of 'fail'" },
	{ "--log", "it is an option of 'vmspace limit' and of 'fail'" },
	{ "--quiet", "it is an option of 'vmspace limit' and of 'fail'" },
	{ "--backend", "it is an option of 'vmspace limit'" },
	{ "--warn-at", "it is an option of 'vmspace limit'" },
	{ "--grace", "it is an option of 'vmspace limit'" },
	{ "--on-warn", "it is an option of 'vmspace limit'" },
	{ "--follow", "it is an option of 'vmspace limit'" },
	{ "--nth", "it is an option of 'vmspace fail'" },
	{ "--from", "it is an option of 'vmspace fail'" },
	{ "--prob", "it is an option of 'vmspace fail'" },
	{ "--size", "it is an option of 'vmspace fail'" },
	{ "--loader", "it is an option of 'vmspace fail'" },
	{ "--seed", "it is an option of 'vmspace fail'" },
	{ "--fail-", "'vmspace fail' refuses requests on demand" },
	{ "--only", "it is an option of 'vmspace sweep'" },
	{ "--jobs", "it is an option of 'vmspace sweep'" },
};

enum vmsi_exit vmsi_option_hint(const char *program, const char *argument)
{
	const size_t length = strcspn(argument, "=");

	/* optopt is 0 only where getopt_long does not know a long option. */
	if (optopt != 0)
		return vmsi_usage_hint(program);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *option = table[i].option;
		const size_t own = strlen(option);

		if ((own == length || option[own - 1] == '-') &&
		    length >= own && strncmp(argument, option, own) == 0) {
			fprintf(stderr, "%s: %s\n", program, table[i].advice);
			break;
		}
	}
	return vmsi_usage_hint(program);
}
