/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_REQUEST_H
#define VMSI_HEAP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include <vmspace/heap.h>

/*
 * One request of a program for a block. Whatever runs out on the way answers
 * NULL or -ENOMEM, up to the public call. That asks for memory and makes the
 * request again from the start, as a block that was freed meanwhile may serve it
 * without any new memory.
 *
 *	vmsi_request_begin();
 *	do
 *		block = ...
 *	while (!block && vmsi_request_again(heap, size));
 *
 * Each thread has one request; one that a callback makes in between does not
 * disturb it.
 */

void vmsi_request_begin(void);

/*
 * After a refusal: make heaps give back what they retain, or ask the callback of
 * the budget that has refused. Returns whether that has made room, so that a
 * request for so many bytes is worth making again.
 */
bool vmsi_request_again(vms_heap *heap, size_t bytes);

/* Note what vmsi_protect answered; 0: the request is not refused so far. */
void vmsi_request_note(int error);

#endif
