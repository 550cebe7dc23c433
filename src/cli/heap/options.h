/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_HEAP_OPTIONS_H
#define VMSI_CLI_HEAP_OPTIONS_H

#include "cli/command.h"

/* The long options of getopt_long(3) that the heap has: their values. */
enum vmsi_heap_option {
	VMSI_HEAP_THRESHOLD = 256,
	VMSI_HEAP_RETAIN,
	VMSI_HEAP_RECLAIMABLE_AFTER,
	VMSI_HEAP_GIVE_BACK_AFTER,
	VMSI_HEAP_NO_HUGE_PAGES,
	VMSI_HEAP_STATS,
};

/* As rows of a table of getopt_long(3). */
#define VMSI_HEAP_OPTIONS \
	{ "threshold", required_argument, NULL, VMSI_HEAP_THRESHOLD }, \
	{ "retain", required_argument, NULL, VMSI_HEAP_RETAIN }, \
	{ "reclaimable-after", required_argument, NULL, \
	  VMSI_HEAP_RECLAIMABLE_AFTER }, \
	{ "give-back-after", required_argument, NULL, \
	  VMSI_HEAP_GIVE_BACK_AFTER }, \
	{ "no-huge-pages", no_argument, NULL, VMSI_HEAP_NO_HUGE_PAGES }, \
	{ "stats", optional_argument, NULL, VMSI_HEAP_STATS }, \
	{ "help", no_argument, NULL, 'h' }

/* Put an option, with its argument in optarg, into the environment. */
enum vmsi_exit vmsi_heap_take_option(const char *program, int option);

#endif
