/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_STAT_H
#define VMSPACE_STAT_H

/*
 * Figures under one name, and as JSON.
 *
 * Every kind of object has figures of its own, which vms_X_get_stats reads
 * (vms_heap_get_stats and so on). What many kinds have in common has one name here, for
 * who watches all the memory of a program: struct vms_stat, by one call a kind.
 *
 * A struct becomes JSON by vms_X_stats_to_json, and struct vms_stat by
 * vms_stat_to_json: one object without line breaks, whose members have the names of the
 * struct's members and stand in their order, struct_size left out. These calls look at
 * nothing but the struct, allocate nothing, and may be made in a signal handler. The one
 * for groups is in vmspace/group.h.
 */

#include <stddef.h>
#include <stdint.h>

#include <vmspace/budget.h>
#include <vmspace/buffer.h>
#include <vmspace/code.h>
#include <vmspace/file.h>
#include <vmspace/heap.h>
#include <vmspace/pool.h>
#include <vmspace/pool_stats.h>
#include <vmspace/ring.h>
#include <vmspace/share.h>
#include <vmspace/space.h>
#include <vmspace/stacks.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which figures are known, in vms_stat.known. The others are 0. */
#define VMS_STAT_RESERVED       0x001u
#define VMS_STAT_COMMITTED      0x002u
#define VMS_STAT_COMMITTED_PEAK 0x004u
#define VMS_STAT_LIMIT          0x008u
#define VMS_STAT_MAPPINGS       0x010u
#define VMS_STAT_REFUSALS       0x020u
#define VMS_STAT_RESIDENT       0x040u /* resident_anonymous, resident_file, swapped */

/* What many kinds of objects have, in bytes unless said otherwise. */
struct vms_stat {
	/* sizeof(struct vms_stat), set by the caller. */
	size_t struct_size;
	unsigned known;              /* VMS_STAT_*, of the figures that follow */
	uint64_t reserved;           /* addresses */
	uint64_t committed;          /* charged */
	uint64_t committed_peak;     /* the most that was ever charged */
	/*
	 * What committed may reach. Of a buffer, file or share its maximum, which is
	 * unknown where there is none; of a pool its RAM. The object's own: a budget that
	 * it is in may refuse before, and has a limit of its own.
	 */
	uint64_t limit;
	uint64_t mappings;           /* number of them in the object's own map */
	uint64_t refusals;           /* number of requests that got ENOMEM */
	/*
	 * By VMS_STAT_PAGES alone, of this process's page tables: memory that is private
	 * to it, pages of files and of memory that may be shared, and private memory that
	 * is swapped out. Zeros that were only read count nowhere, if the kernel tells
	 * them apart. Before Linux 6.15 guards of MADV_GUARD_INSTALL count as swapped.
	 */
	uint64_t resident_anonymous;
	uint64_t resident_file;
	uint64_t swapped;
};

/* Flags. */
/* Look at the pages, too; takes time in proportion to the memory in use. */
#define VMS_STAT_PAGES 0x1u

/*
 * Read the common figures of an object.
 *
 * flags  0 or VMS_STAT_PAGES. A budget has no pages.
 *
 * Stacks and code in a space of the caller's, and buffers, know no more of it than what
 * they have themselves. What a ring, share or file has is what this process has of it.
 *
 * Thread-safe, but for a buffer, which has one owner; the figures are of one instant, but
 * for those of pages, which others may change while they are looked at. A child of
 * fork(2) may ask about all that it may use.
 *
 * Return 0; -1 with errno set:
 *   EINVAL  an argument is NULL, flags has an unknown bit, or struct_size is too small.
 *   E2BIG   struct_size is too large (vmspace/space.h).
 *   EBADF   a share, ring or pool that fork(2) has left to the parent, or is closed.
 *   EMFILE, ENFILE, ENOENT, EACCES, EIO  with VMS_STAT_PAGES: /proc/self/pagemap cannot
 *           be opened or read. Nothing was written then.
 */
int vms_stat_space(vms_space *space, unsigned flags, struct vms_stat *stat);
int vms_stat_buffer(const vms_buffer *buffer, unsigned flags, struct vms_stat *stat);
int vms_stat_heap(vms_heap *heap, unsigned flags, struct vms_stat *stat);
int vms_stat_file(vms_file *file, unsigned flags, struct vms_stat *stat);
int vms_stat_share(vms_share *share, unsigned flags, struct vms_stat *stat);
int vms_stat_ring(vms_ring *ring, unsigned flags, struct vms_stat *stat);
int vms_stat_stacks(vms_stacks *stacks, unsigned flags, struct vms_stat *stat);
int vms_stat_code(vms_code *code, unsigned flags, struct vms_stat *stat);
int vms_stat_pool(vms_pool *pool, unsigned flags, struct vms_stat *stat);
int vms_stat_budget(vms_budget *budget, unsigned flags, struct vms_stat *stat);

/*
 * Write figures as JSON, as snprintf(3) does: at most size bytes with a final 0. Numbers
 * are decimal, truth values true or false, and members of an enum a word: that of its
 * name, "strict" for VMS_COMMIT_STRICT; a number that no name is of stays a number. A
 * figure of struct vms_stat that is not known is null. Members behind struct_size are
 * left out.
 *
 * buffer  NULL only with size 0.
 *
 * Return the bytes that the whole text has without the final 0; -1 with errno set:
 *   EINVAL  no figures or no buffer, or struct_size is too small.
 *   E2BIG   struct_size is too large.
 */
int vms_stat_to_json(const struct vms_stat *stat, char *buffer, size_t size);
int vms_space_stats_to_json(const struct vms_space_stats *stats, char *buffer,
			    size_t size);
int vms_buffer_stats_to_json(const struct vms_buffer_stats *stats, char *buffer,
			     size_t size);
int vms_heap_stats_to_json(const struct vms_heap_stats *stats, char *buffer,
			   size_t size);
int vms_file_stats_to_json(const struct vms_file_stats *stats, char *buffer,
			   size_t size);
int vms_share_stats_to_json(const struct vms_share_stats *stats, char *buffer,
			    size_t size);
int vms_ring_stats_to_json(const struct vms_ring_stats *stats, char *buffer,
			   size_t size);
int vms_stacks_stats_to_json(const struct vms_stacks_stats *stats, char *buffer,
			     size_t size);
int vms_code_stats_to_json(const struct vms_code_stats *stats, char *buffer,
			   size_t size);
int vms_pool_stats_to_json(const struct vms_pool_stats *stats, char *buffer,
			   size_t size);
int vms_budget_stats_to_json(const struct vms_budget_stats *stats, char *buffer,
			     size_t size);

#ifdef __cplusplus
}
#endif

#endif
