/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_POOL_H
#define VMSPACE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/pool_size.h>
#include <vmspace/pool_view.h>
#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Pools of pages: a file or block device larger than memory, or memory of which the rest
 * is compressed or in a swap file, under a limit of RAM, with an eviction and an order of
 * write-back that are the program's own.
 *
 * Caveats first.
 *
 * - A page is used between vms_pool_fix and vms_pool_unfix, and only then is it sure to
 *   be at its address. Who fixes pages and does not unfix them takes them out of the
 *   RAM that the pool has; when nothing is left that can go, vms_pool_fix answers
 *   ENOBUFS.
 * - A page that is fixed for VMS_POOL_READ has other readers, one that is fixed for
 *   VMS_POOL_WRITE has nobody else. A thread that waits for a page that it has fixed
 *   itself waits for ever. Where somebody waits to write a page, readers that come stand
 *   back until those that are there have gone; so a thread that fixes a page once more
 *   for VMS_POOL_READ may wait for a tenth of a second.
 * - vms_pool_begin fixes nothing: what is read is not to be believed, and not to be
 *   followed, before vms_pool_validate has said that it was whole.
 * - Pages that were changed are written in the background, whenever the pool needs
 *   their room, and by vms_pool_flush. Only what vms_pool_flush has answered 0 for is
 *   durable. vms_pool_close writes nothing.
 * - A log that is written ahead: give each change its log sequence number by
 *   vms_pool_dirty, and tell by vms_pool_durable how far the log is on the disk. A page
 *   is not written before the log of its last change is durable.
 * - The file is the pool's while it is open: what others write into it may be seen or
 *   not, and is lost when a page that the pool has is written. A file that was made
 *   shorter is EIO, at the next read of what was cut off.
 * - A device that answers an error to fdatasync(2) may have lost any page that was
 *   written since the last good one, and tells once only. So from then on the pool
 *   writes nothing any more, and every vms_pool_flush is EIO: open the file again,
 *   and recover it from the log.
 * - Threads: all calls are safe from several threads at once, but for vms_pool_close.
 *   None is safe from a signal handler.
 * - fork(2): the child has no pool. Its memory is not there, so that a pointer into it
 *   faults; calls answer EBADF, vms_pool_begin among them, and vms_pool_close frees
 *   what the child has of it. vms_pool_validate must not be asked there about a ticket
 *   of the parent's. By option the child has the pool as it was, and can only read:
 *   vmspace/pool_snapshot.h. The child of vfork(2) or a raw clone(2) must not use it.
 *
 * A call that fails leaves everything as it was; one that succeeds leaves errno as it
 * was.
 */

/*
 * Page n is always at the same address, n pages behind that of page 0, so that pointers
 * between pages hold while both are fixed. Without this flag a page is wherever there
 * was room for it (a frame): a miss then needs no page-table operation, which makes it
 * several times cheaper, and most of all in virtual machines.
 */
#define VMS_POOL_ADDRESSED 0x1u

/* Past the page cache: O_DIRECT of open(2). */
#define VMS_POOL_DIRECT 0x2u

/* Nothing is ever written. VMS_POOL_WRITE is refused with EACCES. */
#define VMS_POOL_READ_ONLY 0x4u

/*
 * No thread writes in the background: who needs room writes pages itself, and
 * vms_pool_flush does.
 */
#define VMS_POOL_NO_WRITER 0x8u

/* No page is torn by a stop: vmspace/pool_area.h. */
#define VMS_POOL_WHOLE_PAGES 0x40u

/*
 * A pool of memory: over nothing, fd is -1. It begins without pages, as over a file that
 * is empty, and ends with vms_pool_close. A page that was never changed is zero and takes
 * nothing. What leaves the RAM is put aside: compressed, into a part of ram, and from there
 * by larger pieces into a swap file. Numbers of a log mean nothing to it: vms_pool_dirty
 * and vms_pool_durable change nothing, and vms_pool_flush is EINVAL.
 */
#define VMS_POOL_MEMORY 0x10u

/*
 * A page whose last change has a number above what vms_pool_durable was told is never
 * written to the file, but put aside as those of VMS_POOL_MEMORY, so that what is not
 * committed yet can be more than the RAM. vms_pool_flush writes what is aside and may be
 * in the file by then. There is no callback that makes a log durable: being durable means
 * being committed here. A change without a number may be written at any time.
 */
#define VMS_POOL_NO_STEAL 0x20u

