/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_HOMELOCK_H
#define VMSI_FILE_HOMELOCK_H

#include <stdbool.h>

/*
 * How the processes that have an atomic file open keep out of each other's way: by
 * locks of open file descriptions (F_OFD_SETLK) on bytes of the home file that no file
 * has. The kernel takes them back when a process ends, however it does.
 *
 *   WRITER   held for as long as the file is open to be written
 *   DOOR     taken by a reader for the moment in which it takes READING, and by the
 *            writer while it waits for READING, which it does where it is held: readers
 *            that come meanwhile wait behind the writer
 *   READING  shared by the readers in an access; exclusive: the home file is being
 *            written
 *   WHOLE    held by a writer for as long as the home file has the latest commit, but
 *            while it holds READING. Nobody holds it when a writer has stopped in the
 *            midst of writing, or the machine has
 */
struct vmsi_home_lock {
	int fd;
	bool is_whole;         /* holds WHOLE */
};

/* Each returns 0 or -errno; the first -EBUSY where another one has it. */
int vmsi_home_lock_writer(struct vmsi_home_lock *lock);
int vmsi_home_lock_begin_write(struct vmsi_home_lock *lock);

/* The same, but readers are waited for a moment only: -EAGAIN, where they stay. */
int vmsi_home_lock_try_write(struct vmsi_home_lock *lock);

int vmsi_home_lock_begin_read(struct vmsi_home_lock *lock);
void vmsi_home_lock_end(struct vmsi_home_lock *lock);

/*
 * What the writer says of the home file. It says "whole" with READING; where that fails,
 * readers look at the journal, which costs them time. -errno: it could not say "not
 * whole".
 */
int vmsi_home_lock_tell_whole(struct vmsi_home_lock *lock, bool is_whole);

/* What a reader is told, with READING. */
bool vmsi_home_lock_says_whole(const struct vmsi_home_lock *lock);

#endif
