/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_WRITE_WRITE_H
#define VMSI_POOL_WRITE_WRITE_H

#include <stdbool.h>

#include "pool/evict/evict.h"
#include "pool/pool.h"

/* What became of the pages of a batch. */
struct vmsi_outcome {
	size_t written;
	size_t clean;        /* were so already, or are not there any more */
	size_t not_durable;  /* and nobody makes it so */
	size_t failed;
	/*
	 * Somebody had them for writing, or changed them while their log was made
	 * durable: put together at the beginning of the batch, to be tried again.
	 */
	size_t again;
	bool is_full;        /* what is aside had to give up other pages for these */
	int error;           /* of the first that failed */
};

/*
 * Write the dirty pages of a batch, at most as many as the staging memory holds. The
 * batch is sorted. One thread at a time does it. Where the log of a page is not durable,
 * the program is asked first. Returns 0; -errno where nothing is written any more.
 */
int vmsi_write_batch(struct vms_pool *pool, struct vmsi_batch *batch,
		     struct vmsi_outcome *written);

/* Sort a batch, and leave out what is in it twice. */
void vmsi_write_order(struct vmsi_batch *batch);

/*
 * The changes of a page that were copied are not in the file: the first of them has this
 * number.
 */
void vmsi_write_take_back(struct vms_pool *pool, uint64_t page, uint64_t first_lsn);

/*
 * Make what was written durable. Returns 0, or -EIO for ever after one failure; or -errno
 * where a page cannot be written still that could not be written before.
 */
int vmsi_write_sync(struct vms_pool *pool);

/* The pool is closed: have the area empty, if all that was written can be made durable. */
void vmsi_write_end(struct vms_pool *pool);

#endif
