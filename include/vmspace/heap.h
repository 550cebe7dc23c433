/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_HEAP_H
#define VMSPACE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A heap for large blocks.
 *
 * Caveats first.
 *
 * - It is made for blocks of about 64 KiB and more. A block takes at least a
 *   whole step of its size class, so small ones waste memory.
 * - vms_heap_realloc never copies: a block grows in the addresses that are kept
 *   free behind it, and when these are used up its page tables move.
 * - Freed memory is retained for the next block, within a limit, and goes back to
 *   the system by age. There is no thread for that: the calls that make, resize
 *   and free blocks, and vms_heap_collect, look at ages. Without any of these
 *   calls nothing goes back.
 * - Blocks that grow get huge pages if the system has them. A block that does not
 *   grow gets small pages, so that one which is touched here and there holds the
 *   touched pages alone; unless the system gives huge pages to any memory, or the
 *   program was seen to fill such blocks.
 * - The heap takes its addresses from a space of its own. They count in full
 *   against RLIMIT_AS; if that does not allow them, the heap takes fewer.
 * - If the program changes a block's memory by mprotect, madvise, mlock, mbind or
 *   their kin, it must undo that before it frees the block, or the next block gets
 *   it: make the memory readable and writable, DOFORK, KEEPONFORK, DODUMP, unlock
 *   it. (The preload library does that for the program.) mlockall(2) with
 *   MCL_CURRENT counts all of the heap's addresses against RLIMIT_MEMLOCK;
 *   vms_heap_open(3) tells what to do.
 * - Several threads may make calls at once, but not two calls on one block. No
 *   call is safe from a signal handler. fork(2): the child has its own copy of the
 *   heap. vfork(2) shares the parent's.
 * - A program that frees a block twice, or a pointer into a block, or one that the
 *   heap does not own, is ended with a message.
 */

typedef struct vms_heap vms_heap;

/* Options of a heap; zero in a field means its default. */
struct vms_heap_options {
	/* sizeof(struct vms_heap_options); lets the struct grow. */
	size_t struct_size;
	/*
	 * Bytes of addresses. 0: 16 TiB, or the largest power of two, down to
	 * 256 MiB, that is at most a quarter of what can be had; half, where
	 * that is less than 2 GiB. With less than 64 GiB no block can be larger
	 * than 64 MiB.
	 */
	size_t reserve;
	/*
	 * The most bytes of freed memory that are retained for the next block.
	 * 0: an eighth of the machine's RAM and swap. VMS_HEAP_RETAIN_NONE: none.
	 * Besides, no more is retained than was in use lately, or 64 MiB. All
	 * goes back before a request of the library is refused: by a budget that
	 * the heap is under, by the host, or by a limit of the process.
	 *
	 * Other freed memory goes back with its charge. A freed block of up to 1
	 * MiB leaves a hole between its neighbours then; with more holes than an
	 * eighth of vm.max_map_count, its memory goes back and its charge stays.
	 */
	size_t retain;
	/*
	 * Milliseconds after which retained memory becomes reclaimable: the
	 * system may take it when it is short of memory (MADV_FREE); and after
	 * which it is given back. 0: 1,000 and 10,000. VMS_HEAP_NEVER: not by age.
	 */
	unsigned reclaimable_after;
	unsigned give_back_after;
	/* VMS_HEAP_* bits. */
	unsigned flags;
	/*
	 * A budget that is charged what the heap commits, as committed of its
	 * figures tells (vmspace/budget.h); it must stay open until the heap is
	 * closed. NULL: none.
	 */
	struct vms_budget *budget;
};

#define VMS_HEAP_RETAIN_NONE SIZE_MAX
#define VMS_HEAP_NEVER (~0u)

/* Never ask for huge pages. */
#define VMS_HEAP_NO_HUGE_PAGES 0x1u

/*
 * Make a heap.
 *
 * options   NULL for the defaults; read during the call only.
 *
 * Returns the heap, which the caller owns and gives back by vms_heap_close();
 * NULL with errno set on failure:
 *   EINVAL  struct_size is too small; unknown flags; a reserve that cannot be
 *           rounded up to whole pages.
 *   E2BIG   options that the library does not know are not zero
 *           (vmspace/space.h).
 *   ENOMEM  there are fewer addresses than 256 MiB for the heap and as many for
 *           the program; RLIMIT_AS, the map-count limit; no memory for records.
 * Thread-safe.
 */
