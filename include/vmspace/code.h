/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_CODE_H
#define VMSPACE_CODE_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Code: executable memory that is never writable and executable at one address.
 *
 * Caveats first.
 *
 * - A block of code is written at one address and runs at another, run, which is
 *   never writable (but see VMS_CODE_FLIPS). Code that is relative to its place is
 *   made for run. It may run once it is published, and not before.
 * - Where no block is, there are instructions that trap: a jump there is SIGTRAP, as
 *   is one to a block that is not written yet or was freed. Where memory has gone
 *   back as well, it is SIGSEGV.
 * - Memory of freed code goes back by the page, where no block is in a page any more;
 *   but not that of the one chunk (below) that new blocks come from, before they come
 *   from another, or vms_code_settle. Where the host has no guards for the memory of
 *   files (Linux before 6.15; locked memory) only 64 KiB and more in a row go back.
 * - Nobody may be inside of a block that is freed, nor on the way there.
 * - A thread that is told of a block by means that order memory (an atomic store with
 *   release and load with acquire, a mutex) runs what was published.
 * - With VIEWS and COPIES a pool has two descriptors. A program that closes
 *   descriptors which are not its own has its code written to other files.
 * - All calls are safe from several threads at once; a block is its owner's. None is
 *   safe from a signal handler.
 * - fork(2): the child runs what was published before, at the same addresses. The
 *   memory is shared with the parent until the child's first call that changes the
 *   pool: alloc, publish, free or seal. That call gives the child a copy of its own.
 *   Until then it is a jump into freed code where the parent has freed a block, into
 *   bytes of zero where the memory of that has gone back, or other code where the
 *   parent has put some in its place (but see
 *   VMS_CODE_COPY_AT_FORK). What is in a block that was
 *   not published at the fork is undefined in the child; it may be freed, or written
 *   anew after that first call. With VMS_CODE_FLIPS the child's memory is its own. A
 *   child made by vfork(2) or a raw clone(2) makes no calls.
 *
 * A call that fails leaves the pool and the block as they were; one that succeeds
 * leaves errno as it was.
 */

typedef struct vms_code vms_code;

/* How code comes to be in executable memory. */
enum vms_code_mode {
	/*
	 * VMS_CODE_VIEWS, or where the host refuses that, VMS_CODE_FLIPS. With
	 * VMS_CODE_PERF the other way round.
	 */
	VMS_CODE_ANY = 0,
	/*
	 * The same memory has a writable and an executable view. Publishing costs no
	 * system call. The writable view of a chunk (64 KiB to 1 MiB, as the pool
	 * grows, or as long as a larger block) is there while the chunk has blocks that are not published, and of
	 * the one chunk that new blocks come from, also after that; vms_code_settle
	 * takes it away there, too. So a published block can be written to, at its
	 * writable address, as long as its chunk is one of these.
	 */
	VMS_CODE_VIEWS = 1,
	/*
	 * The strict one: no address at which published code could be written
	 * exists. A block is written in ordinary memory, and publishing copies it,
	 * by a system call. What is written there later does not reach the code.
	 */
	VMS_CODE_COPIES = 2,
	/*
	 * One mapping: write and run are equal. A block has pages of its own, which
	 * are writable until it is published and executable from then on, by a
	 * system call each. For systems that refuse the others.
	 */
	VMS_CODE_FLIPS = 3,
};

/*
 * List named blocks in /tmp/perf-PID.map, from which perf(1) takes the names of
 * functions. It does so only for memory that is of no file, which with VIEWS and COPIES
 * code is: there other tools may find the names, and perf does not.
 */
#define VMS_CODE_PERF 0x1u

/*
 * Tell a debugger of named blocks by the interface that gdb(1) has for this
 * (__jit_debug_register_code). The program, or libvmspace.so, must have its symbol
 * table: strip(1) takes it away.
 */
#define VMS_CODE_GDB 0x2u

/*
 * A child of fork(2) has its own copy from the first, so that nothing that the parent
 * does reaches it. Each fork takes the time to copy all of the pool's memory, also
 * where the child executes another program. If there is no descriptor or memory for
 * the copy, the child is as without this flag.
 */
#define VMS_CODE_COPY_AT_FORK 0x4u

