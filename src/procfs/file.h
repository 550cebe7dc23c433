/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PROCFS_FILE_H
#define VMSI_PROCFS_FILE_H

#include <sys/types.h>

#include "host/file.h"

/*
 * Open /proc/PID/NAME, or /proc/self/NAME for pid 0. NAME is at most 32 bytes.
 *
 * Returns a descriptor, which the caller closes; -errno on failure: -ESRCH
 * where there is no such process, -ENOENT where there is no procfs or no such
 * file in it, and what open(2) says.
 */
int vmsi_procfs_open(pid_t pid, const char *name);

/*
 * Whether a listing of mappings ended because it is complete: that of a process that has
 * ended or called execve(2) ends early without an error, and is empty from then on.
 *
 * Returns 0; -ESRCH where it is empty, and what pread(2) says.
 */
int vmsi_procfs_check_complete(int fd);

#endif
