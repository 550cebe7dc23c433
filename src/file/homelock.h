/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_HOMELOCK_H
#define VMSI_FILE_HOMELOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How the processes that have an atomic file open keep out of each other's way: by
 * locks of open file descriptions (F_OFD_SETLK) on bytes of the home file that no file
 * has. The kernel takes them back when a process ends, however it does.
 *
 *   WRITER   held for as long as the file is open to be written
 *   DOOR     taken by the writer while it waits for READING, which it does where it is
 *            held: readers that come meanwhile wait behind the writer, and have it for
 *            the moment in which they take READING then. Those who find it free leave
 *            it so: among many of them, the writer would never have it
 *   READING  shared by the readers in an access; exclusive: the home file is being
 *            written
 *   WHOLE    held by a writer for as long as the home file has the latest commit, but
 *            while it holds READING. Nobody holds it when a writer has stopped in the
 *            midst of writing, or the machine has
 *   DURABLE  many bytes: as many of them as the journal has that are durable are held by
 *            a writer that lives while the home file is behind. Readers look no further:
 *            what lies there is being written, or has failed
 */
struct vmsi_home_lock {
	int fd;                /* a description that nothing is mapped by, where that
				  can be had; -1: none yet, in the child of a fork */
	bool is_whole;         /* holds WHOLE */
	uint64_t durable;      /* bytes of DURABLE that it holds */
	bool at_door;          /* a reader: has waited behind a writer, and holds DOOR */
};

/* Each returns 0 or -errno; the first -EBUSY where another one has it. */
int vmsi_home_lock_writer(struct vmsi_home_lock *lock);
int vmsi_home_lock_begin_write(struct vmsi_home_lock *lock);

/* The same, but readers are waited for a moment only, or not: -EAGAIN, where they stay. */
enum vmsi_home_lock_pause { VMSI_A_MOMENT, VMSI_NO_PAUSE };
int vmsi_home_lock_try_write(struct vmsi_home_lock *lock,
			     enum vmsi_home_lock_pause pause);

int vmsi_home_lock_begin_read(struct vmsi_home_lock *lock);
void vmsi_home_lock_end(struct vmsi_home_lock *lock);

/*
 * The parts of begin_read, for many threads with one lock: come through DOOR, behind a
 * writer that waits; take READING, for which nobody waits longer than a commit is being
 * written; and let DOOR go. The second alone is for who has READING of some file
 * already: a writer that waits may wait for just that.
 */
int vmsi_home_lock_come(struct vmsi_home_lock *lock);
int vmsi_home_lock_begin_nested(struct vmsi_home_lock *lock);
void vmsi_home_lock_pass(struct vmsi_home_lock *lock);

/* Whether a writer waits for READING. */
bool vmsi_home_lock_is_wanted(const struct vmsi_home_lock *lock);

/* Whether one may have the file open to be written; of a reader. */
bool vmsi_home_lock_has_writer(const struct vmsi_home_lock *lock);

/*
 * What the writer says of the home file: with READING, that it has the latest commit; or,
 * that the journal has some more, and where the last one ends. Where that cannot be said,
 * readers find it out from the journal. -errno: it could not say "not whole".
 */
void vmsi_home_lock_tell_whole(struct vmsi_home_lock *lock);
int vmsi_home_lock_tell_behind(struct vmsi_home_lock *lock, uint64_t end);

/* What a reader is told, with READING; the end: 0 where nobody says. */
bool vmsi_home_lock_says_whole(const struct vmsi_home_lock *lock);
uint64_t vmsi_home_lock_says_end(const struct vmsi_home_lock *lock);

#endif
