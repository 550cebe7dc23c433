/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_ACCESSES_H
#define VMSI_FILE_ACCESSES_H

#include <stdbool.h>
#include <stdint.h>

#include <vmspace/file.h>

/*
 * The accesses that this thread has open, the innermost first. They lie on the
 * thread's stack. The handler of SIGBUS reads the list in the middle of whatever the
 * thread does, so an access is filled in before it is put into the list; and its model
 * of thread-local storage is the one that never calls malloc.
 */
extern _Thread_local struct vms_file_access *vmsi_accesses
	__attribute__((tls_model("initial-exec")));

/* Whether the thread has an access of a file open. */
bool vmsi_accesses_has(const struct vms_file *file);

/* Whether the thread has an access open that keeps commits of some file out. */
bool vmsi_accesses_has_reader(void);

/* How many. */
unsigned vmsi_accesses_count(const struct vms_file *file);

/* The accesses of a file that this thread has open fail with EIO, whatever they see. */
void vmsi_accesses_spoil(const struct vms_file *file);

/* Tell the accesses of a file that this thread has open what was lost. */
void vmsi_accesses_tell(const struct vms_file *file, uint64_t offset, int error);

/*
 * An access of the library's own, around its loads and stores of a file that is written.
 * end tells of what this thread itself has met, 0, -EIO or -ENXIO, and not of what is
 * lost elsewhere.
 */
void vmsi_accesses_begin(struct vms_file_access *access, struct vms_file *file);
int vmsi_accesses_end(struct vms_file_access *access);

#endif
