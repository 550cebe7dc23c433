/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_OPEN_H
#define VMSI_PRELOAD_HEAP_OPEN_H

#include <stdbool.h>

#include <vmspace/heap.h>

#pragma GCC visibility push(hidden)

/*
 * The heap, to take blocks from; the first call opens it. NULL if there is none, if
 * it is being opened at this moment, or if this thread forks: then the next malloc
 * serves the block.
 */
vms_heap *vmsi_interposer_get(void);

/* The heap, for blocks that it has handed out; NULL: it is not open. */
vms_heap *vmsi_interposer_if_open(void);

/* Whether a heap was asked for and could not be had. */
bool vmsi_interposer_was_refused(void);

#pragma GCC visibility pop

#endif
