/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_HEAP_OPTIONS_H
#define VMSI_CLI_HEAP_OPTIONS_H

#include "cli/command.h"

/* The values of the options of the heap. */
enum vmsi_heap_option {
	VMSI_HEAP_THRESHOLD = 256,
	VMSI_HEAP_RETAIN,
	VMSI_HEAP_RECLAIMABLE_AFTER,
	VMSI_HEAP_GIVE_BACK_AFTER,
	VMSI_HEAP_NO_HUGE_PAGES,
	VMSI_HEAP_STATS,
};

/*
 * Put an option, whose argument is in optarg, into the environment of the
 * program.
 */
enum vmsi_exit vmsi_heap_take_option(const char *program, int option);

#endif
