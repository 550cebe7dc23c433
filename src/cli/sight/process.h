/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PROCESS_H
#define VMSI_CLI_PROCESS_H

#include <sys/types.h>

#include "cli/process_name.h"
#include "cli/sight/bounds.h"
#include "cli/sight/owners.h"
#include "cli/sight/stacks.h"
#include "procfs/label.h"
#include "procfs/status.h"

/*
 * The memory of a process at about one moment: owners, and on demand each mapping.
 * All is read before anything is written, so that columns can be aligned, and a
 * process that ends meanwhile makes an error and not half a listing.
 */

struct vmsi_seen_mapping {
	uintptr_t start, end;
	int prot;
	unsigned flags;              /* VMS_MAPPING_*; without pages SHARED only */
	size_t page_size;            /* bytes; 0 without pages */
	uint64_t device, inode;      /* of the file; 0: none */
	uint64_t offset;             /* into the file, bytes */
	enum vmsi_label_kind label;
	const struct vmsi_name *name; /* of the label; NULL: it has none */
	uint32_t owner;              /* its number in the list */
	struct vmsi_figures figures;
};

#define VMSI_SEE_PAGES    0x1u /* all columns: the kernel walks over the pages */
#define VMSI_SEE_MAPPINGS 0x2u /* keep each mapping */
/* Of a process that is a difference: its figures may be below 0 (int64_t). */
#define VMSI_SEE_DIFFERENCE 0x4u

struct vmsi_process {
	pid_t pid;
	/* Whose files in /proc are read: where the first thread has ended, another one's. */
	pid_t thread;
	unsigned what;               /* VMSI_SEE_* */
	char command[VMSI_PROCESS_NAME_SIZE];
	struct vmsi_status status;
	struct vmsi_bounds bounds;   /* none where nobody has asked: vmsi_bounds_read */
	struct vmsi_stacks stacks;
	struct vmsi_owners owners;
	struct vmsi_figures total;
	struct vmsi_seen_mapping *mappings; /* in ascending order of address */
	size_t count, capacity;
};

/*
 * Read the memory of a process. Returns 0, or -errno: -ESRCH where there is no such
 * process, where it has no memory, or has replaced it meanwhile; -EACCES or -EPERM
 * where the caller may not look; -EPROTO where a line is not understood; -ENOMEM.
 * The caller frees the process in either case.
 */
int vmsi_process_see(struct vmsi_process *process, pid_t pid, unsigned what);
void vmsi_process_free(struct vmsi_process *process);

#endif
