/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_FILE_COMMIT_H
#define VMSPACE_FILE_COMMIT_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/file.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Commits of all or nothing, of files that were opened VMS_FILE_ATOMIC (see there). A part
 * of vmspace/file.h, which includes it.
 */

/*
 * Between the two, a thread changes what belongs together: a commit by another
 * thread takes all of it or nothing. A commit waits until no update is open, and
 * updates wait for as long as it copies what was written. It is a deadlock to call
 * vms_file_commit or vms_file_rollback inside of an update of the same thread, which
 * then waits for ever; to wait there for a thread that commits; or to nest updates. Not
 * needed where one thread alone writes and commits.
 */
void vms_file_begin_update(vms_file *file);
void vms_file_end_update(vms_file *file);

/*
 * Tell that a range is going to be written, in the same update (with one thread:
 * before the next commit). No system call and no fault, unless the dirty limit is
 * reached, and then the journal gets what was told so far.
 *
 * Returns 0; -1 with errno set: ERANGE; EINVAL the file is not atomic; EBADF it is
 * read-only; ENOMEM; ENOSPC, EDQUOT, EIO of the journal.
 */
int vms_file_will_write(vms_file *file, uint64_t offset, size_t length);

/*
 * Commit what was written since the last commit. When it returns 0, all of it
 * outlasts a crash of the machine; a machine that stops before has all of it or
 * nothing. Threads that commit at the same time share one fdatasync(2). What
 * others write meanwhile is in this commit or in the next.
 *
 * Readers who are in an access are waited for a moment, a millisecond or so. If they
 * stay, the commit returns 0 without them: it is durable in the journal, where accesses
 * that begin from then on see it, and it comes into the file with a later commit. When
 * the journal is full (64 MiB), and at vms_file_rollback, _close and _open after a
 * crash, they are waited for; for ever by a thread that has such an access open itself.
 * Accesses by one vms_file that overlap show the same commit.
 *
 * Returns 0; -1 with errno set, and what was written is still there, uncommitted:
 *   EINVAL  the file is not atomic.
 *   EBADF   it is read-only; the library's descriptor is gone.
 *   EPERM   in a forked child.
 *   ENXIO, EIO  something of what is to be committed is lost, as by
 *           vms_file_end_access; or somebody else has cut the file off, and some of
 *           what was written may be gone. Until vms_file_refresh or _rollback.
 *   ENOSPC, EDQUOT, EFBIG, EIO, ENOMEM  of the journal. After EIO it is not known
 *           whether the commit would outlast a crash at this moment; the next
 *           commit that returns 0 settles it. EIO again and again: pages that the
 *           dirty limit has moved to the journal are lost with it; only
 *           vms_file_rollback helps.
 */
int vms_file_commit(vms_file *file);

/*
 * Drop what was written since the last commit: contents and size are as it left
 * them. Waits for updates that are open. Returns 0; -1 with errno set: EINVAL,
 * EBADF, EPERM as vms_file_commit; EIO, ENOSPC, EDQUOT: the last commit is in the
 * journal and cannot be written to the file; ENOMEM; before Linux 5.18 EINVAL, too, where
 * memory is locked (mlock(2)). After the last two a part may be dropped: roll back again
 * before you commit.
 */
int vms_file_rollback(vms_file *file);

#ifdef __cplusplus
}
#endif

#endif
