/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_RESIZE_H
#define VMSI_HEAP_RESIZE_H

#include <stddef.h>

#include <vmspace/heap.h>

/*
 * vms_heap_realloc if that takes neither a lock nor a system call: the block has a
 * slot of its own and stays within its room. Else returns NULL and changes
 * nothing. errno stays as it is.
 */
void *vmsi_heap_resize_in_room(vms_heap *heap, void *block, size_t size);

#endif
