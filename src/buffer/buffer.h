/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUFFER_BUFFER_H
#define VMSI_BUFFER_BUFFER_H

#include <vmspace/buffer.h>
#include <vmspace/mapping.h>

#include "base/align.h"

/*
 * The buffer room. A buffer with a maximum:
 *
 *   data     size     room      committed         maximum      reserved
 *    |  used  |        |            |                 |            |
 *    |       read-write             |           PROT_NONE          |
 *
 * It begins on a huge page's boundary where it is that long. Between room and
 * committed lies what the host would have to fault in page by page; with huge
 * pages, so from 2 MiB on, there is none of it. Without a maximum all that is reserved is
 * committed, and data is some address as long as that is nothing.
 *
 * The invariants are in docs/invariants.md.
 */

/* Bits of flags beside those of the contract. */
enum vmsi_buffer_flags {
	VMSI_BUFFER_MOVES = 0x10000,     /* no maximum */
	VMSI_BUFFER_OWN_SPACE = 0x20000, /* the space is the buffer's alone */
	VMSI_BUFFER_HUGE = 0x40000,      /* the host gives huge pages */
};

static inline bool vmsi_buffer_has(const vms_buffer *buffer,
				   enum vmsi_buffer_flags flag)
{
	return buffer->flags & (unsigned)flag;
}

/* The most bytes that may ever be in use. */
static inline size_t vmsi_buffer_limit(const vms_buffer *buffer)
{
	return vmsi_buffer_has(buffer, VMSI_BUFFER_MOVES) ?
		vms_space_size(buffer->space) : buffer->maximum;
}

/*
 * What every call that is no inline one does first. Returns 0; -1 with errno
 * EINVAL where the buffer is NULL or not initialised. In debug builds a buffer
 * that is not sound ends the program.
 */
int vmsi_buffer_enter(const vms_buffer *buffer);

/* The space that all buffers share; NULL with errno where there is none. */
vms_space *vmsi_buffer_shared_space(void);

/* Ask for huge pages, or for none; a host that has no such thing is no failure. */
void vmsi_buffer_advise(const vms_buffer *buffer, char *start, size_t length);

/*
 * vms_munmap, but that it also succeeds where the host took the memory away and
 * then failed. Returns 0; -1 and errno.
 */
int vmsi_buffer_unmap(vms_space *space, void *start, size_t length);

/*
 * Give back memory and commit of a buffer with a maximum from keep on, which is
 * on a page and below committed. Returns 0; -1 and errno, with nothing changed.
 */
int vmsi_buffer_uncommit(vms_buffer *buffer, size_t keep);

/* Whether all of a range is mapped in the space. */
bool vmsi_buffer_is_mapped(vms_space *space, const void *start, size_t length);

#endif
