/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_REQUEST_H
#define VMSI_HEAP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include <vmspace/heap.h>

/*
 * One request of a program for a block. Whatever runs out on the way to the
 * block answers that there is no memory, up to the public call, which then asks
 * for memory and makes the whole request again: a block that was freed meanwhile
 * serves it without any new memory.
 *
 *	vmsi_request_begin();
 *	do
 *		block = ...
 *	while (!block && vmsi_request_again(heap, size));
 *
 * The request is the calling thread's; one that a callback makes in between is
 * apart.
 */

void vmsi_request_begin(void);

/*
 * After a refusal: whether to make a request for so many bytes again. What heaps
 * retain has been given back, or a callback of the budget that refused has made
 * room.
 */
bool vmsi_request_again(vms_heap *heap, size_t bytes);

/* Note what vmsi_protect said to the request; 0: nothing is refused so far. */
void vmsi_request_note(int error);

#endif
