/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PROCFS_SMAPS_H
#define VMSI_PROCFS_SMAPS_H

#include <vmspace/list.h>

#include "text/lines.h"

/*
 * Read the next mapping of /proc/PID/smaps (proc_pid_smaps(5)). The lines may be
 * of /proc/PID/maps, too: then resident is VMS_NOT_COUNTED, page_size 0, and of
 * the flags only VMS_MAPPING_SHARED and VMS_MAPPING_ANONYMOUS are set.
 *
 * path is as by vmsi_label_path: the kernel appends " (deleted)" to the path of a
 * file that is gone, and at most VMS_PATH_MAX - 1 bytes are kept.
 *
 * Memory without a file of the program is VMS_MAPPING_ANONYMOUS and has no path,
 * even if the kernel made a file for it: shared anonymous memory, anonymous huge
 * pages, System V segments. device and inode then identify the kernel's object,
 * which two processes may share.
 *
 * Returns 1 and *info, except struct_size; 0 at the end; -EPROTO where a line is
 * not understood, or -errno of the read, and *info is as before.
 */
int vmsi_smaps_next(struct vmsi_lines *lines, struct vms_mapping_info *info);

/* What the pages of a mapping are. Bytes; 0 for what this kernel does not tell. */
struct vmsi_smaps_pages {
	uint64_t proportional; /* resident, each page divided by its users */
	uint64_t anonymous;    /* resident, and no page of a file or shared memory */
	uint64_t swapped;
	uint64_t huge;         /* resident in huge pages, those of hugetlb too */
};

/* vmsi_smaps_next, and the pages. */
int vmsi_smaps_next_pages(struct vmsi_lines *lines, struct vms_mapping_info *info,
			  struct vmsi_smaps_pages *pages);

#endif
