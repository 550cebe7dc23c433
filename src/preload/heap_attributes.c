/* SPDX-License-Identifier: MIT */
#include "preload/heap_attributes.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <vmspace/heap.h>
#include <vmspace/mapping.h>

#include "base/mman.h"
#include "heap/attributes.h"
#include "host/raw.h"
#include "preload/answer.h"
#include "preload/heap_forking.h"
#include "preload/heap_open.h"
#include "preload/heap_range.h"
#include "preload/heap_yield.h"
#include "preload/marks.h"

/*
 * The calls by which a program gives its memory other rights, advice, locks or a
 * memory policy. The kernel keeps these with the mapping, beyond the life of a
 * block, so the heap is told of the blocks in question. The calls go on to the
 * kernel as they are: they may come from a signal handler, which must take no lock.
 */

static bool overlaps(uintptr_t address, size_t length)
{
	const uintptr_t base = VMSI_RELAXED(vmsi_interposer.base);

	return address - base < VMSI_RELAXED(vmsi_interposer.length) ||
		base - address < length;
}

/* mlock takes any address and locks all of its page; the heap knows that. */
void vmsi_interposer_note_changed(const void *address, size_t length)
{
	const uintptr_t start = (uintptr_t)address;
	vms_heap *heap;

	if (__builtin_expect(!overlaps(start, length), 1))
		return;
	heap = vmsi_interposer_if_open();
	if (heap)
		vmsi_heap_note_changed(heap, start, length);
}

/* Make a call of the kernel that takes an address, a length and a number. */
static int call_kernel(long number, const void *address, size_t length,
		       long last)
{
	return vmsi_interposer_answer(
		vmsi_raw_call(number, (long)(uintptr_t)address, (long)length,
			      last, 0, 0, 0));
}

/* Memory that becomes writable is charged, and may be refused (heap_again.c). */
VMSI_EXPORTED int mprotect(void *address, size_t length, int prot)
{
	const int error = errno;

	/* All blocks are readable and writable anyway. */
	if (prot != (PROT_READ | PROT_WRITE))
		vmsi_interposer_note_changed(address, length);
	if (call_kernel(SYS_mprotect, address, length, prot) == 0)
		return 0;
	if (errno != ENOMEM || !(prot & PROT_WRITE) ||
	    !vmsi_interposer_yields(length))
		return -1;
	errno = error;
	return call_kernel(SYS_mprotect, address, length, prot);
}

VMSI_EXPORTED int pkey_mprotect(void *address, size_t length, int prot,
				int pkey)
{
	if (pkey == -1)
		return mprotect(address, length, prot);
	vmsi_interposer_note_changed(address, length);
	return vmsi_interposer_answer(
		vmsi_raw_call(SYS_pkey_mprotect, (long)(uintptr_t)address,
			      (long)length, prot, pkey, 0, 0));
}

/* Whether the kernel keeps an advice with the mapping. */
static bool advice_stays(const vms_heap *heap, int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_DOFORK:
	case MADV_KEEPONFORK:
	case MADV_DODUMP:
	case MADV_UNMERGEABLE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_DONTNEED_LOCKED:
	case MADV_COLLAPSE:
		return false;
	case MADV_HUGEPAGE:
		return !vmsi_heap_has_huge_pages(heap);
	default:
		return true;
	}
}

/*
 * Whether the heap's space is to make the call. It must know of memory that a child
 * of fork will not get, since it keeps the addresses reserved in the child. While
 * this thread forks the space is locked and cannot be called.
 */
static bool is_for_space(uintptr_t address, size_t length, int advice)
{
	const uintptr_t offset = address - VMSI_RELAXED(vmsi_interposer.base);
	const size_t all = VMSI_RELAXED(vmsi_interposer.length);

	return (advice == MADV_DONTFORK || advice == MADV_DOFORK) &&
		offset < all && length <= all - offset &&
		!vmsi_interposer_is_forking();
}

static int advise_in_heap(vms_heap *heap, void *address, size_t length,
			  int advice)
{
	if (advice_stays(heap, advice))
		vmsi_heap_note_changed(heap, (uintptr_t)address, length);
	if (is_for_space((uintptr_t)address, length, advice))
		return vms_madvise(vms_heap_space(heap), address, length,
				   advice);
	return call_kernel(SYS_madvise, address, length, advice);
}

VMSI_EXPORTED int madvise(void *address, size_t length, int advice)
{
	vms_heap *heap = overlaps((uintptr_t)address, length) ?
		vmsi_interposer_if_open() : NULL;

	if (heap)
		return advise_in_heap(heap, address, length, advice);
	return call_kernel(SYS_madvise, address, length, advice);
}

VMSI_EXPORTED int mlock(const void *address, size_t length)
{
	vmsi_interposer_note_changed(address, length);
	return call_kernel(SYS_mlock, address, length, 0);
}

VMSI_EXPORTED int mlock2(const void *address, size_t length, unsigned flags)
{
	vmsi_interposer_note_changed(address, length);
	return call_kernel(SYS_mlock2, address, length, flags);
}

/* libnuma's. */
VMSI_EXPORTED long mbind(void *address, unsigned long length, int mode,
			 const unsigned long *nodes, unsigned long node_count,
			 unsigned flags);

VMSI_EXPORTED long mbind(void *address, unsigned long length, int mode,
			 const unsigned long *nodes, unsigned long node_count,
			 unsigned flags)
{
	vmsi_interposer_note_changed(address, length);
	return vmsi_interposer_answer(vmsi_raw_call(
		SYS_mbind, (long)(uintptr_t)address, (long)length, mode,
		(long)(uintptr_t)nodes, (long)node_count, flags));
}
