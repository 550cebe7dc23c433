/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_READING_H
#define VMSI_FILE_READING_H

struct vms_file;
struct vmsi_reader;

/*
 * The accesses of an atomic file that is only read, which keep READING of the home lock
 * for all threads of the process; begin and end are in atomic.h.
 */
void vmsi_reading_init(struct vmsi_reader *reader);

/*
 * By the handlers of fork. A child's accesses keep a lock of its own: what its parent
 * lets go of must not be gone for the child, and the other way round. The thread that
 * forks in an access is in one in the child, too; those of other threads are not there.
 *
 * hold: before the lock of the file is taken; the others as their names say.
 */
void vmsi_reading_hold(struct vms_file *file);
void vmsi_reading_before_fork(struct vms_file *file);
void vmsi_reading_after_fork(struct vms_file *file);
void vmsi_reading_forked(struct vms_file *file);

#endif
