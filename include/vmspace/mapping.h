/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_MAPPING_H
#define VMSPACE_MAPPING_H

#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Linux's mapping calls inside a space.
 *
 * Each call takes a space and then exactly the arguments of the system call it
 * is named after, with the same flags, results and errnos; code ports by
 * renaming. An address outside the space is to these calls what an address
 * past the end of the address space is to Linux: nothing outside is ever read
 * or changed. A part of the space without a mapping answers as unmapped
 * memory, and touching it is SIGSEGV.
 *
 * Of every call here:
 * - A NULL space is EINVAL.
 * - A successful call leaves errno as it was.
 * - Safe from several threads at once. Not async-signal-safe.
 * - A call that fails leaves the space, its ledger and its memory as they
 *   were, unless the Linux call itself is defined to stop midway; each such
 *   case is named below.
 * - ENOMEM can also mean that there is no memory for the space's own records
 *   or that vm.max_map_count is reached (vms_last_refusal tells them apart).
 * - In a child of fork(2) the calls work on the child's own copy.
 */

/* Why the latest call of this thread that failed with ENOMEM was refused. */
enum vms_refusal {
	VMS_REFUSAL_NONE = 0,
	VMS_REFUSAL_HOST,      /* the host said no: its overcommit or an rlimit */
	VMS_REFUSAL_COMMIT,    /* the space's commit limit and policy */
	VMS_REFUSAL_ADDRESSES, /* no free range is large enough, or the address
				  is not the space's to give */
	VMS_REFUSAL_MAP_COUNT, /* vm.max_map_count is reached */
	VMS_REFUSAL_RECORDS,   /* no memory for the space's own records */
	VMS_REFUSAL_UNMAPPED,  /* the range is not all mapped, or is blocked */
	VMS_REFUSAL_BUDGET,    /* the space's budget, or a parent of it */
	VMS_REFUSAL_OPEN,      /* addresses for a new space: the process has no
				  such range free, or RLIMIT_AS forbids it */
};

/*
 * The reason of this thread's latest ENOMEM from a call on any space, or from
 * vms_space_open.
 */
enum vms_refusal vms_last_refusal(void);

/* A reason in English, for messages; never NULL, never freed. */
const char *vms_refusal_text(enum vms_refusal refusal);

/*
 * Map memory or a file: mmap(2).
 *
 * address   NULL, a hint (rounded down to a page), or with MAP_FIXED or
 *           MAP_FIXED_NOREPLACE the exact place, which must lie in the space.
 * length    bytes, rounded up to a page (to a huge page with MAP_HUGETLB).
 *
 * Without an address the space chooses: the smallest free range that fits;
 * for requests of at least the machine's huge-page size one on a boundary of
 * huge pages (files: congruent to their offset), if there is one. A range behind
 * a mapping that has grown before is used from its far end.
 *
 * MAP_HUGETLB: where the pool cannot hold the whole mapping, it is made of
 * ordinary pages (with MADV_HUGEPAGE), of the same rounded length and
 * alignment; the listing shows VMS_MAPPING_HUGE_FALLBACK and huge_fallbacks of
 * vms_space_get_stats counts it. MAP_NORESERVE is ignored for huge pages, so that
 * every page is reserved when the call returns and touching it cannot be SIGBUS
 * in this process, unless a control group or a memory policy forbids the page;
 * for children see vms_mmap(3). VMS_SPACE_HUGETLB_EXACT turns both off.
 *
 * MAP_GROWSDOWN grows when it is touched below its start, up to the host's
 * guard gap (1 MiB on a usual machine) between two calls on the space.
 *
 * Returns the address; MAP_FAILED with errno set on failure (semantics.md,
 * mmap; mmap(2)):
 *   EBADF       not MAP_ANONYMOUS and fd is not open, or is O_PATH.
 *   EINVAL      length 0; not exactly one of MAP_SHARED, MAP_PRIVATE,
 *               MAP_SHARED_VALIDATE, MAP_DROPPABLE; offset or a MAP_FIXED address not on a
 *               page; a combination that Linux refuses.
 *   EACCES      the file is not open for what is asked.
 *   ENODEV      the file cannot be mapped.
 *   EOVERFLOW   offset + length overflows.
 *   EOPNOTSUPP  MAP_SHARED_VALIDATE with a flag the file does not support.
 *   EEXIST      MAP_FIXED_NOREPLACE over a mapping.
 *   EPERM       address 0 with MAP_FIXED; MAP_FIXED over a sealed mapping; a
 *               write-sealed memfd; MAP_LOCKED without the right; PROT_EXEC of
 *               a file on a file system mounted noexec.
 *   EAGAIN      MAP_LOCKED, or mlockall(MCL_FUTURE), past RLIMIT_MEMLOCK.
 *   ENOMEM      a MAP_FIXED range not inside the space; no free range (with
 *               MAP_32BIT, none below 2 GiB); commit; RLIMIT_AS or RLIMIT_DATA.
 * A MAP_FIXED call that fails leaves what was mapped there, unless the host has
 * destroyed it before it refused (a driver; huge pages that are not to be had,
 * with VMS_SPACE_HUGETLB_EXACT; other reasons before Linux 6.12): then there is
 * a hole.
 */
