/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PROCFS_STAT_H
#define VMSI_PROCFS_STAT_H

#include <stdbool.h>
#include <sys/types.h>

#include "text/stat.h"

/* The fields up to those that struct vmsi_stat has fit. */
#define VMSI_STAT_BYTES 1024

/*
 * Read /proc/PID/stat; stat->command points into text. Returns false where there is no
 * such process, or it cannot be read.
 */
bool vmsi_process_stat(pid_t pid, char text[static VMSI_STAT_BYTES],
		       struct vmsi_stat *stat);

#endif
