/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_REQUEST_H
#define VMSI_HEAP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include <vmspace/heap.h>

/*
 * A request is a public call of a program for a block. If a slot or memory is
 * refused, all functions return NULL or -ENOMEM up to the public call. That has
 * memory given back and makes the whole request again, since a block that was freed
 * meanwhile may serve it without new memory.
 *
 *	vmsi_request_begin();
 *	do
 *		block = ...
 *	while (!block && vmsi_request_again(heap, size));
 *
 * Each thread has one request; a callback that it calls may make others.
 */

void vmsi_request_begin(void);

/*
 * After a refusal, have heaps give back what they retain, or ask the callback of
 * the budget that refused. Returns whether memory was given back, so that the
 * request for so many bytes is worth making again.
 */
bool vmsi_request_again(vms_heap *heap, size_t bytes);

/* Note what vmsi_protect answered: a refusal, or 0, which forgets the last one. */
void vmsi_request_note(int error);

#endif
