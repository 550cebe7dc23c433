/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUFFER_BUFFER_H
#define VMSI_BUFFER_BUFFER_H

#include <stdint.h>

#include <vmspace/buffer.h>
#include <vmspace/mapping.h>

#include "base/align.h"

/*
 * What the files of src/buffer share. A buffer with a maximum:
 *
 *   data     size     room      committed         maximum      reserved
 *    |  used  |        |            |                 |            |
 *    |       read-write             |           PROT_NONE          |
 *
 * It begins at a huge page's boundary if at least a huge page is reserved. The
 * host would bring memory between room and committed in by a fault a page, so
 * vms_buffer_make_room populates the next part of it and raises room; where huge
 * pages are used, room is at committed at once. Without a maximum, reserved equals
 * committed, and where both are 0, data is any address.
 *
 * The invariants are in docs/invariants.md.
 */

/* Bits of vms_buffer.flags, beside VMS_BUFFER_*. */
/* it has no maximum, so it may move */
#define VMSI_BUFFER_MOVES     (UINT32_C(1) << 16)
/* no other buffer is in its space */
#define VMSI_BUFFER_OWN_SPACE (UINT32_C(1) << 17)
/* it asks for huge pages */
#define VMSI_BUFFER_HUGE      (UINT32_C(1) << 18)

/* Whether a buffer has any of these flags. */
static inline bool vmsi_buffer_has(const vms_buffer *buffer, uint32_t flags)
{
	return buffer->flags & flags;
}

/* The most bytes that a buffer may ever have in use. */
static inline size_t vmsi_buffer_limit(const vms_buffer *buffer)
{
	return vmsi_buffer_has(buffer, VMSI_BUFFER_MOVES) ?
		vms_space_size(buffer->space) : buffer->maximum;
}

/*
 * Check a buffer: every public call that is not inline begins with it. Returns 0;
 * -1 with errno EINVAL where the buffer is NULL or not initialised. Debug builds
 * check invariant B1.
 */
int vmsi_buffer_enter(const vms_buffer *buffer);

/* The space that all buffers share; NULL with errno where there is none. */
vms_space *vmsi_buffer_shared_space(void);

/* Ask for huge pages, or for small ones, as the buffer has it. It cannot fail. */
void vmsi_buffer_advise(const vms_buffer *buffer, char *start, size_t length);

/*
 * vms_munmap, which also succeeds where the host has unmapped the memory although
 * it answered an error. Returns 0; -1 and errno.
 */
int vmsi_buffer_unmap(vms_space *space, void *start, size_t length);

/*
 * Give back memory and charge of a buffer with a maximum from keep on, a multiple
 * of the page size below committed. Returns 0; -1 and errno, with nothing changed.
 */
int vmsi_buffer_uncommit(vms_buffer *buffer, size_t keep);

/*
 * Tell others which memory of a space of the program's is the buffer's, or that it is
 * elsewhere now. A buffer in a space of ours has no sign: all of that is buffers.
 */
void vmsi_buffer_tell(const vms_buffer *buffer);

/* Whether the space has mappings at all addresses of a range. */
bool vmsi_buffer_is_mapped(vms_space *space, const void *start, size_t length);

#endif