/* Options of a pool; zero in a field means its default. */
struct vms_code_options {
	/* sizeof(struct vms_code_options); lets the struct grow. */
	size_t struct_size;
	/*
	 * The space that the pool's addresses come from, which must stay open until
	 * the pool is closed. NULL: one of the pool's own.
	 */
	vms_space *space;
	/*
	 * The most code, in bytes: that many addresses are reserved, and with VIEWS
	 * and COPIES as many again. 0: 256 MiB. All code of a pool lies in one range
	 * of this length. Rounded up to a chunk.
	 */
	size_t reserve;
	enum vms_code_mode mode;
	/* VMS_CODE_* bits. */
	unsigned flags;
	/*
	 * All addresses of the pool lie at most reach bytes from near; reach 0: 2 GiB,
	 * what a call or a jump of x86-64 reaches. For code that is to reach all
	 * of a library, near is its middle and reach less by half its length. On
	 * aarch64 a call reaches 128 MiB. NULL: anywhere.
	 */
	const void *near;
	size_t reach;
	/*
	 * A budget that is charged for the pool's memory (vmspace/budget.h); it must
	 * stay open until the pool is closed. Not together with a space. NULL: none.
	 */
	struct vms_budget *budget;
};

/*
 * Open a pool.
 *
 * options   NULL for the defaults; read during the call only.
 *
 * Returns the pool, which the caller owns and gives back by vms_code_close(); NULL
 * with errno set on failure:
 *   EINVAL  struct_size is too small; an unknown mode or flag; reach without near;
 *           a budget together with a space.
 *   E2BIG   options that the library does not know are not zero (vmspace/space.h).
 *   EACCES, EPERM, ENOSYS  the host refuses the mode, or all modes: a policy of
 *           SELinux, seccomp, PaX. vms_code_problem(NULL) says what was refused.
 *   ERANGE  no free range within reach.
 *   ENOMEM  addresses, the map-count limit, memory for records.
 *   EMFILE, ENFILE  no descriptor is left; VIEWS and COPIES need two.
 *   EFBIG   RLIMIT_FSIZE is less than a page.
 *   EAGAIN  mlockall(MCL_FUTURE) is in force and RLIMIT_MEMLOCK is reached.
 * Thread-safe.
 */
vms_code *vms_code_open(const struct vms_code_options *options);

/*
 * Give a pool back, with its blocks. Nobody may run code of it, nor be on the way.
 *
 * Returns 0, also for NULL; -1 with errno set on failure, and the pool is as before:
 *   EPERM   the pool is sealed: its code stays for good.
 *   ENOMEM, EAGAIN  as vms_munmap.
 * No other call on the pool may be running or follow.
 */
int vms_code_close(vms_code *code);

/* A block of code. The struct is the caller's; the calls fill it in. */
struct vms_code_block {
	void *write;  /* where its bytes are written; NULL once it is published */
	void *run;    /* where they run */
	size_t size;  /* bytes */
};

/*
 * Get a block, on a boundary of 64 bytes (with FLIPS, of a page).
 *
 * size      bytes; not 0.
 * block     filled in. The caller writes at block->write, and then publishes or
 *           frees the block.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL  an argument is NULL; size 0.
 *   EPERM   the pool is sealed.
 *   ENOMEM  the pool is full; memory, commit, a limit or budget.
 *   EFBIG   RLIMIT_FSIZE.
 *   ENOSPC, EAGAIN and those of memfd_create(2) (in the child of a fork)  as the host
 *           says.
 */
int vms_code_alloc(vms_code *code, size_t size, struct vms_code_block *block);

/*
 * Make a block executable as it is written now, for all threads, and take its
 * writable address away as the mode says. The instruction caches are made to agree
 * with memory, and where the processor asks for it, threads that run now are made to
 * drop instructions that they have fetched ahead (membarrier(2), SYNC_CORE).
 *
 * block     before the call size may be made smaller; what lies behind goes back to
 *           the pool, in units of 64 bytes (with FLIPS, of a page). Nobody may write
 *           to the block any more. Its write is NULL afterwards.
 *
 * Returns 0; -1 with errno set on failure, and the block is not published (but may be
 * shorter):
 *   EINVAL  an argument is NULL; no such block, or it is published; size is 0 or
 *           more than was asked for, rounded up.
 *   ENOMEM, EAGAIN  what makes pages executable, or takes a view away, is refused.
 *   EACCES, EPERM  the host refuses to make the pages executable.
 *   EFBIG   as vms_code_free.
 *   and in the child of a fork those of vms_code_alloc.
 */
int vms_code_publish(vms_code *code, struct vms_code_block *block);

