/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PROCFS_SMAPS_H
#define VMSI_PROCFS_SMAPS_H

#include <vmspace/list.h>

#include "text/lines.h"

/*
 * The next mapping of /proc/PID/smaps (proc_pid_smaps(5)). /proc/PID/maps can
 * be read too: resident is then VMS_NOT_COUNTED, page_size 0, and of the flags
 * only VMS_MAPPING_SHARED and VMS_MAPPING_ANONYMOUS are told.
 *
 * path is as the kernel writes it, with newlines given back: " (deleted)"
 * after the path of a file that is gone. The kernel does not escape the
 * backslash, so a path that really has "\012" in it reads as one with a
 * newline. A path longer than VMS_PATH_MAX - 1 bytes loses its end.
 *
 * Memory that no file of the program stands behind is VMS_MAPPING_ANONYMOUS
 * and has no path, also where the kernel makes up a file for it: shared
 * anonymous memory, anonymous huge pages, System V segments. device and inode
 * then identify the kernel's object, which two processes may share.
 *
 * Returns 1 and *info (but for struct_size); 0 at the end; -EPROTO where a
 * line is not understood, or -errno of the read. *info is as before but where
 * 1 is returned.
 */
int vmsi_smaps_next(struct vmsi_lines *lines, struct vms_mapping_info *info);

#endif
