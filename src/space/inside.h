/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_INSIDE_H
#define VMSI_SPACE_INSIDE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/mapping.h>
#include <vmspace/space.h>

#include "base/align.h"
#include "budget/budget.h"
#include "space/signs.h"

/*
 * What heaps and buffers need of a space besides its public calls. No other
 * header of src/space may be included elsewhere. Each call takes the space's
 * lock itself.
 */

/* --- records -------------------------------------------------------------- */

/*
 * Map memory for records, between guard pages, so that a program that writes
 * past its own memory does not reach it. context is the space whose figures
 * count it, or NULL. Returns NULL if the host has none.
 */
void *vmsi_records_get(void *context, size_t bytes);
void vmsi_records_put(void *context, void *chunk, size_t bytes);

/* --- answers and refusals ------------------------------------------------- */

/* The convention of the public calls: 0, or -1 and errno. */
int vmsi_status(int error);

/* Note why this thread's call is refused. Returns -ENOMEM. */
int vmsi_refuse(enum vms_refusal reason);

/* Why this thread's latest call on a space was refused. */
enum vms_refusal vmsi_reason(void);

/*
 * After a call was refused and has released the space's lock: ask heaps to give
 * back what they retain, and the callbacks of the budget that has refused, to
 * free something. Returns whether any did, so that the whole call should be
 * made again. *attempts is zero at first.
 */
bool vmsi_ask_to_give_back(struct vms_space *space,
			   struct vmsi_attempts *attempts);

/*
 * The same at the end of each call, whatever its result: whether to make it again. One that
 * is over tells callbacks where it has passed a soft limit.
 */
static inline bool vmsi_try_again(struct vms_space *space, long result,
				  struct vmsi_attempts *attempts)
{
	if (result == -ENOMEM && vmsi_ask_to_give_back(space, attempts))
		return true;
	vmsi_budget_tell_early();
	return false;
}

/* The budget that a space charges besides its own limit; NULL: none. */
struct vms_budget *vmsi_space_budget(const struct vms_space *space);

/* --- names ---------------------------------------------------------------- */

/*
 * Tell others what a space is that was just opened for something else, and what that
 * is called: "" or NULL: nothing. Longer names lose their beginning. The caller holds
 * no lock of the rank of the registry's or above.
 */
void vmsi_space_tell(vms_space *space, enum vmsi_sign_kind kind,
		     const char *name);

/*
 * The same of a part of a space that the program has opened: others take what lies
 * there for that, and no more for the space, whose name it has where name is NULL. The
 * sign is the caller's, zeroed at first, and stays where it is until
 * vmsi_space_tell_no_more, which may be called of one that was never told.
 */
void vmsi_space_tell_part(vms_space *space, struct vmsi_space_sign *sign,
			  struct vmsi_range part, enum vmsi_sign_kind kind,
			  const char *name);
void vmsi_space_tell_no_more(struct vmsi_space_sign *sign);

/*
 * A sign for what has no memory of its own to keep one in, zeroed; NULL where there is
 * no memory. put also tells no more of it, and does nothing for NULL.
 */
struct vmsi_space_sign *vmsi_space_sign_get(void);
void vmsi_space_sign_put(struct vmsi_space_sign *sign);

/* --- what is mapped -------------------------------------------------------- */

/*
 * How many of the length bytes from an address on are in the mapping that holds
 * it; all of them if no mapping does.
 */
size_t vmsi_length_in_mapping(struct vms_space *space, uintptr_t address,
			      size_t length);

bool vmsi_has_mapping(struct vms_space *space, uintptr_t address);

/* Whether all of a range is mapped. */
bool vmsi_is_mapped(struct vms_space *space, struct vmsi_range range);

/* --- operations ------------------------------------------------------------ */

/*
 * vms_mmap, but for what is asked before a refusal: whoever calls this may hold a
 * lock of rank below the space's, and asks by vmsi_ask_to_give_back after it has
 * released that. Returns the address or -errno.
 */
long vmsi_mmap(struct vms_space *space, uintptr_t address, size_t length, int prot,
	      int flags, int fd, uint64_t offset);

/*
 * vms_mprotect without vmsi_ask_to_give_back: the caller asks, and makes its
 * whole request again. Returns 0 or -errno.
 */
int vmsi_protect(struct vms_space *space, uintptr_t start, size_t length,
		 int prot);

/*
 * Move and resize one mapping, to an aligned address that the space chooses in
 * a hole. The lock is held throughout, so that nobody else takes the place.
 */
void *vmsi_remap_aligned(struct vms_space *space, void *old, size_t old_length,
			 size_t new_length, size_t alignment);

/*
 * Move a range, which has one or several mappings and no hole, to the start of
 * target, which is at least as long. flags: 0 or MREMAP_DONTUNMAP. No other
 * thread may use either range meanwhile. Returns 0; or -errno, and then nothing
 * has moved and all of target is a hole.
 */
int vmsi_move_range(struct vms_space *space, struct vmsi_range range,
		    struct vmsi_range target, int flags);

/* --- common figures ------------------------------------------------------------ */

struct vms_stat;
struct vmsi_page_places;

/* Whether arguments of a call that fills in stat make sense. Returns 0 or -errno. */
int vmsi_stat_check(const void *object, unsigned flags, const struct vms_stat *stat);

/* The end of such a call: where there is no error, stat gets what is known. */
int vmsi_stat_give(int error, const struct vms_stat *known, struct vms_stat *stat);

/*
 * The figures of an object that has the space for itself. The caller holds no lock.
 * Returns 0 or -errno.
 */
int vmsi_stat_of_space(struct vms_space *space, unsigned flags, struct vms_stat *known);

/*
 * With VMS_STAT_PAGES add the pages of a range of the space. The caller holds no lock.
 * Returns 0; or -errno, and known is as before.
 */
int vmsi_stat_pages(struct vms_space *space, struct vmsi_range range, unsigned flags,
		    struct vms_stat *known);

/* The same for who knows better than the space where there are pages. */
int vmsi_stat_places(const struct vmsi_page_places *places, unsigned flags,
		     struct vms_stat *known);

/* --- fork and invariants ---------------------------------------------------- */

/* Register the fork handlers of budgets and of spaces, at the first call. */
void vmsi_fork_handle(void);

/* The invariant (docs/invariants.md) that a space breaks; NULL: none. */
const char *vmsi_space_check(struct vms_space *space);

#endif
