/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_WHOLE_H
#define VMSI_FILE_WHOLE_H

#include <stdint.h>

#include "file/pageset.h"

struct vms_file;

/*
 * Whether what an atomic file is going to commit is there. Another process that cuts the
 * home file off takes the private pages of what it cuts, and with them what was stored
 * there; when the file is as long as before again, nothing tells of that. So the last
 * page of the home file is mapped once more, as a canary: a private page that nobody
 * stores to. Each cut that takes private pages takes it, too.
 *
 *   NONE --arm--> ALIVE --somebody cuts the file--> DEAD --refresh, rollback--> ALIVE
 *
 * It is NONE of a file without pages, while the home file is behind, and where the kernel
 * does not tell which pages are private. Guarded by the lock of the file.
 */
enum vmsi_canary_state { VMSI_CANARY_NONE, VMSI_CANARY_ALIVE, VMSI_CANARY_DEAD };

struct vmsi_canary {
	enum vmsi_canary_state state;
	uintptr_t at;          /* one page; 0: not mapped yet */
	uint64_t page;         /* of the home file */
	uint64_t loss;         /* DEAD: the count of losses with this one */
};

/* All but the last are called with the lock of the file, and all but vmsi_whole_mended
 * with `committing`. */

/* The home file has another size, or has been found whole. */
void vmsi_whole_arm(struct vms_file *file);

/* What was stored is dropped, so that none of it can be missed. */
void vmsi_whole_arm_again(struct vms_file *file);

/* A loss that somebody was told of is mended: no commit tells of it any more. */
void vmsi_whole_mended(struct vms_file *file);

/*
 * After what was written was found: zeros that stand in the place of lost pages were not
 * written. Returns 0; -EIO or -ENXIO: they were stored to.
 */
int vmsi_whole_skip_lost(struct vms_file *file);

/*
 * After the pages of a set were copied: whether all copies are of what was stored.
 * Returns 0, -EIO or -ENXIO.
 */
int vmsi_whole_check(struct vms_file *file, struct vmsi_pageset *copied);

void vmsi_whole_close(struct vms_file *file);

#endif
