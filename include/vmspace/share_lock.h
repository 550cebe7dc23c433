/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_SHARE_LOCK_H
#define VMSPACE_SHARE_LOCK_H

#include <stdint.h>

#include <vmspace/share.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Locks, events and conditions in a share, for its processes.
 *
 * Caveats first.
 *
 * - Each lies in a share, where the program puts it, and is all zero at first: memory
 *   that a share has grown to is. It is never freed; nothing else has to be done.
 * - The owner of a lock is an attachment, which is to say a process: its threads can
 *   release each other's locks. What is found out is the death of the process, however
 *   it dies, at most some 20 ms after it; not that of a single thread.
 * - vms_share_close, fork(2) and execve(2): a lock that is held when its share is closed
 *   is held by the dead. The child of a fork holds none of its parent's.
 * - A process that writes anything into a lock can make others wait, get it or be told
 *   that its owner has died; it cannot make them crash, or wait beyond a timeout.
 * - At most VMS_SHARE_OWNERS processes use locks of one share at a time.
 * - No lock is recursive. Not for signal handlers.
 *
 * timeout: nanoseconds from now, UINT64_MAX: for ever. A signal does not end a wait.
 * Each call answers, besides what is told there, with errno (EAGAIN those of locks, and
 * who waits for a condition):
 *   EINVAL  the lock does not lie in the share, or is not aligned to 4 bytes.
 *   EPERM   the share is attached read-only.
 *   EBADF   as vms_share_at, in a forked child.
 *   EAGAIN  VMS_SHARE_OWNERS processes use locks of the share already.
 * Thread-safe.
 */

#define VMS_SHARE_OWNERS 512

/* A mutex. The fields are the library's own. */
typedef struct vms_share_lock {
	uint32_t owner;
	uint32_t state;
} vms_share_lock;

/*
 * Take a lock; wait for it.
 *
 * Returns 0: it is the caller's; 1: it is, and the one who had it before has died with
 * it, or closed the share: what the lock guards may be half changed. The caller puts it
 * in order and says so by vms_share_lock_recovered; if it releases the lock without, the
 * lock can be taken never again. -1 with errno set on failure:
 *   ETIMEDOUT        it was not to be had in time. With a timeout of 0: somebody has it.
 *   ENOTRECOVERABLE  its owner has died, and nobody has put in order what it guards.
 */
int vms_share_lock_take(vms_share *share, vms_share_lock *lock, uint64_t timeout);

/* What a dead owner has left is in order again. Returns 0; EPERM: see release. */
int vms_share_lock_recovered(vms_share *share, vms_share_lock *lock);

/* Give it back. Returns 0; -1 with errno EPERM where this process does not have it. */
int vms_share_lock_release(vms_share *share, vms_share_lock *lock);

/* What has happened, or has not: for any number of waiters. */
typedef struct vms_share_event {
	uint32_t state;
} vms_share_event;

/* It has happened, until it is reset: all who wait go on, also if it is reset at once. */
int vms_share_event_set(vms_share *share, vms_share_event *event);
int vms_share_event_reset(vms_share *share, vms_share_event *event);

/* Wait until it has. Returns 0; -1 with errno set: ETIMEDOUT, and as above. */
int vms_share_event_wait(vms_share *share, vms_share_event *event,
			 uint64_t timeout);

/* Something that a lock guards may have changed. */
typedef struct vms_share_condition {
	uint32_t sequence;
} vms_share_condition;

/*
 * Release a lock, wait for a signal, and take the lock again. It may return without a
 * signal: look again at what was waited for. A signaller that has died before the signal
 * is noticed by what vms_share_lock_take returns: this returns the same.
 *
 * Returns 0 or 1 as vms_share_lock_take; -1 with errno set: ETIMEDOUT, and the lock is
 * the caller's again; ENOTRECOVERABLE, and it is not; EBUSY: it was not to be had again
 * within as long as the timeout, and a second at least, and is not the caller's; EPERM
 * and the others, and nothing was done.
 */
int vms_share_condition_wait(vms_share *share, vms_share_condition *condition,
			     vms_share_lock *lock, uint64_t timeout);

/* Wake one, or all, who wait. The lock need not be held. Returns 0, or as above. */
int vms_share_condition_signal(vms_share *share, vms_share_condition *condition);
int vms_share_condition_broadcast(vms_share *share,
				  vms_share_condition *condition);

#ifdef __cplusplus
}
#endif

#endif
