/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_WALKS_H
#define VMSI_CLI_TOP_WALKS_H

#include "cli/top/process_files.h"
#include "cli/top/walk.h"

/* Walks over the pages of processes, as many as there is time for. */

enum vmsi_top_walks {
	VMSI_TOP_WALKS_IN_TIME, /* who wants it most, within the credit */
	VMSI_TOP_WALKS_DUE,     /* all that are due */
	VMSI_TOP_WALKS_ALL,     /* everybody at each look, however much is in memory */
};

/* Somebody who may be walked over. */
struct vmsi_top_due {
	uint64_t urgency;
	struct vmsi_top_files *files;
	struct vmsi_top_walk *walk;
	struct vmsi_top_entry *entry;
};

/*
 * Walk over those of a list, which is sorted here, and set the commit in the entries of
 * all whose commit is known; with VMSI_TOP_WALKS_ALL their proportional memory, too.
 * Returns how many were refused.
 */
size_t vmsi_top_walks_run(enum vmsi_top_walks which, struct vmsi_top_credit *credit,
			  const struct vmsi_top_wish *wish, struct vmsi_top_due *list,
			  size_t count, uint64_t now);

#endif
