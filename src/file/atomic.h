/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_ATOMIC_H
#define VMSI_FILE_ATOMIC_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/file.h>

/*
 * What a file opened VMS_FILE_ATOMIC does differently. Each call returns 0 or
 * -errno and takes the locks that it needs: atomic's own first, then the file's.
 */

/*
 * Take the writer's place and apply the journal (write mode), or look at it (read
 * mode), before the file is mapped: its size may change by that. Writes file->atomic
 * and nothing else of the file. problem: as by vmsi_journal_open.
 */
int vmsi_atomic_open(struct vms_file *file, const char *journal,
		     size_t dirty_limit, const char **problem);

/* After base is mapped: begin to follow what is written; read mode: lay over it
 * what the home file has not. */
int vmsi_atomic_start(struct vms_file *file);

/* Before base is unmapped. The file's lock is not held. */
int vmsi_atomic_close(struct vms_file *file);

int vmsi_atomic_append(struct vms_file *file, const void *bytes, size_t length,
		       uint64_t *offset);
int vmsi_atomic_resize(struct vms_file *file, uint64_t size);

/*
 * The home file was cut to the size of a commit, which gave back the space that it had
 * behind. What it has grown by meanwhile gets its space again. With the file's lock.
 */
void vmsi_atomic_was_cut(struct vms_file *file);

/*
 * Of a writer: 0, or -EBADF: the program has closed the descriptor of the journal or of
 * the lock.
 */
int vmsi_atomic_check_descriptors(const struct vms_file *file);

/* The descriptor is not the file's any more: closing leaves the journal as it is. */
void vmsi_atomic_leave(struct vms_file *file);

/* Of a file that is only read. begin_refresh: an access before losses are mended. */
int vmsi_atomic_begin_refresh(struct vms_file *file);
int vmsi_atomic_begin_access(struct vms_file *file);
void vmsi_atomic_end_access(struct vms_file *file);
int vmsi_atomic_drop(struct vms_file *file, uint64_t offset, size_t length);

/*
 * By the handlers of fork: hold before the lock of the file is taken, the others with
 * it, or in the child, where the journal is the parent's.
 */
void vmsi_atomic_hold(struct vms_file *file);
void vmsi_atomic_before_fork(struct vms_file *file);
void vmsi_atomic_after_fork(struct vms_file *file);
void vmsi_atomic_forked(struct vms_file *file);

/*
 * Map a range of base again as it was before its pages were lost and zeros were mapped
 * in their place; whole pages, below file->mapped. Called with the file's lock held.
 */
int vmsi_atomic_show_again(struct vms_file *file, uint64_t offset,
			   uint64_t length);

/* Fill in what the atomic part knows of the figures. */
void vmsi_atomic_stats(struct vms_file *file, struct vms_file_stats *stats);

#endif
