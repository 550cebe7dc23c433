/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_WINDOW_H
#define VMSI_FILE_WINDOW_H

struct vms_file;

/* Prepare a file's records of windows. */
void vmsi_windows_init(struct vms_file *file);

#endif