void *vms_mmap(vms_space *space, void *address, size_t length, int prot,
	       int flags, int fd, off_t offset);

/*
 * Unmap: munmap(2). Memory and commit go back; the addresses stay the space's.
 *
 * Returns 0; -1 with errno set on failure (semantics.md, munmap), and nothing
 * is unmapped:
 *   EINVAL  address not on a page, length 0, or the range not in the space;
 *           part of a huge page.
 *   EPERM   a part is sealed.
 *   ENOMEM  a mapping would have to be split at the map-count limit.
 *   EAGAIN  mlockall(MCL_FUTURE) is in force, RLIMIT_MEMLOCK is reached, and the
 *           space has no hole left.
 */
int vms_munmap(vms_space *space, void *address, size_t length);

/*
 * Grow, shrink, move or alias a mapping: mremap(2), with MREMAP_MAYMOVE,
 * MREMAP_FIXED, MREMAP_DONTUNMAP and an old_length of 0.
 *
 * No byte is copied: a mapping grows in place where the space has room after
 * it, and moves by its page tables otherwise. Growth in place takes along all
 * that a mapping is, also a userfaultfd, a memory policy, a lock or advice given
 * by calls other than these; growth by more than the host's guard gap (1 MiB on
 * a usual machine) that must move takes what these calls have given. A place chosen by the space is
 * congruent to the old one modulo the largest page-table size that fits, which
 * makes the move cheap, and has room to grow further.
 *
 * Returns the address; MAP_FAILED with errno set on failure (semantics.md,
 * mremap):
 *   EINVAL  old_address not on a page; an unknown flag; new_length 0 or larger
 *           than the address space; MREMAP_FIXED or MREMAP_DONTUNMAP without
 *           MREMAP_MAYMOVE; new_address not on a page or the target not in the
 *           space; source and target overlap; MREMAP_DONTUNMAP with different
 *           lengths; old_length 0 on a private mapping; growing huge pages.
 *   EFAULT  old_address is not mapped; growing a range that spans mappings;
 *           MREMAP_FIXED with different lengths across mappings.
 *   ENOMEM  no room in place without MREMAP_MAYMOVE; no free range; commit; an
 *           rlimit; the map-count limit.
 *   EAGAIN  the locked-memory limit would be passed.
 *   EPERM   a part of source or target is sealed.
 * As on Linux, a MREMAP_FIXED call that grows and fails on commit, or shrinks
 * and would cut off what is sealed, has unmapped the target; and one over
 * several mappings that fails midway has moved the earlier ones.
 */
void *vms_mremap(vms_space *space, void *old_address, size_t old_length,
		 size_t new_length, int flags, void *new_address);

/*
 * Change protection: mprotect(2).
 *
 * Returns 0; -1 with errno set on failure (semantics.md, mprotect):
 *   EINVAL  address not on a page; unknown protection bits; PROT_GROWSDOWN or
 *           PROT_GROWSUP on a plain mapping.
 *   ENOMEM  the range wraps, leaves the space or meets a hole; commit; the
 *           map-count limit.
 *   EACCES  a right the mapping's file was not opened for.
 *   EPERM   a part is sealed.
 * As on Linux, the part before the one that failed is changed.
 */
int vms_mprotect(vms_space *space, void *address, size_t length, int prot);

/*
 * Give advice: madvise(2), every advice that the host knows.
 *
 * Returns 0; -1 with errno set on failure (semantics.md, madvise):
 *   EINVAL  address not on a page; unknown advice; advice that the mapping
 *           does not take (MADV_DONTNEED on locked memory and so on).
 *   ENOMEM  part of the range is not mapped. The parts that are mapped have
 *           got the advice, but for MADV_POPULATE_*, which stop at a hole.
 *   EACCES  MADV_REMOVE on memory that is not shared and writable.
 *   EFAULT, EIO, EBADF, EBUSY, EAGAIN, EPERM  as madvise(2); others are passed
 *           on.
 */