/* How pages are compressed that are put aside. */
enum vms_pool_codec {
	VMS_POOL_LZ4 = 1,
	VMS_POOL_ZSTD = 2, /* smaller, and several times slower */
	VMS_POOL_RAW = 3,  /* as they are */
};

/*
 * Make the log durable up to lsn, at least. Called when a page is to be written whose
 * last change has that number, and vms_pool_durable has not been told of it; in any
 * thread that calls the pool, or in that of the pool, without a lock of the pool; but
 * the calling thread may have pages fixed, and vms_pool_flush may have one for
 * VMS_POOL_READ. So it must not wait for a page, nor take a lock that somebody holds who
 * calls the pool. It may call vms_pool_durable and vms_pool_get_stats, and no other call
 * on this pool; it must return.
 *
 * Returns 0; -1: it is not durable, and the page is not written now.
 */
typedef int (*vms_pool_make_durable)(void *context, uint64_t lsn);

#define VMS_POOL_DEPTH_MOST 4096

struct vms_pool_snapshot;

/* Options of a pool; zero in a field means its default. */
struct vms_pool_options {
	/* sizeof(struct vms_pool_options); lets the struct grow. */
	size_t struct_size;
	/* VMS_POOL_* bits; two more are in vmspace/pool_plain.h. */
	unsigned flags;
	/*
	 * Bytes, a power of two from 4096 to 2 MiB, and no less than a page of the host.
	 * 0: the least there is.
	 */
	size_t page_size;
	/*
	 * Bytes of RAM for all that the pool has: pages, its records of them, buffers.
	 * 0: an eighth of the RAM and swap of the machine, or of what the memory cgroups
	 * of the process may have, where that is less.
	 */
	size_t ram;
	/* The most that vms_pool_set_ram may be asked for. 0: ram. */
	size_t ram_most;
	/*
	 * The most pages that there can ever be, up to 2^40: addresses are reserved for
	 * 8 bytes for each, and with VMS_POOL_ADDRESSED for all. 0: those that the file
	 * has, which cannot grow then.
	 */
	uint64_t pages;
	/* The ram is charged to it; must stay open until the pool is closed. NULL: none. */
	struct vms_budget *budget;
	/* NULL: a page waits for vms_pool_durable. */
	vms_pool_make_durable make_durable;
	void *context;
	/* Reads and writes in flight together, up to VMS_POOL_DEPTH_MOST. 0: 128. */
	unsigned depth;
	/* For listings and vms_pool_metrics: as that of vms_set_name. NULL: "pool". */
	const char *name;
	/*
	 * For VMS_POOL_MEMORY and VMS_POOL_NO_STEAL only, where pages are put aside.
	 *
	 * The swap file: a directory, for a file without a name in it; or a file, which is
	 * made with the mode 0600, or is one that an earlier run has left, whose contents
	 * are lost. It should not be in memory, as a tmpfs is. It is written by way of
	 * the page cache. NULL: none, and what is compressed must fit into swap_ram.
	 */
	const char *swap_path;
	/*
	 * The most bytes of it. 0: for all pages that there can ever be, without
	 * compression. It is as long as was needed at once, and RLIMIT_FSIZE bounds it.
	 */
	uint64_t swap_bytes;
	/*
	 * Bytes of ram for what is compressed, with the records of what is aside; it is
	 * fixed then. 0: a quarter of ram, and that of what vms_pool_set_ram says.
	 */
	size_t swap_ram;
	/* 0: VMS_POOL_LZ4; VMS_POOL_RAW where the library was built without. */
	enum vms_pool_codec swap_codec;
	/* VMS_POOL_LZ4: acceleration; VMS_POOL_ZSTD: level. 0: the fastest usual one. */
	int swap_level;
	/* What children of a fork have of it. NULL: nothing. Read during the call only. */
	const struct vms_pool_snapshot *snapshot;
	/* VMS_POOL_WHOLE_PAGES: the path of the area. NULL: without that flag only. */
	const char *area;
};

