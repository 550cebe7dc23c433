/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_ONE_H
#define VMSI_CLI_TOP_ONE_H

#include "cli/sight/process.h"
#include "cli/top/sample.h"

/* Reads the owners of one process again and again. */
struct vmsi_top_one {
	pid_t pid;
	bool pages;          /* walk over its pages, too */
	bool has_begun;
	uint64_t born;       /* as in struct vmsi_top_id; once it has begun */
	struct vmsi_process process;
	struct vmsi_top_figures figures; /* of the whole process */
	uint64_t minor, major;
};

/*
 * Replace the list, the machine and the time of a sample. Where the process has ended
 * after the first time, the list is empty and has_ended is set. Returns 0 or -errno of
 * vmsi_process_see.
 */
int vmsi_top_one_read(struct vmsi_top_one *one, struct vmsi_top_sample *sample);

void vmsi_top_one_free(struct vmsi_top_one *one);

#endif
