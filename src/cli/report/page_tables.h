/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PAGE_TABLES_H
#define VMSI_CLI_PAGE_TABLES_H

#include <stdio.h>

#include "cli/recording/recording.h"

#define VMSI_PAGE_CALLS 64

/* The names of calls, each once. */
struct vmsi_page_calls {
	const char *list[VMSI_PAGE_CALLS];
	size_t count;
};

/*
 * Write what a recording has besides numbers by the thousand, as JSON in an element of
 * the page: who there was, by which names, and stacks. Names have what a person would
 * not see in them as vmsi_write_escaped writes it. Returns 0 or -ENOMEM.
 */
int vmsi_page_tables_write(FILE *stream, const struct vmsi_recording *recording,
			   const struct vmsi_page_calls *calls);

#endif
