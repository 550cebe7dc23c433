/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_SNAPSHOT_FILE_H
#define VMSI_POOL_SNAPSHOT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"

/* What parent and child do alike with the file of snapshots, its locks and its tables. */

struct vms_pool;
struct vmsi_snapshot;

enum vmsi_snapshot_part {
	VMSI_PART_SAVED,     /* by the parent */
	VMSI_PART_WRITTEN,   /* by the child */
};

/* Among the locks: the parent's; the others are the children's. */
#define VMSI_PARENT UINT32_C(1000)

/* Where a copy is, in bytes. */
uint64_t vmsi_snapshot_place(const struct vms_pool *pool, unsigned number,
			     enum vmsi_snapshot_part part, uint32_t place);

/* Read or write the file. Returns 0 or -errno. */
int vmsi_snapshot_transfer(struct vms_pool *pool, enum vmsi_io_opcode opcode, char *buffer,
			   size_t length, uint64_t offset);

/* Lock a byte for the description of fd; false: somebody has it, or it cannot be. */
bool vmsi_snapshot_lock(int fd, unsigned number);

/* Unlock it, whoever else has the description. */
void vmsi_snapshot_unlock(int fd, unsigned number);

/*
 * Whether another description has the byte's lock. Where the host does not tell, each who
 * asks takes what does no harm: nothing ends of what may live, and nothing is believed of
 * what may have ended.
 */
enum vmsi_life { VMSI_HAS_ENDED, VMSI_LIVES, VMSI_MAY_LIVE };
enum vmsi_life vmsi_snapshot_life(int fd, unsigned number);

/* Map an empty table: MAP_SHARED or MAP_PRIVATE. Returns 0 or -errno. */
long vmsi_snapshot_map(struct vms_pool *pool, struct vmsi_snapshot *snapshot, int sharing);

/* The child's half of vmsi_snapshots_close. */
void vmsi_snapshot_leave(struct vms_pool *pool);

#endif
