/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_ATTRIBUTES_H
#define VMSI_PRELOAD_HEAP_ATTRIBUTES_H

#include <stddef.h>

#pragma GCC visibility push(hidden)

/*
 * The program is about to give memory, which may be the heap's, other rights,
 * advice or locks. The kernel keeps these beyond the life of a block, so the heap is
 * told. Makes no system call.
 */
void vmsi_interposer_note_changed(const void *address, size_t length);

#pragma GCC visibility pop

#endif
