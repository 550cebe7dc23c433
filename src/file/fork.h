/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_FORK_H
#define VMSI_FILE_FORK_H

struct vms_file;

/* All files of the process, for fork(2). */
void vmsi_file_register(struct vms_file *file);
void vmsi_file_unregister(struct vms_file *file);

/* Do something to each file; it takes no lock that comes before those of files. */
void vmsi_file_each(void (*act)(struct vms_file *file));

/*
 * Register the handlers of fork, and those of spaces, if that was not done. Who has
 * locks that are taken before those of files registers its own after this.
 */
void vmsi_file_handle_fork(void);

#endif
