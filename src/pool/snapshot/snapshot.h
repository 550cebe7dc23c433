/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_SNAPSHOT_SNAPSHOT_H
#define VMSI_POOL_SNAPSHOT_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/pool_snapshot.h>

#include "pool/snapshot/saved.h"

/*
 * vmspace/pool_snapshot.h: the child of a fork has the pool as it was at the fork.
 *
 * The child has the kernel's copies of all that is in memory. What is not there it reads
 * from the file, which the parent goes on writing: so, while such a child lives, the
 * parent first saves what is in the file of each page that it writes, in a file that is
 * made for that, and notes it in a table in shared memory. The child reads the file
 * and then looks at the table: whatever was not there by then had not been written when
 * it was read. Pages that were dirty at the fork have their state in no file; the child
 * writes them to the same file when it needs their room, with a table of its own.
 *
 *   the file:  | saved for 0 | written by 0 | saved for 1 | written by 1 | ...
 *   each part has capacity pages
 *
 * Locks of open file descriptions tell who lives. Of the file's bytes from LOCKS on
 * (snapshot.c) the first is the parent's, and one is of each child's. The child has its
 * description from the parent, which has locked it before the fork.
 *
 * The states of a place among live[], and who changes them:
 *
 *            before fork, by who forks, with write_lock
 *   is_used false ---------------------------------------> is_used true
 *        ^                                                      |
 *        +------------------------------------------------------+
 *            by who writes, or forks, with write_lock: the child's lock is free
 */

struct vms_pool;

#define VMSI_SNAPSHOTS VMS_POOL_SNAPSHOTS

/* What parent and child share, before the entries of the table. */
struct vmsi_snapshot_head {
	/* Something was written to the file, or may be, that was not saved before. */
	_Atomic uint32_t is_lost;
};

/* A child's snapshot, to its parent. */
struct vmsi_snapshot {
	bool is_used;
	int fd;                    /* of the child's description; -1 but in a fork */
	struct vmsi_snapshot_head *head;
	struct vmsi_saved saved;
	uint64_t pages;            /* that there were */
};

struct vmsi_snapshots {
	/* The parent's: written when the pool is opened. */
	_Atomic bool is_wanted;
	int fd;
	uint32_t capacity;
	char *buffer;
	size_t buffer_bytes;
	size_t table_bytes;

	/* Under write_lock. */
	struct vmsi_snapshot live[VMSI_SNAPSHOTS];
	_Atomic unsigned count;
	_Atomic uint64_t pages_saved;

	/* In a fork: the place of the child that is made, or -1; and why there is none. */
	bool is_forking;
	int forked;
	int error;

	/* In the child. */
	_Atomic bool can_wake;     /* it has a snapshot, and has not used it */
	bool is_child;
	struct vmsi_snapshot own;  /* what it has written itself */
};

/*
 * What is saved by this, and how much there may be of it for each child. Returns 0 or
 * -errno.
 */
int vmsi_snapshots_open(struct vms_pool *pool, int fd, uint64_t bytes);

/* Children can go on with what they have. In a child: give all back. */
void vmsi_snapshots_close(struct vms_pool *pool);

/* The host's calls around a fork; in between write_lock and lock are held. */
void vmsi_snapshot_before_fork(struct vms_pool *pool);
void vmsi_snapshot_in_parent(struct vms_pool *pool);
void vmsi_snapshot_in_child(struct vms_pool *pool);

/* Before pages are written to the pool's file; under write_lock. */
void vmsi_snapshot_save(struct vms_pool *pool, const uint64_t *pages, size_t count);

/* --- in the child ------------------------------------------------------------------------------- */

/* Read a page that is not in memory, as it was at the fork. Returns 0 or -errno. */
int vmsi_snapshot_read(struct vms_pool *pool, uint64_t page, char *buffer);

struct vmsi_copies;

/* Write copies of pages that were dirty at the fork; a run for each. Under write_lock. */
void vmsi_snapshot_write(struct vms_pool *pool, struct vmsi_copies *copies);

#endif