/*
 * Open a pool over a file or a block device, or of memory. The last page of a file may be
 * short; what is missing of it is zero, and is in the file when the page was written. Of a
 * device only whole pages count, and nothing is ever discarded (BLKDISCARD).
 *
 * fd        of the file, for reading and writing (VMS_POOL_READ_ONLY: reading); it stays
 *           the caller's and may be closed; VMS_POOL_MEMORY: -1. It is opened again by /proc/self/fd, so that
 *           O_APPEND and other flags of it are not the pool's. Where that is refused
 *           (no /proc, a security module, a sealed memfd) the two share a description,
 *           and an fsync(2) by the caller may take an error away that vms_pool_flush
 *           would have told.
 * options   NULL for the defaults; read during the call only.
 *
 * Returns the pool, which the caller owns and gives back by vms_pool_close(); NULL with
 * errno set on failure:
 *   EINVAL  an unknown flag; a page_size that is none; a name that vms_set_name would not
 *           take; ram is less than for 16 pages and what belongs to them, or more than
 *           ram_most; pages is less than the file has, or 0 and it has none;
 *           struct_size is too small; VMS_POOL_DIRECT, and the file system has no such;
 *           VMS_POOL_MEMORY with an fd, VMS_POOL_DIRECT or VMS_POOL_READ_ONLY, or
 *           without pages; VMS_POOL_NO_STEAL with VMS_POOL_MEMORY or
 *           VMS_POOL_READ_ONLY; make_durable with either of them; options of the swap
 *           file with none of them; an unknown codec; swap_ram is too little;
 *           swap_bytes, or RLIMIT_FSIZE, is less than for 8 pieces of the swap file,
 *           which are of 1 MiB or 4 pages at most.
 *           an area without VMS_POOL_WHOLE_PAGES, that without an area, or with VMS_POOL_MEMORY.
 *   E2BIG   options that the library does not know are not zero (vmspace/space.h).
 *   EOVERFLOW  too many pages for the versions of each to be told apart: take larger
 *           pages, or less ram_most; or more than there are addresses.
 *   EBADF   fd is not open, or not as told above (O_PATH is not).
 *   ENOTSUP it is neither a file nor a block device; the library was built without the
 *           codec.
 *   EEXIST  swap_path is a file with something else in it, or none at all.
 *   EPERM   swap_path is a file that other users may use, or that has another name.
 *   EBUSY   another pool has the swap file.
 *   ENOMEM  no addresses or memory; the budget refuses.
 *   EAGAIN  no thread can be started.
 *   EMFILE, ENFILE  no descriptor is left.
 *   ENOENT, EACCES, EPERM  it cannot be opened again (no /proc; a security module; a file
 *           that may only be added to), and VMS_POOL_DIRECT is asked for, or fd has
 *           O_APPEND and the pool writes.
 *   EIO, and others of open(2), fstat(2), lseek(2); of the swap file also of pwrite(2),
 *           ftruncate(2), fcntl(2).
 *   EBUSY, EFBIG, and EINVAL, EBADF, ENOENT for more reasons: vmspace/pool_snapshot.h.
 * With VMS_POOL_WHOLE_PAGES also EEXIST, EPERM, EBUSY, EBADMSG, ESTALE, EROFS and ENOTSUP,
 * as vmspace/pool_area.h has it.
 * Thread-safe.
 */
vms_pool *vms_pool_open(int fd, const struct vms_pool_options *options);

/*
 * Give a pool back. What was changed and not flushed is not written; the swap file is
 * made empty, but for 16 bytes by which it is known, and stays where it has a name.
 *
 * Returns 0, also for NULL; -1 with errno set on failure, and the pool is closed but for
 * its addresses: call vms_pool_close again, and nothing else:
 *   EPERM, ENOMEM  as vms_space_close.
 * No other call on the pool may be running or follow, and no page may be used any more.
 */
int vms_pool_close(vms_pool *pool);

/* --- to fix pages ---------------------------------------------------------------------- */

enum vms_pool_mode {
	VMS_POOL_READ = 1,
	VMS_POOL_WRITE = 2,
};

/*
 * Fix a page: read it if it is not there, wait for who has it otherwise, and keep it at
 * its address. VMS_POOL_WRITE makes it dirty. Up to 253 fixes for VMS_POOL_READ can be
 * on a page at a time; the next one waits. A page that was never written is zero.
 *
 * Returns its address; NULL with errno set on failure:
 *   ERANGE   there is no such page.
 *   EINVAL   an unknown mode.
 *   EACCES   VMS_POOL_WRITE of a pool that is VMS_POOL_READ_ONLY.
 *   ENOBUFS  nothing can go: all pages are fixed, or dirty and their log is not durable.
 *   ENOSPC   nothing can go, because what is aside fills its RAM and the swap file, or
 *            the disk. For VMS_POOL_READ: only where as many pages are fixed that came since
 *            as a sixty-fourth of ram has room for, from 2 to 16.
 *   ENOMEM   the RAM is used up by the records of very many pages.
 *   EIO      the page cannot be read, is not there any more, or nothing can go because
 *            pages cannot be written; or another errno of pread(2) or pwrite(2), such as
 *            ENOSPC, for the same reasons.
 *   EBADF    in the child of a fork.
 *   EBUSY    in the child of a fork that has a snapshot: it was being changed.
 */
