/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_STAT_H
#define VMSI_TEXT_STAT_H

#include "text/scan.h"

/* What is asked of /proc/PID/stat (proc_pid_stat(5)). */
struct vmsi_stat {
	struct vmsi_scan command; /* in the text; any characters */
	char state;               /* "R" and so on */
	uint64_t parent, flags, threads;
	uint64_t data_start, data_end; /* of the program's own data */
	uint64_t heap_start;           /* where a heap of brk begins */
};

/*
 * Returns false where the text has no name in brackets and no state. Numbers that
 * are not there, or that no 64 bits hold, are 0.
 */
bool vmsi_stat_read(struct vmsi_scan text, struct vmsi_stat *stat);

#endif
