/* SPDX-License-Identifier: MIT */

/* Or the headers would give mmap the name of mmap64, and both are defined here. */
#undef _FILE_OFFSET_BITS

#include "preload/heap_again.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "host/raw.h"
#include "preload/answer.h"
#include "preload/heap_attributes.h"
#include "preload/heap_next.h"
#include "preload/heap_range.h"
#include "preload/heap_yield.h"
#include "preload/marks.h"

/*
 * Calls that take memory and not by way of the heap. One that is refused is made
 * again if the heap has yielded (heap_yield.c).
 */

/* --- blocks of the next malloc -------------------------------------------- */

void *vmsi_interposer_malloc_again(size_t size)
{
	return vmsi_interposer_yields(size) ? vmsi_interposer_next.malloc(size)
					    : NULL;
}

void *vmsi_interposer_calloc_again(size_t count, size_t size)
{
	size_t length;

	return !__builtin_mul_overflow(count, size, &length) &&
		       vmsi_interposer_yields(length) ?
		vmsi_interposer_next.calloc(count, size) : NULL;
}

/* For 0 bytes the heap does not yield: NULL says that the block is freed. */
void *vmsi_interposer_realloc_again(void *block, size_t size)
{
	return vmsi_interposer_yields(size) ?
		vmsi_interposer_next.realloc(block, size) : NULL;
}

/* --- memory that the program maps itself ---------------------------------- */

/*
 * Until the next definitions have been looked up, the kernel is called. They are
 * looked up together with the next malloc, because mallocs map memory while they
 * hold locks of their own, and a look-up could allocate.
 */
static void *answer(long result)
{
	if (result >= 0 || result < -4095)
		return (void *)result;
	errno = (int)-result;
	return MAP_FAILED;
}

static void *map(void *address, size_t length, int prot, int flags, int fd,
		 off_t offset)
{
	if (VMSI_RELAXED(vmsi_interposer_next.mmap))
		return vmsi_interposer_next.mmap(address, length, prot, flags,
						 fd, offset);
	return answer(vmsi_raw_call(SYS_mmap, (long)(uintptr_t)address,
				    (long)length, prot, flags, fd, offset));
}

static void *remap(void *old, size_t old_length, size_t length, int flags,
		   void *place)
{
	if (VMSI_RELAXED(vmsi_interposer_next.mremap))
		return vmsi_interposer_next.mremap(old, old_length, length,
						   flags, place);
	return answer(vmsi_raw_call(SYS_mremap, (long)(uintptr_t)old,
				    (long)old_length, (long)length, flags,
				    (long)(uintptr_t)place, 0));
}

/* Locked memory beyond its limit is EAGAIN, and the heap's may be locked. */
static bool is_for_want_of_memory(void)
{
	return errno == ENOMEM || errno == EAGAIN;
}

/* Whether a mapping takes memory, and not addresses only. */
static bool takes_memory(int prot, int flags)
{
	return (prot & PROT_WRITE) && (flags & (MAP_PRIVATE | MAP_ANONYMOUS));
}

VMSI_EXPORTED void *mmap(void *address, size_t length, int prot, int flags,
			 int fd, off_t offset)
{
	const int error = errno;
	void *memory;

	if (flags & MAP_FIXED)
		vmsi_interposer_note_changed(address, length);
	memory = map(address, length, prot, flags, fd, offset);
	if (__builtin_expect(memory != MAP_FAILED, 1) ||
	    !is_for_want_of_memory() || !takes_memory(prot, flags) ||
	    !vmsi_interposer_yields(length))
		return memory;
	errno = error;
	return map(address, length, prot, flags, fd, offset);
}

VMSI_EXPORTED void *mmap64(void *address, size_t length, int prot, int flags,
			   int fd, off_t offset)
{
	return mmap(address, length, prot, flags, fd, offset);
}

VMSI_EXPORTED void *mremap(void *old, size_t old_length, size_t length,
			   int flags, ...)
{
	const int error = errno;
	void *place = NULL, *memory;

	if (flags & ~MREMAP_MAYMOVE) {
		va_list rest;

		va_start(rest, flags);
		place = va_arg(rest, void *);
		va_end(rest);
	}
	vmsi_interposer_note_changed(old, old_length);
	if (flags & MREMAP_FIXED)
		vmsi_interposer_note_changed(place, length);
	memory = remap(old, old_length, length, flags, place);
	/* In place there may just be no room, which is no want of memory. */
	if (__builtin_expect(memory != MAP_FAILED, 1) ||
	    !is_for_want_of_memory() || !(flags & MREMAP_MAYMOVE) ||
	    !vmsi_interposer_yields(length))
		return memory;
	errno = error;
	return remap(old, old_length, length, flags, place);
}

/* What it unmaps of a block is mapped anew when the block is freed. */
VMSI_EXPORTED int munmap(void *address, size_t length)
{
	vmsi_interposer_note_changed(address, length);
	if (VMSI_RELAXED(vmsi_interposer_next.munmap))
		return vmsi_interposer_next.munmap(address, length);
	return vmsi_interposer_answer(vmsi_raw_call(SYS_munmap,
					       (long)(uintptr_t)address,
					       (long)length, 0, 0, 0, 0));
}

/* --- calls that no malloc makes under its locks ------------------------------ */

/* The next definition of a function, looked up at the first call. */
static vmsi_function *find_next(vmsi_function **found, const char *name)
{
	vmsi_function *next = VMSI_RELAXED(*found);

	if (!next) {
		next = vmsi_interposer_next_function(name);
		__atomic_store_n(found, next, __ATOMIC_RELAXED);
	}
	return next;
}

#define NEXT(name) ((__typeof__(name) *)find_next(&next_##name, #name))

/* --- the break ------------------------------------------------------------- */

/* libc's malloc moves the break by a call inside libc, which is not seen here. */
VMSI_EXPORTED void *sbrk(intptr_t increment)
{
	static vmsi_function *next_sbrk;
	const int error = errno;
	void *before = NEXT(sbrk)(increment);

	if (before != MAP_FAILED || increment <= 0 || errno != ENOMEM ||
	    !vmsi_interposer_yields((size_t)increment))
		return before;
	errno = error;
	return NEXT(sbrk)(increment);
}

VMSI_EXPORTED int brk(void *end)
{
	static vmsi_function *next_brk;
	const int error = errno;

	if (NEXT(brk)(end) == 0)
		return 0;
	if (errno != ENOMEM || !vmsi_interposer_yields(1))
		return -1;
	errno = error;
	return NEXT(brk)(end);
}

/* --- children and threads -------------------------------------------------- */

/* A child has all that its parent has, what is retained as well. */
VMSI_EXPORTED pid_t fork(void)
{
	static vmsi_function *next_fork;
	const int error = errno;
	pid_t child = NEXT(fork)();

	if (child >= 0 || !is_for_want_of_memory() ||
	    !vmsi_interposer_yields(1))
		return child;
	errno = error;
	return NEXT(fork)();
}

/* A thread's stack is mapped by a call inside libc, which is not seen here. */
VMSI_EXPORTED int pthread_create(pthread_t *thread,
				 const pthread_attr_t *attributes,
				 void *(*start)(void *), void *argument)
{
	static vmsi_function *next_pthread_create;
	int error = NEXT(pthread_create)(thread, attributes, start, argument);

	if ((error == EAGAIN || error == ENOMEM) && vmsi_interposer_yields(1))
		error = NEXT(pthread_create)(thread, attributes, start,
					     argument);
	return error;
}
