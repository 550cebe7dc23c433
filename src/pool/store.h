/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_STORE_H
#define VMSI_POOL_STORE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The file under a pool. What the pool knows to be in it reaches up to bytes: what is
 * read beyond is zero, and a read below that ends early is an error, since somebody has
 * made the file shorter.
 */

enum vmsi_store_kind { VMSI_STORE_FILE, VMSI_STORE_DEVICE };

struct vmsi_store {
	int fd;
	enum vmsi_store_kind kind;
	_Atomic uint64_t bytes;
	_Atomic uint64_t reads, writes, read_errors;
};

/* Part of a batch of writes; result is 0 or -errno afterwards. */
struct vmsi_store_run {
	const char *bytes;
	size_t length;
	uint64_t offset;
	int result;
};

/* Whether a store may be written, and whether it passes the page cache. */
#define VMSI_STORE_READ_ONLY 0x1u
#define VMSI_STORE_DIRECT 0x2u

/* Open a descriptor of the store's own. Returns 0 or -errno. */
int vmsi_store_open(struct vmsi_store *store, int fd, unsigned flags);
void vmsi_store_close(struct vmsi_store *store);

/*
 * Read length bytes, which may be beyond the end: these are zero. Returns 0 or -errno,
 * -EIO where the file is shorter than it was.
 */
int vmsi_store_read(struct vmsi_store *store, char *buffer, size_t length,
		    uint64_t offset);

/* Write runs that do not overlap. Each has its own result. */
void vmsi_store_write(struct vmsi_store *store, struct vmsi_store_run *runs,
		      size_t count);

/* fdatasync(2). Returns 0 or -errno. */
int vmsi_store_sync(struct vmsi_store *store);

/* Make a file longer, if it is not so long already. Returns 0 or -errno. */
int vmsi_store_grow(struct vmsi_store *store, uint64_t bytes);

#endif
