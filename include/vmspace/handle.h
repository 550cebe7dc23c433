/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_HANDLE_H
#define VMSPACE_HANDLE_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Handles: names of mappings that survive their moves.
 *
 * A pointer into a mapping is dead when vms_mremap moves it. A handle with an
 * offset is not: it gives the current address at each use. A handle is a
 * value; copies are equal, none of them owns anything, and it lives until
 * vms_handle_close or until its memory is unmapped. It means nothing in
 * another space.
 *
 * A stale handle (closed, or its memory gone) is refused with ESTALE; in a
 * debug build of the library (meson -Dbuildtype=debug or -Ddebug_checks=true)
 * its use ends the program with a message. The old place of a mapping that has
 * moved faults until something else is mapped there; in debug builds nothing
 * is placed there for a while unless it is asked for by address.
 */
typedef struct vms_handle {
	uint64_t value;
} vms_handle;

/* The value of no handle. */
#ifdef __cplusplus
#define VMS_HANDLE_NONE (vms_handle{ 0 })
#else
#define VMS_HANDLE_NONE ((vms_handle){ 0 })
#endif

/*
 * Make a handle for [address, address + length), which must lie in mappings
 * of the space; length is rounded up to a page.
 *
 * The handle follows its first page: where vms_mremap moves or resizes the
 * range, so is the handle (with MREMAP_DONTUNMAP too); where a part from its
 * middle on goes elsewhere or is unmapped, the handle keeps what is before it.
 *
 * Returns 0 and *handle; -1 with errno set on failure:
 *   EINVAL  a NULL argument, address not on a page, length 0.
 *   EFAULT  part of the range is not mapped.
 *   EEXIST  part of the range has a handle already.
 *   ENOMEM  no memory for the handle.
 * Thread-safe.
 */
int vms_handle_open(vms_space *space, void *address, size_t length,
		    vms_handle *handle);

/*
 * The current address and length (bytes) of a handle. The address holds until
 * the next call that moves or unmaps the range; a program whose threads do
 * that while others use it must order them itself.
 *
 * Return NULL, or 0, with errno ESTALE for a stale handle or a NULL space.
 * Thread-safe; take no lock and make no system call.
 */
void *vms_handle_address(vms_space *space, vms_handle handle);
size_t vms_handle_length(vms_space *space, vms_handle handle);

/*
 * The current address of byte offset of a handle, of which length bytes are
 * wanted.
 *
 * Returns the address; NULL with errno ESTALE for a stale handle, ERANGE where
 * [offset, offset + length) is not inside it. Thread-safe; takes no lock.
 */
void *vms_handle_at(vms_space *space, vms_handle handle, size_t offset,
		    size_t length);

/*
 * Grow or shrink the range of a handle, moving it where it must:
 * vms_mremap(..., MREMAP_MAYMOVE) on it.
 *
 * length    bytes, rounded up to a page; not 0.
 *
 * Returns 0; -1 with errno ESTALE for a stale handle, or as vms_mremap.
 * Thread-safe.
 */
int vms_handle_resize(vms_space *space, vms_handle handle, size_t length);

/*
 * Forget a handle; its memory stays mapped.
 *
 * Returns 0; -1 with errno ESTALE for a stale handle. Thread-safe.
 */
int vms_handle_close(vms_space *space, vms_handle handle);

#ifdef __cplusplus
}
#endif

#endif
