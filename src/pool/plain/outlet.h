/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_PLAIN_OUTLET_H
#define VMSI_POOL_PLAIN_OUTLET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How dirty pages leave a pool of memory that plain pointers store to, many by one call and
 * none protected first, which would be a call and a flush of address tables for each:
 *
 *   begin         a copy of each page is put aside, and the pages are put into a pipe, which
 *                 refers to them and has no copy
 *   (the caller)  the memory goes from its addresses: nobody stores to it any more
 *   end           the pages are read from the pipe. One that is not as its copy was stored
 *                 to in between: it is put aside again, or brought back
 *
 * Nothing is lost: what cannot be put aside does not go, and what goes is in the pipe until it
 * is read. outlet.c says what the kernel keeps to for that, and how it is found out.
 *
 * Who does this has the pool's write_lock from begin to end, and has made the pages busy.
 */
struct vmsi_outlet {
	_Atomic bool is_open;  /* else dirty pages are protected and copied one by one */
	int to_read, to_write; /* a pipe; -1: none */
	size_t most;           /* pages at a time */
	size_t bytes;          /* that are in the pipe */
};

struct vms_pool;

/* There is none yet. */
void vmsi_outlet_init(struct vmsi_outlet *outlet);

/* Where the host has no pipe for it, or the engine is another one, there is none. */
void vmsi_outlet_open(struct vms_pool *pool);

/* No page is on its way. Also in the child of a fork. */
void vmsi_outlet_close(struct vms_pool *pool);

static inline bool vmsi_outlet_is_open(const struct vmsi_outlet *outlet)
{
	return atomic_load_explicit(&outlet->is_open, memory_order_relaxed);
}

/*
 * Dirty pages, up to most of them, whose words are WRITABLE, are about to lose their memory.
 * Returns how many of them, the first ones, may do so; the others stay, and are not aside.
 * *error is why; 0: all may.
 */
size_t vmsi_outlet_begin(struct vms_pool *pool, const uint64_t *pages, size_t count,
			 int *error);

/*
 * The memory of those that begin has let go is gone, but for that of pages that stay; more
 * of them may stay afterwards.
 */
void vmsi_outlet_end(struct vms_pool *pool, const uint64_t *pages, size_t count, bool *stays);

#endif
