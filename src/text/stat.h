/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_STAT_H
#define VMSI_TEXT_STAT_H

#include "text/scan.h"

/* Fields of /proc/PID/stat (proc_pid_stat(5)). */
struct vmsi_stat {
	struct vmsi_scan command; /* points into the text; may have any characters */
	char state;               /* "R" and so on */
	uint64_t parent, flags, threads;
	uint64_t minor_faults, major_faults; /* since the process began */
	uint64_t start_time;           /* clock ticks since the machine began */
	uint64_t mapped;               /* bytes */
	uint64_t resident_pages;       /* as statm has them */
	uint64_t data_start, data_end; /* of the program's own data */
	uint64_t heap_start;           /* where a heap of brk begins */
};

/*
 * Read a stat file. Returns false where the text lacks the name in brackets or the
 * state. Numbers that it lacks, or that need more than 64 bits, become 0.
 */
bool vmsi_stat_read(struct vmsi_scan text, struct vmsi_stat *stat);

#endif