vms_heap *vms_heap_open(const struct vms_heap_options *options);

/*
 * Give a heap back with all its blocks. No other call on it may be running or
 * follow. NULL is ignored.
 */
void vms_heap_close(vms_heap *heap);

/*
 * A block of size bytes, aligned to at least 4096 bytes; its contents are
 * undefined. A size of 0 is taken as 1.
 *
 * Returns the block, which the caller gives back by vms_heap_free(); NULL with
 * errno ENOMEM: the size is too large, no addresses are left, the commit is
 * refused, or a limit of the host is reached. There may be as many blocks of more
 * than 1 MiB as a quarter of vm.max_map_count, so that the program can map more.
 */
void *vms_heap_malloc(vms_heap *heap, size_t size);

/*
 * A block of count * size bytes that are zero. Returns as vms_heap_malloc;
 * ENOMEM also where the product overflows.
 */
void *vms_heap_calloc(vms_heap *heap, size_t count, size_t size);

/*
 * A block whose address is a multiple of alignment, a power of two. Returns as
 * vms_heap_malloc; EINVAL where alignment is no power of two.
 */
void *vms_heap_aligned_alloc(vms_heap *heap, size_t alignment, size_t size);

/*
 * Change the size of a block; its address may change. Bytes beyond the old size
 * are undefined. block NULL: as vms_heap_malloc. A size of 0 is taken as 1.
 *
 * Returns the block; NULL with errno ENOMEM, and the block is as before. An
 * alignment that was asked for is kept only while the block stays in place.
 */
void *vms_heap_realloc(vms_heap *heap, void *block, size_t size);

/* Give a block back. NULL is ignored. errno stays as it is. */
void vms_heap_free(vms_heap *heap, void *block);

/*
 * The bytes of a block that may be used, at least what was asked for. 0 for
 * NULL.
 */
size_t vms_heap_usable_size(const vms_heap *heap, const void *block);

/* Whether an address lies in the heap's range: two comparisons. Never fails. */
bool vms_heap_owns(const vms_heap *heap, const void *address);

/*
 * Give retained memory back that is older than give_back_after, and make that
 * older than reclaimable_after reclaimable; or with VMS_HEAP_COLLECT_ALL give all
 * of it back. Returns the number of bytes whose memory was given back.
 */
#define VMS_HEAP_COLLECT_ALL 0x1u
size_t vms_heap_collect(vms_heap *heap, unsigned flags);

/* Figures of a heap, in bytes unless said otherwise. */
struct vms_heap_stats {
	/* sizeof(struct vms_heap_stats), set by the caller. */
	size_t struct_size;
	size_t reserved;          /* addresses */
	size_t live;              /* asked for, in blocks that are not freed */
	size_t blocks;            /* number of blocks that are not freed */
	size_t committed;         /* charged */
	size_t committed_peak;    /* the most that was ever charged */
	size_t retained;          /* freed and kept for the next blocks */
	size_t resident;          /* in memory; counted by the call */
	uint64_t allocations;     /* number of blocks ever made */
	uint64_t grown_in_place;  /* number of growths at the same address */
	uint64_t moves;           /* number of growths that moved page tables */
	uint64_t moved_bytes;     /* bytes that were moved and not copied */
	uint64_t given_back;      /* bytes whose memory went back, over all time */
	uint64_t refusals;        /* number of requests that got ENOMEM */
};

/*
 * The figures of a heap. Returns 0; -1 with errno set: EINVAL for a NULL
 * argument or a struct_size that is too small, E2BIG for one that is too large
 * (vmspace/space.h). Costs time in proportion to the memory in use.
 */
int vms_heap_get_stats(vms_heap *heap, struct vms_heap_stats *stats);

/* The space of a heap, for listings. It lives as long as the heap. */
vms_space *vms_heap_space(const vms_heap *heap);

#ifdef __cplusplus
}
#endif

#endif