void *vms_pool_fix(vms_pool *pool, uint64_t page, enum vms_pool_mode mode);

/*
 * The same, but never wait: neither for others nor for a read.
 *
 * Returns as vms_pool_fix; ERANGE, EINVAL, EACCES, EBADF, and:
 *   EAGAIN   the page is not there, or somebody has it.
 *   ENOSPC   VMS_POOL_WRITE of a page that is there only to be read, as what is aside fills
 *            the swap file.
 */
void *vms_pool_try_fix(vms_pool *pool, uint64_t page, enum vms_pool_mode mode);

/*
 * Undo one fix.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL   the page is not fixed.
 *   EBADF    in the child of a fork.
 * That it is the caller who has it fixed is not checked.
 */
int vms_pool_unfix(vms_pool *pool, uint64_t page);

/*
 * Make a fix for VMS_POOL_WRITE one for VMS_POOL_READ, with nobody in between.
 *
 * Returns 0; -1 with errno EINVAL, EBADF as vms_pool_unfix.
 */
int vms_pool_downgrade(vms_pool *pool, uint64_t page);

/* --- to read without fixing ------------------------------------------------------------- */

/*
 * Begin to read a page without fixing it: it is read if it is not there, and then is
 * likely, but not sure, to stay. Nothing that threads share is written, once the page
 * was begun three times.
 *
 * ticket   where to write what vms_pool_validate wants; on failure, what is never valid.
 *
 * Returns the address; NULL with errno set as by vms_pool_fix. Whatever is read there,
 * at most up to the end of the page, may be in the midst of a change, or be of another
 * page; it never faults. Copy what is to be used, and call vms_pool_validate before any
 * of it is followed, trusted as an index, or given on.
 *
 * To the memory model of C such a read is a race, unless it is made by atomic loads; the
 * compilers that are known do what is meant for memcpy and for volatile.
 */
inline const void *vms_pool_begin(vms_pool *pool, uint64_t page, uint64_t *ticket);

/*
 * Whether all that was read of a page since vms_pool_begin gave the ticket was of this
 * page and of one state of it. Never fails, and can be asked several times.
 */
inline bool vms_pool_validate(const vms_pool *pool, uint64_t page, uint64_t ticket);

/*
 * Fix a page for VMS_POOL_WRITE if it is still as it was when the ticket was given, and
 * nobody has it; never wait.
 *
 * Returns its address; NULL with errno set on failure:
 *   EAGAIN   it has changed, has gone, or somebody has it: begin again.
 *   ENOSPC   as vms_pool_try_fix.
 *   ERANGE, EACCES, EBADF  as vms_pool_fix.
 */
void *vms_pool_upgrade(vms_pool *pool, uint64_t page, uint64_t ticket);

/* What vms_pool_begin calls when it is not at once done. The same. */
const void *vms_pool_begin_slowly(vms_pool *pool, uint64_t page, uint64_t *ticket);

/* --- many pages -------------------------------------------------------------------------- */

/* The most pages of one call. */
#define VMS_POOL_MANY 256

/*
 * Begin to read pages that are not there, without waiting for them. It is a hint: what
 * there is no room for at once is left out, as are pages that do not exist.
 *
 * Returns how many reads were begun, 0 to count; -1 with errno set on failure:
 *   EINVAL   count is more than VMS_POOL_MANY.
 *   EBADF    in the child of a fork.
 */
ssize_t vms_pool_prefetch(vms_pool *pool, const uint64_t *pages, size_t count);

/*
 * Fix several pages, all or none; what must be read is in flight together. They are
 * fixed in the order of their numbers, so that two calls never wait for each other; a
 * caller that has other pages fixed must see to that itself.
 *
 * pages      in any order, without a page twice.
 * addresses  where to write the address of each, in the order of pages.
 *
 * Returns 0; -1 with errno set as by vms_pool_fix, and:
 *   EINVAL   count is more than VMS_POOL_MANY; a page is named twice.
 */
int vms_pool_fix_many(vms_pool *pool, const uint64_t *pages, void **addresses,
		      size_t count, enum vms_pool_mode mode);

/*
 * Undo one fix of each of several pages.
 *
 * Returns 0; -1 with errno EINVAL or EBADF, as vms_pool_unfix, where one was not fixed;
 * all others are unfixed.
 */
