/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_SHARE_H
#define VMSPACE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Shares: memory that processes have together, and that grows.
 *
 * One process makes a share, others attach to it by its descriptor (inherited, sent
 * over a socket, or opened as /proc/PID/fd/FD) or by the path of its file. What one
 * writes all others see. A share has a maximum; so many addresses are reserved in each
 * process, so that its base address there never changes. When one process grows it,
 * the memory is there in all others at the same offset, without a message and without
 * a mapping call.
 *
 * Caveats first.
 *
 * - A share is memory of all who have its descriptor. Whoever may write to it can
 *   write anything into it, and is not to be believed: offsets, lengths and counts
 *   that are read from it are to be checked, after they were copied out.
 *   vms_share_at never answers with an address that faults, whatever others have done.
 * - That holds for shares without a path, whose descriptor is sealed against a change of
 *   its size, as long as the machine has memory: a page that others have taken back is
 *   made anew when it is touched. A share with a path is an ordinary file: who may write
 *   to it can shorten it, and then an access is answered with SIGBUS.
 * - Growth takes the memory at once, so that a full /dev/shm or disk is an error of the
 *   call that grows. A memory cgroup kills instead of refusing: the call looks at its
 *   headroom first, and answers ENOMEM where there is none; what others take at the
 *   same moment it cannot see.
 * - A share has one lock a process, for what changes it. vms_share_at,
 *   vms_share_size and vms_share_base take none and may be used in any thread at any
 *   time, also in signal handlers.
 * - fork(2): the child has the share at the same address. For the others it is an
 *   attachment of its own, which it gives back by vms_share_close. Where no descriptor
 *   was left for that, vms_share_at answers NULL with EBADF in the child. A child of
 *   vfork(2) or a raw clone(2) may not use it. execve(2) closes it.
 * - The host charges each page once, to the memory cgroup of who has it first. Budgets
 *   (vmspace/budget.h) are not charged; a vmspace limit counts shares as all files in
 *   memory.
 * - The file is as long as the maximum from the first; what it has not grown to takes no
 *   memory. So RLIMIT_FSIZE is of who makes it, and limits nobody's growth.
 * - Processes may be killed at any moment: a call then has been made or not, for the
 *   others. A growth may leave memory behind the size, which the next one uses.
 *
 * A call that fails leaves everything as it was; one that succeeds leaves errno as it
 * was.
 */

typedef struct vms_share vms_share;

/* Options of a share; zero in a field means its default. */
struct vms_share_options {
	/* sizeof(struct vms_share_options); lets the struct grow. */
	size_t struct_size;
	/* VMS_SHARE_* bits. */
	unsigned flags;
	/*
	 * The rights of a file that vms_share_create makes, less the umask. 0: 0600.
	 * Only with a path.
	 */
	unsigned mode;
	/*
	 * Where the share is to lie: a multiple of the page size. It fails with
	 * EEXIST if anything is there. NULL: anywhere. See also
	 * VMS_SHARE_SAME_ADDRESS.
	 */
	void *address;
	/*
	 * To attach: the largest maximum that is accepted, in bytes, since another
	 * process has chosen it. 0: what addresses there are.
	 */
	uint64_t largest;
};

/* To attach: the share can be read only. A store faults. */
#define VMS_SHARE_READ_ONLY 0x1u

/*
 * To make: the share lies where options.address says, or where it was placed, in
 * each process that attaches, or attaching fails with EEXIST: plain pointers hold.
 */
#define VMS_SHARE_SAME_ADDRESS 0x2u

/*
 * Ask for transparent huge pages (MADV_HUGEPAGE); not with a path. ENOTSUP where the
 * host gives none to shared memory: where
 * /sys/kernel/mm/transparent_hugepage/shmem_enabled is "never" or "deny".
 */
#define VMS_SHARE_HUGE_PAGES 0x4u

/*
 * To attach by a descriptor: also to one that is not sealed against being shortened,
 * as that of a file. An access is answered with SIGBUS when somebody shortens it.
 */
#define VMS_SHARE_UNSEALED 0x8u