/*
 * Publish several blocks, with one round of membarrier(2) for all.
 *
 * Returns how many are published: count; fewer with errno set as by
 * vms_code_publish, and the blocks from there on are not.
 */
size_t vms_code_publish_many(vms_code *code, struct vms_code_block *blocks,
			     size_t count);

/*
 * Give a block back, published or not. A jump to it is SIGTRAP from now on, or SIGSEGV
 * (with FLIPS always; otherwise where the memory of its pages goes back), until its
 * place is in a block again. The struct is all zero afterwards.
 *
 * Returns 0, also for a block that is all zero; -1 with errno set on failure:
 *   EINVAL  an argument is NULL; no such block.
 *   EPERM   the pool is sealed.
 *   ENOMEM, ENOSPC, EAGAIN  the host refuses to change the memory; a part of the
 *           block may trap already.
 *   EFBIG   RLIMIT_FSIZE has become less than the pool's memory.
 *   and in the child of a fork those of vms_code_alloc.
 */
int vms_code_free(vms_code *code, struct vms_code_block *block);

/*
 * Take away the writable view also of the chunk that new blocks come from; for when
 * no code is made for a while. Blocks that are not published keep theirs. Memory of
 * pages without a block goes back.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL  code is NULL.
 *   ENOMEM, EAGAIN  the host refuses.
 */
int vms_code_settle(vms_code *code);

/*
 * Seal a pool for good: its code can be neither changed nor unmapped by anybody in
 * the process (mseal(2)), nor its memory be written through a descriptor; there are
 * no more blocks, and the pool cannot be closed.
 *
 * Returns 0, also where it is sealed; -1 with errno set on failure:
 *   EINVAL  code is NULL.
 *   EBUSY   blocks are not published.
 *   ENOSYS  the kernel has no mseal (before 6.10).
 *   EPERM   a 32-bit program.
 *   ENOMEM, EAGAIN  a view could not be taken away; memory for records. Part may be
 *           sealed then; to seal again goes on.
 *   and in the child of a fork those of vms_code_alloc.
 */
int vms_code_seal(vms_code *code);

/* The longest name of a block, in bytes, without the final 0. */
#define VMS_CODE_NAME_MAX 79

/*
 * Name a published block for perf and gdb, as the flags of the pool say; without
 * them nothing is done. A name ends with its block, for gdb; the file of perf keeps it.
 *
 * name      printable; without control characters.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL  an argument is NULL; no such block, or it is not published; a name that
 *           is empty, too long or not printable.
 *   EEXIST  the block has a name, and the pool VMS_CODE_GDB.
 *   EPERM   the file for perf is another user's, or no plain file.
 *   ENOMEM  no memory for records.
 *   and those of open(2) and write(2), of the file for perf.
 */
int vms_code_name(vms_code *code, const struct vms_code_block *block,
		  const char *name);

/*
 * What the host refused when a pool was opened, so that it has not the first mode; in
 * English, "" where nothing was. NULL: what it refused at the latest vms_code_open of
 * this thread that failed. Never NULL, never freed. Thread-safe.
 */
const char *vms_code_problem(const vms_code *code);

/* Figures of a pool, in bytes unless said otherwise. */
struct vms_code_stats {
	/* sizeof(struct vms_code_stats), set by the caller. */
	size_t struct_size;
	size_t reserved;          /* addresses for code */
	size_t mapped;            /* in chunks */
	size_t memory;            /* of them, that memory is kept for */
	size_t used;              /* in blocks, with what rounds them up */
	size_t writable;          /* of chunks, that have a writable view now */
	size_t blocks;            /* number of blocks */
	size_t unpublished;       /* of them, not published */
	size_t chunks;            /* number of chunks */
	enum vms_code_mode mode;  /* the one in force; never VMS_CODE_ANY */
	int refused;              /* errno of the first mode, if refused; or 0 */
	int sealed;               /* 1: vms_code_seal has sealed it */
	int core_sync;            /* 1: membarrier(2) has SYNC_CORE here */
	uint64_t core_syncs;      /* number of times that it was made */
	size_t metadata;          /* addresses of the pool's own records */
};

/*
 * Read the figures of a pool.
 *
 * Returns 0; -1 with errno EINVAL for a NULL argument or a struct_size that is too
 * small, E2BIG for one that is too large (vmspace/space.h). Thread-safe; the figures
 * are of one instant.
 */
int vms_code_get_stats(vms_code *code, struct vms_code_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
