/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_INSIDE_H
#define VMSI_SPACE_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/mapping.h>
#include <vmspace/space.h>

#include "base/align.h"
#include "budget/budget.h"

/*
 * What heaps and buffers need of a space besides its public calls. All that other
 * rooms may include of this one: what a space consists of is in space.h, which is
 * for the files of this room. Each call takes the lock of the space by itself.
 */

/* --- records -------------------------------------------------------------- */

/*
 * Memory for records that a stray write of the program does not reach: it has
 * guard pages around it. context is the space that counts it as its own, or
 * NULL. NULL: the host has none.
 */
void *vmsi_records_get(void *context, size_t bytes);
void vmsi_records_put(void *context, void *chunk, size_t bytes);

/* --- answers and refusals ------------------------------------------------- */

/* The convention of the public calls: 0, or -1 and errno. */
int vmsi_status(int error);

/* Say why ENOMEM; returns -ENOMEM. */
int vmsi_refuse(enum vms_refusal reason);

/* Why the latest call of this thread was refused. */
enum vms_refusal vmsi_reason(void);

/*
 * Whether to make the whole call again, after it has left the space: heaps have
 * given back memory that they retained, or the callback of the budget that has
 * refused a charge has freed something. *attempts is zero at first.
 */
bool vmsi_ask_for_room(struct vms_space *space, struct vmsi_attempts *attempts);

/* The budget that a space charges besides its own limit; NULL: none. */
struct vms_budget *vmsi_space_budget(const struct vms_space *space);

/* --- what is mapped -------------------------------------------------------- */

/*
 * Of so many bytes from an address on, how many are in its mapping; all, where
 * there is none.
 */
size_t vmsi_length_in_mapping(struct vms_space *space, uintptr_t address,
			      size_t length);

/* Whether an address is mapped. */
bool vmsi_has_mapping(struct vms_space *space, uintptr_t address);

/* Whether all of a range is. */
bool vmsi_is_mapped(struct vms_space *space, struct vmsi_range range);

/* --- operations ------------------------------------------------------------ */

/*
 * vms_mmap, but for what is asked before a refusal: whoever calls this may hold a
 * lock of rank below the space's, and asks by vmsi_ask_for_room after it has
 * released that. Returns the address or -errno.
 */
long vmsi_map(struct vms_space *space, uintptr_t address, size_t length, int prot,
	      int flags, int fd, uint64_t offset);

/*
 * vms_mprotect, but for what is asked before a refusal: whoever calls this may
 * ask by vmsi_ask_for_room, and make more again than this call. Returns 0 or
 * -errno.
 */
int vmsi_protect(struct vms_space *space, uintptr_t start, size_t length,
		 int prot);

/*
 * vms_mremap of one mapping to where nothing is mapped, at an address that is
 * aligned; the place is chosen and taken under one hold of the space's lock.
 */
void *vmsi_remap_aligned(struct vms_space *space, void *old, size_t old_length,
			 size_t new_length, size_t alignment);

/*
 * Move all that is mapped in a range to the start of target, which is at least
 * as long, or nothing. The range may have several mappings; flags: 0 or
 * MREMAP_DONTUNMAP. The caller's threads leave both ranges alone meanwhile.
 * Returns 0 or -errno: the range is as before, and all of target is a hole.
 */
int vmsi_move_range(struct vms_space *space, struct vmsi_range range,
		    struct vmsi_range target, int flags);

/* --- fork and invariants ---------------------------------------------------- */

/* Register the handlers of fork, and those of budgets, if that was not done. */
void vmsi_fork_handle(void);

/* What is wrong with a space, NULL: nothing. See docs/invariants.md. */
const char *vmsi_space_check(struct vms_space *space);

#endif
