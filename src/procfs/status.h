/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PROCFS_STATUS_H
#define VMSI_PROCFS_STATUS_H

#include <stdint.h>

#include "text/lines.h"

/* A process and its memory: /proc/PID/status (proc_pid_status(5)). In bytes. */
struct vmsi_status {
	uint64_t thread_group; /* the process's number */
	uint64_t parent;       /* its parent's number */
	uint64_t threads;      /* how many */
	uint64_t mapped;       /* VmSize */
	uint64_t mapped_peak;
	uint64_t resident;     /* VmRSS */
	uint64_t resident_peak;
	uint64_t resident_anonymous;
	uint64_t resident_file;
	uint64_t resident_shared;
	uint64_t locked;
	uint64_t data;
	uint64_t stack;
	uint64_t page_tables;
	uint64_t swapped;
	uint64_t hugetlb;
	uint64_t capabilities; /* in effect; bits: capabilities(7) */
};

enum vmsi_status_memory {
	VMSI_STATUS_NO_MEMORY,  /* a kernel thread or zombie: the figures are 0 */
	VMSI_STATUS_HAS_MEMORY,
};

/*
 * Returns 0, the figures and whether there are any; -EPROTO where the text is
 * not a status file, or -errno of the read, and the results are as before.
 */
int vmsi_status_read(struct vmsi_lines *lines, struct vmsi_status *status,
		     enum vmsi_status_memory *memory);

#endif
