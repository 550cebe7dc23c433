/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_SIZING_H
#define VMSI_FILE_SIZING_H

struct vms_file;

/*
 * A private file, and an atomic one that is written, are mapped as far as they are long.
 * So whoever makes one shorter keeps copies out meanwhile: they would touch what is not
 * there any more. (So would the next commit, if more was told to be written.) He waits
 * for those under way, which may wait for a commit, and a commit for the file's lock: he
 * takes that afterwards. A copy may be in an update: who waits for updates does so before.
 *
 * A shared file is mapped up to its maximum, and nothing is to be kept apart.
 */

/* Around a resize, or a rollback. */
void vmsi_sizing_begin(struct vms_file *file);
void vmsi_sizing_end(struct vms_file *file);

/* Around a copy: from begin on, what lies in the file stays mapped. */
void vmsi_sizing_begin_copy(struct vms_file *file);
void vmsi_sizing_end_copy(struct vms_file *file);

/* When the file is opened, and in the child of a fork, where nobody is in either. */
void vmsi_sizing_init(struct vms_file *file);

#endif
