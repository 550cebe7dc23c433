/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_ATTRIBUTES_H
#define VMSI_HEAP_ATTRIBUTES_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/heap.h>

/*
 * What the program does to the memory of its blocks by calls of its own. The
 * preload library sees these calls and tells the heap.
 */

/*
 * The program is about to give memory of the heap other rights, advice, locks or
 * a memory policy. The live blocks that have some of it are marked, and get new
 * memory when they are freed: the next owner finds nothing of it. Takes no lock
 * and makes no system call, so a signal handler may call it.
 */
void vmsi_heap_note_changed(vms_heap *heap, uintptr_t address, size_t length);

/* Whether the heap asks for huge pages: MADV_HUGEPAGE changes nothing then. */
bool vmsi_heap_has_huge_pages(const vms_heap *heap);

/* What the program has asked for by mlockall(2). Bits. */
enum vmsi_heap_locking {
	/* Memory that was there may be locked. */
	VMSI_HEAP_LOCKED = 1,
	/* Blocks that are made from now on are locked (MCL_FUTURE). */
	VMSI_HEAP_LOCK_NEW = 2,
	/* They are locked page by page when they are touched (MCL_ONFAULT). */
	VMSI_HEAP_LOCK_ON_FAULT = 4,
};

/*
 * With any of the bits the heap retains nothing, and what is freed is unlocked.
 * With VMSI_HEAP_LOCK_NEW each block is committed exactly and locked; one that
 * cannot be locked is refused. No reserved address is ever locked for long. A
 * child of fork has none of the bits.
 */
void vmsi_heap_set_locking(vms_heap *heap, unsigned locking);
unsigned vmsi_heap_get_locking(const vms_heap *heap);

/*
 * Call act for the memory of each live block, up to the end of its room. Blocks
 * that other threads make or free meanwhile may be missed. act must not call the
 * heap.
 */
void vmsi_heap_each_live(vms_heap *heap,
			 void (*act)(uintptr_t start, size_t length,
				     void *context),
			 void *context);

#endif
