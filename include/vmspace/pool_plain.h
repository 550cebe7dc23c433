/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_POOL_PLAIN_H
#define VMSPACE_POOL_PLAIN_H

#include <stddef.h>

#include <vmspace/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of vms_pool_open. */

/*
 * Any load or store of any thread works, by plain pointers and without a call: page n is
 * always at the same address, as with VMS_POOL_ADDRESSED, and comes when it is touched
 * (vms_pool_base). All calls work besides.
 * vms_pool_open refuses it with EINVAL together with VMS_POOL_NO_WRITER or a snapshot: in
 * the child a page that is not there could only be zero, and not an error.
 */
#define VMS_POOL_TRANSPARENT 0x100u

/*
 * With VMS_POOL_TRANSPARENT: a thread of the pool brings pages that are touched, one by
 * one, and not the thread that touches them, in its handler of SIGBUS. For programs whose
 * threads have SIGBUS blocked, or that install a handler of their own later. Without
 * VMS_POOL_TRANSPARENT it is EINVAL.
 */
#define VMS_POOL_SERVED 0x200u

/*
 * Pages of a pool by their addresses; and by plain pointers, without a call.
 *
 * In a pool that is VMS_POOL_TRANSPARENT:
 *
 * - A load or store of a page that is not there waits until it is read. A page that
 *   cannot be read, or for which nothing can go, is a SIGBUS with BUS_ADRERR and the
 *   address, as with mmap(2); so is what lies behind the last page, up to the most pages
 *   of the options. A store into a pool that is VMS_POOL_READ_ONLY is a SIGSEGV.
 * - With VMS_POOL_MEMORY a page that leaves is put aside, and is brought from there when it
 *   is touched again; one that was never stored to is zero. What is damaged in the swap
 *   file, or cannot be read, is a SIGBUS and never zero; so is a touch that needs room when
 *   the swap file is full. With VMS_POOL_NO_STEAL what plain pointers have stored to a page
 *   goes aside with its changes, where these are not committed, and to the file otherwise.
 * - What was stored so is written at any time: it has no number, and waits for no log.
 *   Changes that a log must come before are made between vms_pool_fix for VMS_POOL_WRITE
 *   and vms_pool_unfix, and given a number by vms_pool_dirty; a page that has both waits
 *   for its numbers, and vms_pool_flush writes it by them. vms_pool_flush with
 *   VMS_POOL_ALL writes all.
 * - Fixes keep each other out, and the eviction and the writing of a page; they keep no
 *   plain load or store out. vms_pool_validate sees changes by who has a page fixed only.
 *   What vms_pool_begin has given is read as any plain pointer is.
 * - A system call that is given a pointer to a page which is not there, or to one that is
 *   clean and which it would store to, answers EFAULT: use vms_pool_pin.
 * - The uses of a page that is there are not seen: a page goes by when it came, later if
 *   it has come back before, and by vms_pool_hint.
 * - The fault is handled in the thread, in a handler of SIGBUS (of SIGSEGV: see enum
 *   vms_pool_faults), with all signals blocked; so handlers of signals may touch the pool,
 *   also while the thread is in a call on the pool, whose signals wait where they must. The
 *   handler is installed with the first such pool and needs up to 12 KiB of stack besides
 *   what the kernel puts there: more than SIGSTKSZ where sigaltstack(2) is used. What is not
 *   of a pool goes to the handler that was there before. A program that installs another
 *   one later has to call the earlier one on; if it does not, the pool's pages cannot be
 *   touched.
 * - A thread that has SIGBUS blocked when it touches a page that is not there ends the
 *   program: the kernel sets the action back to its default. VMS_POOL_SERVED is for these.
 *   With that a page which cannot come is a SIGBUS with BUS_MCEERR_AR, or with BUS_ADRERR
 *   where the kernel was built without CONFIG_MEMORY_FAILURE. It stays so until
 *   vms_pool_fix has read it; also behind the last page, where vms_pool_grow has made it
 *   one since.
 * - The callback make_durable is called by calls on the pool and by the thread that
 *   writes, and never in a fault: a touch waits for that thread. So VMS_POOL_NO_WRITER is refused.
 * - The memory is made MADV_DONTFORK and MADV_UNMERGEABLE, and has to stay so. With
 *   VMS_POOL_MEMORY the pool has two more descriptors, of a pipe, where it can have them.
 * - fork(2): a touch is a SIGSEGV in the child.
 */

/*
 * The address of page 0, with VMS_POOL_ADDRESSED or VMS_POOL_TRANSPARENT; page n is n
 * pages behind it.
 *
 * Returns it; NULL with errno set on failure:
 *   EINVAL   pages have no address of their own.
 *   EBADF    in the child of a fork.
 */
void *vms_pool_base(vms_pool *pool);

/*
 * Have pages stay at their addresses, from that of the byte at address to that of the last
 * of length bytes: each is fixed, as by vms_pool_fix with mode. System calls may read from
 * there then, and with VMS_POOL_WRITE store there. Pages are fixed in the order of their
 * addresses; two pins that overlap in one thread, one of them for VMS_POOL_WRITE, wait for
 * each other for ever.
 *
 * Returns 0, also for length 0; -1 with errno set as by vms_pool_fix, and nothing is
 * pinned:
 *   ERANGE   some of it is in no page.
 *   EINVAL   as vms_pool_base; or an unknown mode.
 */
int vms_pool_pin(vms_pool *pool, const void *address, size_t length,
		 enum vms_pool_mode mode);

/*
 * Undo one pin of the same bytes.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL   a page was not fixed, and all others are unfixed; or as vms_pool_base.
 *   ERANGE   as vms_pool_pin.
 *   EBADF    in the child of a fork.
 */
int vms_pool_unpin(vms_pool *pool, const void *address, size_t length);

#ifdef __cplusplus
}
#endif

#endif
