/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_STORE_H
#define VMSI_POOL_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"
#include "pool/aside/aside.h"

/*
 * What is under a pool: a file or device; nothing, where all pages that leave are put
 * aside; or a file of which some pages are aside.
 *
 * The file under a pool. What the pool knows to be in it reaches up to bytes: what is
 * read beyond is zero, and a read below that ends early is an error, since somebody has
 * made the file shorter.
 */

enum vmsi_store_kind { VMSI_STORE_FILE, VMSI_STORE_DEVICE, VMSI_STORE_MEMORY };

/* See lane.h. */
#define VMSI_LANES 3

struct vmsi_lanes {
	unsigned count;                  /* constant: for so many there is room */
	_Atomic bool main_is_taken;      /* the store's io is somebody's lane */
	_Atomic int states[VMSI_LANES];
	struct vmsi_io *ios[VMSI_LANES]; /* NULL: not opened yet */
};

struct vmsi_store {
	int fd;                  /* -1: VMSI_STORE_MEMORY */
	enum vmsi_store_kind kind;
	struct vmsi_io *io;
	struct vmsi_lanes lanes;
	_Atomic uint64_t bytes;
	_Atomic uint64_t writes, read_errors;
	struct vmsi_aside aside;
};

/* Whether a store may be written, and whether it passes the page cache. */
#define VMSI_STORE_READ_ONLY 0x1u
#define VMSI_STORE_DIRECT 0x2u

/*
 * Open a descriptor of the store's own. Up to depth reads and writes are in flight at a
 * time. Returns 0 or -errno.
 */
int vmsi_store_open(struct vmsi_store *store, int fd, unsigned flags, unsigned depth);

/*
 * How many pages there are. Of a file the last one may be in part, since it can become
 * whole; of a device only whole ones count.
 */
uint64_t vmsi_store_pages(const struct vmsi_store *store, size_t page_size);
/* The same over nothing: as a file that is empty. */
int vmsi_store_open_memory(struct vmsi_store *store, unsigned depth);

/* Wait for all that is in flight; only close may follow. */
void vmsi_store_end(struct vmsi_store *store);
void vmsi_store_close(struct vmsi_store *store);

/* In the child of a fork: what is in flight is the parent's. Only close may follow. */
void vmsi_store_forked(struct vmsi_store *store);

/*
 * Read length bytes, which may be beyond the end: these are zero. *was_read says whether
 * the host was asked for any. Returns 0 or -errno, -EIO where the file is shorter than it
 * was.
 */
int vmsi_store_read(struct vmsi_store *store, char *buffer, size_t length,
		    uint64_t offset, bool *was_read);

/*
 * Begin to read a page, as the read in flight with that number, one of depth. true:
 * *request is to be submitted to the store's io, by a caller that may fill in its done,
 * context and is_detached, and vmsi_store_end_read is called when it has ended. false: it
 * is over already; *error is 0 or -errno.
 */
bool vmsi_store_begin_read(struct vmsi_store *store, unsigned number, char *buffer,
			   size_t length, uint64_t offset,
			   struct vmsi_io_request *request, int *error);

/* What was begun has ended. Returns as vmsi_store_read. */
int vmsi_store_end_read(struct vmsi_store *store, const struct vmsi_io_request *request);

/* What an errno of a write, as vmsi_io_status tells it, is to who wanted the write. */
int vmsi_store_write_error(int error);

/* A write of length bytes. */
struct vmsi_io_request vmsi_store_request(const struct vmsi_store *store, char *bytes,
					  size_t length, uint64_t offset);

/*
 * Write by requests that do not overlap; vmsi_io_status tells of each. ALONE: one after the
 * other, by the thread itself, which begins no other thread for it.
 */
enum vmsi_store_way { VMSI_STORE_TOGETHER, VMSI_STORE_ALONE };
void vmsi_store_write(struct vmsi_store *store, struct vmsi_io_request *requests,
		      size_t count, enum vmsi_store_way way);

/*
 * Have the kernel begin to write what it has of a range, so that a sync that follows finds
 * less to do. What comes of it the sync tells.
 */
void vmsi_store_begin_sync(const struct vmsi_store *store, uint64_t offset,
			   uint64_t length);

/* fdatasync(2). Returns 0 or -errno. */
int vmsi_store_sync(struct vmsi_store *store);

/* Make a file longer, if it is not so long already. Returns 0 or -errno. */
int vmsi_store_grow(struct vmsi_store *store, uint64_t bytes);

#endif
