/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_ENDED_H
#define VMSI_FILE_ENDED_H

struct vms_file;

/*
 * Threads that end inside an access which keeps commits from an atomic file: without
 * this the file would be kept from its writer until the process ends, since nobody else
 * ends the access. What the access lies in is gone with the thread's stack by then, so
 * it is noted here, too: of as many files at once as a thread is likely to read.
 */

/* This thread has begun, or ends, an access of such a file. */
void vmsi_ended_note_begin(const struct vms_file *file);
void vmsi_ended_note_end(const struct vms_file *file);

#endif
