/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PROCFS_SMAPS_LABEL_H
#define VMSI_PROCFS_SMAPS_LABEL_H

#include <vmspace/list.h>

#include "procfs/scan.h"

/*
 * The last column of /proc/PID/maps: the path of a file, a name in brackets,
 * or nothing.
 */

/* Copy the label to info->path, newlines given back. */
void vmsi_label_take(struct vms_mapping_info *info, struct vmsi_scan label);

/*
 * Decide, once everything else of the mapping is known, whether the label in
 * info->path is a path or a name: fills path, name, VMS_MAPPING_ANONYMOUS.
 */
void vmsi_label_classify(struct vms_mapping_info *info);

#endif
