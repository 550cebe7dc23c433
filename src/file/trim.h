/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_TRIM_H
#define VMSI_FILE_TRIM_H

struct vms_file;

/*
 * After a commit, with the lock `committing`: pages that show their image in the
 * journal go back to the home file, private pages do where there are many, and the
 * journal is emptied when it is long. What cannot be done now is left for the next
 * time.
 */
void vmsi_trim(struct vms_file *file);

#endif