int vms_pool_unfix_many(vms_pool *pool, const uint64_t *pages, size_t count);

/* --- to write ----------------------------------------------------------------------------- */

/* As a number: whatever it is. */
#define VMS_POOL_ALL UINT64_MAX

/*
 * Give the change that the caller makes to a page its place in the log, before it is
 * unfixed: the page is not written until the log is durable up to lsn. Numbers need not
 * come in order. VMS_POOL_NO_STEAL: until it is committed it is not in the file.
 *
 * lsn      1 to UINT64_MAX - 1.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL   the page is not fixed for VMS_POOL_WRITE; lsn is 0 or UINT64_MAX.
 *   ERANGE, EBADF  as vms_pool_hint.
 */
int vms_pool_dirty(vms_pool *pool, uint64_t page, uint64_t lsn);

/*
 * Say that the log is durable up to lsn. A number below that of an earlier call changes
 * nothing. VMS_POOL_NO_STEAL: that all changes up to lsn are committed; while several
 * transactions are open, one less than the first number of any of them.
 *
 * Returns 0; -1 with errno EBADF in the child of a fork.
 */
int vms_pool_durable(vms_pool *pool, uint64_t lsn);

/*
 * Called after each batch of writes, without a lock. It may call the pool, but for
 * vms_pool_close.
 *
 * written  pages of this flush so far.
 * most     how many it will be at most.
 *
 * Returns 0; -1: give up.
 */
typedef int (*vms_pool_progress)(void *context, uint64_t written, uint64_t most);

/*
 * Write every page that has a change with a number up to lsn, or that has changes without
 * a number only, and make the file durable (fdatasync). Pages that somebody has fixed for
 * VMS_POOL_WRITE are waited for: the caller must have none. Changes that are made
 * meanwhile may be written or not.
 *
 * progress  NULL: none.
 *
 * Returns 0; -1 with errno set on failure, and whatever is not on the disk stays dirty:
 *   EINVAL    the pool is of memory.
 *   EAGAIN    the log of a page is not durable, and there is no callback, or it said so.
 *   EIO, ENOSPC, EDQUOT, EFBIG, EPERM  a page cannot be written; the others are. No
 *             SIGXFSZ is raised.
 *   EIO       the file cannot be made durable, now or earlier: see the caveats.
 *   ECANCELED the progress callback gave up.
 *   EBADF     in the child of a fork.
 */
int vms_pool_flush(vms_pool *pool, uint64_t lsn, vms_pool_progress progress,
		   void *context);

/* --- the calls that are inline; the library has each as a function, too ------------------------ */

inline const void *vms_pool_begin(vms_pool *pool, uint64_t page, uint64_t *ticket)
{
	const struct vms_pool_view *view = VMS_POOL_VIEW(pool);
	uint64_t word = 0;

	if (page < __atomic_load_n(&view->pages, __ATOMIC_RELAXED))
		word = __atomic_load_n(&view->words[page], __ATOMIC_ACQUIRE);
	/* There, as hot as can be, and nobody is alone: one comparison for all three. */
	if ((word & VMS_POOL_WORD_LOW) - VMS_POOL_WORD_READY >= VMS_POOL_WORD_ALONE) {
		/* So that the compiler can keep the ticket of the other way in a register. */
		uint64_t slow = UINT64_MAX;
		const void *address = vms_pool_begin_slowly(pool, page, &slow);

		*ticket = slow;
		return address;
	}
	*ticket = word;
	/* Where the address does not depend on the word, it need not wait for it. */
	if (view->page_mask)
		return view->memory + (page << view->page_shift);
	return view->memory +
		(((word >> VMS_POOL_WORD_SLOT_SHIFT) & view->slot_mask) <<
		 view->page_shift);
}

inline bool vms_pool_validate(const vms_pool *pool, uint64_t page, uint64_t ticket)
{
	const struct vms_pool_view *view = VMS_POOL_VIEW(pool);
	uint64_t word;

	/* What was read before is read before the word is. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	word = __atomic_load_n(&view->words[page], __ATOMIC_RELAXED);
	/* As nearly always, when nobody else uses the page. */
	if (word == ticket)
		return true;
	/* The version is the same, so that the page was there all the time. */
	return ((word ^ ticket) >> VMS_POOL_WORD_SLOT_SHIFT) == 0 &&
		(word & VMS_POOL_WORD_LOCK) < VMS_POOL_WORD_ALONE;
}

#ifdef __cplusplus
}
#endif

#endif
