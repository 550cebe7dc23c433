/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_ATTRIBUTES_H
#define VMSI_HEAP_ATTRIBUTES_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/heap.h>

/*
 * What the program does to the memory of its blocks by mprotect, madvise, mlock and
 * their kin. The preload library sees these calls and tells the heap.
 */

/*
 * Note that the program is about to give memory of the heap other rights, advice,
 * locks or a memory policy. The live blocks there are marked, and mapped anew when
 * they are freed, so that the next block finds nothing of it. Takes no lock and
 * makes no system call: a signal handler may call it.
 */
void vmsi_heap_note_changed(vms_heap *heap, uintptr_t address, size_t length);

/* Whether the heap asks for huge pages, so that MADV_HUGEPAGE changes nothing. */
bool vmsi_heap_has_huge_pages(const vms_heap *heap);

/* Bits: what the program has asked for by mlockall(2). */
/* memory of blocks may be locked: set by every mlockall */
#define VMSI_HEAP_LOCKED        (UINT32_C(1) << 0)
/* new blocks are locked (MCL_FUTURE) */
#define VMSI_HEAP_LOCK_NEW      (UINT32_C(1) << 1)
/* new blocks are locked page by page when touched (MCL_ONFAULT) */
#define VMSI_HEAP_LOCK_ON_FAULT (UINT32_C(1) << 2)

/*
 * With any of the bits the heap retains nothing, and unlocks what is freed. With
 * VMSI_HEAP_LOCK_NEW a block is committed exactly and locked, or refused if that
 * fails. Addresses that the kernel locks when they are reserved are unlocked at
 * once. A child of fork has none of the bits.
 */
void vmsi_heap_set_locking(vms_heap *heap, uint32_t locking);
uint32_t vmsi_heap_get_locking(const vms_heap *heap);

/*
 * Call act for the memory of each live block, to the end of its room. It may miss
 * blocks that other threads make or free meanwhile. act must not call the heap.
 */
void vmsi_heap_each_live(vms_heap *heap,
			 void (*act)(uintptr_t start, size_t length,
				     void *context),
			 void *context);

#endif
