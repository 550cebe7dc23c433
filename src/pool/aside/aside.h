/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_ASIDE_ASIDE_H
#define VMSI_POOL_ASIDE_ASIDE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/pool.h>

#include "swap/swap.h"

/*
 * Pages that a pool has put aside, into a swap store of its own: all that leave a pool of
 * memory, and those that must not be in the file yet. A page that is aside stays so when
 * it is read back, and leaves again for nothing while it is not changed. While it is not
 * dirty what is aside is the page; what is aside of a dirty page is of no use any more.
 *
 * Who puts pages aside has the pool's write_lock. Who reads or drops one has made it busy,
 * or has the lock and the page is dirty: so nobody else does anything with its place.
 */

/* The numbers of the changes of a page that is aside: as those of its slot. */
struct vmsi_aside_record {
	uint64_t first_lsn, last_lsn;
};

struct vmsi_aside {
	struct vmsi_swap *swap;            /* NULL: there is none */
	_Atomic uint32_t *places;          /* one a page: its place plus one; 0: not aside */
	struct vmsi_aside_record *records; /* one a place; NULL: nothing is kept of these */
	struct vmsi_swap_get *gets;        /* one a read in flight */
	unsigned page_shift;
};

/* What of it is in the pool's memory. */
struct vmsi_aside_plan {
	uint64_t pages;
	unsigned depth;
	bool has_records;
};

size_t vmsi_aside_bytes(const struct vmsi_aside_plan *plan);
void vmsi_aside_place(struct vmsi_aside *aside, const struct vmsi_aside_plan *plan,
		      char *start);

/* Of reads in flight: the memory that is always counted. */
size_t vmsi_aside_get_bytes(unsigned depth);

/* The places of a store for so many pages. */
uint64_t vmsi_aside_places(uint64_t pages);

/* The least RAM that a store can have. */
size_t vmsi_aside_least_ram(size_t page_size, enum vms_pool_codec codec);

/* Open the store. Its memory is placed. Returns 0 or -errno. */
int vmsi_aside_open(struct vmsi_aside *aside, const struct vms_pool_options *options,
		    uint64_t pages, size_t ram, size_t ram_most, struct vmsi_io *io);
void vmsi_aside_close(struct vmsi_aside *aside);

/* How pages are compressed. */
enum vms_pool_codec vmsi_aside_codec(const struct vmsi_aside *aside);

static inline bool vmsi_aside_has(const struct vmsi_aside *aside, uint64_t page)
{
	return aside->swap &&
		atomic_load_explicit(&aside->places[page], memory_order_relaxed) != 0;
}

/*
 * The record of a page; NULL: it is not aside. There are records. Who has not made the page
 * busy sees what was, if it is freed meanwhile.
 */
struct vmsi_aside_record *vmsi_aside_record(const struct vmsi_aside *aside, uint64_t page);

/* Read a page that is aside. Returns 0 or -errno. */
int vmsi_aside_read(const struct vmsi_aside *aside, uint64_t page, void *buffer);

/*
 * The same, for a read in flight with a number. true: *request is to be submitted, and
 * vmsi_aside_end_read says how it has ended. false: it is over, *error says how.
 */
bool vmsi_aside_begin_read(const struct vmsi_aside *aside, uint64_t page, void *buffer,
			   unsigned number, struct vmsi_io_request *request, int *error);
int vmsi_aside_end_read(const struct vmsi_aside *aside,
			const struct vmsi_io_request *request);

/*
 * Put pages aside, whose bytes are one behind the other. Those that went before are
 * replaced. Returns how many of them are aside then: the first ones. *error is why the
 * others are not, and they are as they were.
 */
size_t vmsi_aside_put(struct vmsi_aside *aside, const uint64_t *pages, const char *bytes,
		      const struct vmsi_aside_record *records, size_t count, int *error);

/* A page is not aside any more. */
void vmsi_aside_drop(struct vmsi_aside *aside, uint64_t page);

#endif