int vms_madvise(vms_space *space, void *address, size_t length, int advice);

/*
 * Write a file mapping back: msync(2).
 *
 * Returns 0; -1 with errno set on failure (semantics.md, msync):
 *   EINVAL  address not on a page; unknown flags; MS_SYNC with MS_ASYNC.
 *   ENOMEM  part of the range is not mapped; the mapped parts are synced.
 *   EBUSY   MS_INVALIDATE on locked memory.
 *   EIO, ENOSPC and others  as the file system reports them.
 */
int vms_msync(vms_space *space, void *address, size_t length, int flags);

/*
 * Lock into memory: mlock(2), mlock2(2), munlock(2). The address need not be
 * on a page. mlock2's flags: 0 or MLOCK_ONFAULT.
 *
 * Return 0; -1 with errno set on failure:
 *   ENOMEM  part of the range is not mapped (what is before the hole is
 *           locked, or unlocked); RLIMIT_MEMLOCK would be passed.
 *   EAGAIN  some of it could not be brought into memory.
 *   EPERM   no right to lock.
 *   EINVAL  the range wraps; unknown flags.
 */
int vms_mlock(vms_space *space, const void *address, size_t length);
int vms_mlock2(vms_space *space, const void *address, size_t length,
	       unsigned flags);
int vms_munlock(vms_space *space, const void *address, size_t length);

/*
 * Which pages are in memory: mincore(2). vector has a byte a page.
 *
 * Returns 0; -1 with errno set on failure (semantics.md, mincore):
 *   EINVAL  address not on a page.
 *   ENOMEM  part of the range is not mapped; vector tells of what is before.
 *   EFAULT  vector is not writable.
 *   EAGAIN  the kernel is short of memory.
 */
int vms_mincore(vms_space *space, void *address, size_t length,
		unsigned char *vector);

/*
 * Seal mappings against change: mseal(2). flags must be 0. There is no way
 * back: a space with a sealed mapping cannot be closed.
 *
 * Returns 0; -1 with errno set on failure (semantics.md, mseal):
 *   EINVAL  flags; address not on a page; the range wraps.
 *   ENOMEM  part of the range is not mapped; nothing is sealed.
 *   ENOSYS  the kernel has no mseal (before 6.10).
 *   EPERM   a 32-bit program.
 */
int vms_mseal(vms_space *space, void *address, size_t length,
	      unsigned long flags);

/* Also give the commit back (vms_decommit). Without it only the memory goes. */
#define VMS_DECOMMIT_UNCHARGE 0x1u

/*
 * Give memory back while the range stays mapped.
 *
 * flags 0                      the pages go, protection and commit stay: the
 *                              range reads as zeroes and can be used at once.
 * flags VMS_DECOMMIT_UNCHARGE  the pages and the commit go: the range becomes
 *                              PROT_NONE and uncharged, to be charged again by
 *                              vms_mprotect, which can then be refused.
 *
 * The range must be covered by private anonymous mappings. With
 * VMS_DECOMMIT_UNCHARGE it is new memory to the host: advice, MAP_NORESERVE,
 * MAP_GROWSDOWN and guards are gone; a name stays in the listing.
 *
 * Returns 0; -1 with errno set on failure, and nothing has changed:
 *   EINVAL  address not on a page, length 0, unknown flags; a mapping in the
 *           range is shared, of a file, locked, droppable or of huge pages.
 *   ENOMEM  part of the range is not mapped; the map-count limit.
 *   EAGAIN  mlockall(MCL_FUTURE) is in force and RLIMIT_MEMLOCK is reached.
 *   EPERM   a part is sealed.
 */
int vms_decommit(vms_space *space, void *address, size_t length,
		 unsigned flags);

/*
 * Name the mappings of a range, in the space's listing and, on kernels that
 * name anonymous memory, in /proc/PID/maps. name is copied; NULL takes the
 * name away. Mappings with different names stay apart, as on Linux.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL  address not on a page, a name longer than VMS_NAME_MAX, or one
 *           with a character that Linux refuses (PR_SET_VMA_ANON_NAME in
 *           prctl(2): unprintable ones and []\$`).
 *   ENOMEM  part of the range is not mapped, nothing is named; no memory for
 *           the name; the map-count limit.
 */
int vms_set_name(vms_space *space, void *address, size_t length,
		 const char *name);

#ifdef __cplusplus
}
#endif

#endif