/*
 * Make a share.
 *
 * path      of its file, which must not exist, in any directory; the name appears when
 *           the share is complete. (Where the file system has no O_TMPFILE it is there
 *           from the first: to attach too early is EBADMSG, and who is killed meanwhile
 *           leaves it.) NULL: memory without a name (memfd_create(2)).
 * size      bytes that it has at first; may be 0.
 * maximum   bytes that it may grow to; rounded up to a page. At least size, not 0.
 * options   NULL for the defaults; read during the call only.
 *
 * Returns the share, which the caller owns and gives back by vms_share_close(); NULL
 * with errno set on failure:
 *   EINVAL  maximum is 0 or below size or cannot be rounded up; struct_size is too
 *           small; unknown flags, or those for attaching; largest is set; address is
 *           no multiple of a page, or the first page; mode without a path, huge pages
 *           with one.
 *   E2BIG   options that the library does not know are not zero (vmspace/space.h).
 *   EEXIST  the path exists; something is at the address.
 *   ENOSPC  /dev/shm or the disk is full.
 *   ENOMEM  no addresses or memory; the memory cgroup has no such headroom.
 *   EFBIG   RLIMIT_FSIZE, or the file system, has no files as long as the maximum.
 *   EOPNOTSUPP  the file system cannot take space ahead (fallocate(2)).
 *   ENOTSUP VMS_SHARE_HUGE_PAGES: see there.
 *   EMFILE, ENFILE  no descriptor is left.
 *   and as open(2) for the path.
 * Thread-safe.
 */
vms_share *vms_share_create(const char *path, uint64_t size, uint64_t maximum,
			    const struct vms_share_options *options);

/*
 * Attach to a share by its descriptor, which stays the caller's and may be closed. One
 * that was opened for reading only needs VMS_SHARE_READ_ONLY. A share may say where it is
 * to lie (VMS_SHARE_SAME_ADDRESS), but not over anything: who does not want that from its
 * maker gives an address of its own.
 *
 * Returns the share, as vms_share_create; NULL with errno set on failure:
 *   EBADMSG the descriptor is no share, or one that is damaged.
 *   EPROTONOSUPPORT  a share of a version that this library does not know, or of
 *           another page size.
 *   EPERM   it is not sealed (VMS_SHARE_UNSEALED); it may be read only, since
 *           vms_share_forbid_writers was called (VMS_SHARE_READ_ONLY).
 *   EACCES  the descriptor was opened for reading only.
 *   EFBIG   its maximum is above options.largest.
 *   EEXIST  something is where it is to lie.
 *   EAGAIN  it is being shrunk at this moment.
 *   EINVAL, E2BIG, ENOMEM, ENOTSUP, EMFILE, ENFILE, EBADF  as above.
 * Thread-safe.
 */
vms_share *vms_share_attach(int fd, const struct vms_share_options *options);

/* The same by the path of a share's file; also as open(2). */
vms_share *vms_share_attach_path(const char *path,
				 const struct vms_share_options *options);

/*
 * Give this process's part back: the addresses and the descriptor. The memory is freed
 * when all have, and no descriptor of it is open; the file of a path stays.
 *
 * Returns 0, also for NULL; -1 with errno set on failure, as vms_space_close.
 * No other call on the share may be running or follow.
 */
int vms_share_close(vms_share *share);

/*
 * The descriptor, which stays the share's: to be sent to others (SCM_RIGHTS), or
 * duplicated to be inherited (it is close-on-exec). -1 in a forked child that has none of
 * its own. A duplicate speaks for
 * this process as long as it is open, wherever it is: what this process uses cannot be
 * shrunk, and its death is not found out. So who gets one closes it when it has attached.
 */
int vms_share_fd(const vms_share *share);

/*
 * A new descriptor of the share for reading only, which is the caller's: for those who
 * are to attach with VMS_SHARE_READ_ONLY. That keeps out nobody who wants to write: memory
 * that has no path can be opened again by /proc/self/fd. vms_share_forbid_writers does.
 *
 * Returns it; -1 with errno set on failure: EMFILE, ENFILE; EACCES for a file that is
 * not the caller's; ENOENT where /proc is not mounted.
 */
int vms_share_read_only_fd(const vms_share *share);

