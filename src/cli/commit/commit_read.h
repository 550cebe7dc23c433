/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMIT_READ_H
#define VMSI_CLI_COMMIT_READ_H

#include <sys/types.h>

#include "cli/commit/commit_figures.h"
#include "procfs/status.h"

/*
 * Read what the kernel tells about overcommit into sources, or the error where a
 * file cannot be read.
 */
void vmsi_commit_read(struct vmsi_commit_sources *sources);

/*
 * Whether a process may use the administrator's reserve: it may where it has
 * CAP_SYS_ADMIN in the initial user namespace. pid 0 is the caller.
 */
enum vmsi_exemption vmsi_commit_exemption(pid_t pid, const struct vmsi_status *status);

/* Read /proc/meminfo. Returns 0 or -errno. */
int vmsi_commit_read_meminfo(struct vmsi_meminfo *meminfo);

/* The paths of the settings that are read, and of meminfo. */
extern const char *const vmsi_vm_setting_paths[VMSI_VM_SETTINGS];
extern const char vmsi_meminfo_path[];

/* Why something is not known, in words. error is -errno. */
const char *vmsi_commit_why(int error);

#endif