/*
 * From now on nobody can attach to it for writing, or write to it by a descriptor; who
 * has attached already goes on, and can grow but not shrink it. For good
 * (F_SEAL_FUTURE_WRITE, Linux 5.1).
 *
 * Returns 0; -1 with errno set on failure: EPERM for a share with a path, one that is
 * attached read-only, or whose descriptor others have sealed against seals; EINVAL
 * before Linux 5.1; EAGAIN: another process puts in order at this moment what one has
 * left that died while it shrank the share; EBADF as vms_share_at.
 * Thread-safe.
 */
int vms_share_forbid_writers(vms_share *share);

/* The first byte, at the same address for as long as the share is attached. */
void *vms_share_base(const vms_share *share);

/*
 * Bytes that the share has now. What others do with it may change it at once; it never
 * passes what can be touched.
 */
uint64_t vms_share_size(vms_share *share);

/* Bytes that it may grow to. */
uint64_t vms_share_maximum(const vms_share *share);

/*
 * The address of length bytes at an offset, if the share has them all. Growth by others
 * is followed here: what this process has known already needs no system call.
 *
 * Returns the address, also with length 0 (offset up to the size); NULL with errno set
 * on failure:
 *   ERANGE  not all of it lies in the share, or it is beyond what the process uses
 *           (vms_share_use).
 *   EBADF   in a forked child that has no descriptor of its own.
 * Thread-safe, and safe in signal handlers.
 */
void *vms_share_at(vms_share *share, uint64_t offset, size_t length);

/*
 * Grow to at least size bytes, for all. New bytes are zero.
 *
 * Returns 0, also where it has them already; -1 with errno set on failure:
 *   ENOSPC  /dev/shm or the disk is full.
 *   ENOMEM  the memory cgroup has no such headroom; memory.
 *   EFBIG   it would pass the maximum.
 *   EPERM   it is attached read-only; a process died while it shrank the share and
 *           another one forbade writers.
 *   EAGAIN  it is being shrunk by another process at this moment, or others change the
 *           size all the time.
 *   EBADF   as vms_share_at.
 *   EOPNOTSUPP  a process died while it shrank the share, and the file system can punch
 *           no holes.
 * Thread-safe, in all processes at once.
 */
int vms_share_grow(vms_share *share, uint64_t size);

/*
 * Grow by length bytes that nobody else gets. *offset is where they are.
 *
 * Returns 0; -1 with errno set as by vms_share_grow, and EINVAL for length 0.
 */
int vms_share_extend(vms_share *share, uint64_t length, uint64_t *offset);

/*
 * Say how much of the share this process uses: nothing at or behind size. At first it
 * uses all, also what it will have grown to. Others can then shrink it so far.
 *
 * size  bytes; UINT64_MAX: all again.
 *
 * Returns 0; -1 with errno set on failure: EAGAIN: size lies above what it was before,
 * and another process is shrinking; EBADF as vms_share_at.
 * Pointers of this process to bytes behind size may not be used any more.
 * Thread-safe.
 */
int vms_share_use(vms_share *share, uint64_t size);

/*
 * Shrink, and give the memory behind size back to the host. It needs everybody's
 * agreement: each other process that has attached has said by vms_share_use that it
 * uses no more than size, or has closed it, or ended. Nobody's access faults: to those
 * who go on behind the end, bytes read as zero.
 *
 * Returns 0, also where it is no longer than that; -1 with errno set on failure:
 *   EBUSY   another process uses more.
 *   EPERM   it is attached read-only, or vms_share_forbid_writers was called.
 *   EOPNOTSUPP  the file system can punch no holes.
 *   EBADF   as vms_share_at.
 * Thread-safe.
 */
int vms_share_shrink(vms_share *share, uint64_t size);

/* Figures of a share, in bytes unless said otherwise. */
struct vms_share_stats {
	/* sizeof(struct vms_share_stats), set by the caller. */
	size_t struct_size;
	uint64_t size;
	uint64_t maximum;
	uint64_t used;           /* vms_share_use; the maximum at first */
	uint64_t allocated;      /* memory, or blocks on the disk, of all of it */
	unsigned flags;          /* VMS_SHARE_* that are in force */
	bool sealed;             /* it cannot be shortened by anybody */
};

/*
 * Read the figures of a share.
 *
 * Returns 0; -1 with errno EINVAL, E2BIG as vms_space_get_stats; EBADF.
 */
int vms_share_get_stats(vms_share *share, struct vms_share_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
