/* SPDX-License-Identifier: MIT */

/* Or the headers would give mmap the name of mmap64, and both are defined here. */
#undef _FILE_OFFSET_BITS

#include "preload/heap.h"

#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/reclaim.h"
#include "host/raw.h"

/*
 * What the heap retains of freed memory goes back before a request of the
 * program is refused, whoever refuses it: a limit of the process, a group's, or
 * the host. The request is made again where something has gone back, and only
 * then: a request that is refused on demand is to fail otherwise.
 */

/* Calls of this thread that may hold locks of the heap; see heap_large.c. */
static __thread unsigned inside __attribute__((tls_model("initial-exec")));

void vmsi_front_enter(void)
{
	inside++;
}

void vmsi_front_leave(void)
{
	inside--;
}

/* No more than this are all addresses of a process. */
#define ADDRESSES ((size_t)1 << 47)

bool vmsi_front_yields(size_t bytes)
{
	/* A signal handler may have interrupted the heap. */
	if (bytes == 0 || bytes >= ADDRESSES || inside ||
	    vmsi_front_is_forking() || !vmsi_front_if_open())
		return false;
	return vmsi_reclaim(NULL, vmsi_reclaim_moment());
}

/* --- blocks of the next malloc -------------------------------------------- */

void *vmsi_front_malloc_again(size_t size)
{
	return vmsi_front_yields(size) ? vmsi_front.next.malloc(size) : NULL;
}

void *vmsi_front_calloc_again(size_t count, size_t size)
{
	size_t length;

	return !__builtin_mul_overflow(count, size, &length) &&
		       vmsi_front_yields(length) ?
		vmsi_front.next.calloc(count, size) : NULL;
}

/* To no bytes, NULL says that the block is freed. */
void *vmsi_front_realloc_again(void *block, size_t size)
{
	return vmsi_front_yields(size) ?
		vmsi_front.next.realloc(block, size) : NULL;
}

/* --- memory that the program maps itself ---------------------------------- */

/*
 * The next definitions, looked up together with the next malloc. Mallocs map
 * memory while they hold locks of their own, and a look-up could allocate: so
 * what comes before it goes to the kernel.
 */
static void *(*next_mmap)(void *, size_t, int, int, int, off_t);
static void *(*next_mremap)(void *, size_t, size_t, int, ...);
static int (*next_munmap)(void *, size_t);

void vmsi_front_find_mappings(void)
{
	next_mmap = (__typeof__(next_mmap))vmsi_front_next_function("mmap");
	next_mremap = (__typeof__(next_mremap))
		vmsi_front_next_function("mremap");
	next_munmap = (__typeof__(next_munmap))
		vmsi_front_next_function("munmap");
}

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
	if (VMSI_RELAXED(next_mmap))
		return next_mmap(address, length, prot, flags, fd, offset);
	return answer(vmsi_raw_call(SYS_mmap, (long)(uintptr_t)address,
				    (long)length, prot, flags, fd, offset));
}

static void *remap(void *old, size_t old_length, size_t length, int flags,
		   void *place)
{
	if (VMSI_RELAXED(next_mremap))
		return next_mremap(old, old_length, length, flags, place);
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
		vmsi_front_note_changed(address, length);
	memory = map(address, length, prot, flags, fd, offset);
	if (__builtin_expect(memory != MAP_FAILED, 1) ||
	    !is_for_want_of_memory() || !takes_memory(prot, flags) ||
	    !vmsi_front_yields(length))
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
	vmsi_front_note_changed(old, old_length);
	if (flags & MREMAP_FIXED)
		vmsi_front_note_changed(place, length);
	memory = remap(old, old_length, length, flags, place);
	/* In place there may just be no room, which is no want of memory. */
	if (__builtin_expect(memory != MAP_FAILED, 1) ||
	    !is_for_want_of_memory() || !(flags & MREMAP_MAYMOVE) ||
	    !vmsi_front_yields(length))
		return memory;
	errno = error;
	return remap(old, old_length, length, flags, place);
}

/* What it unmaps of a block is mapped anew when the block is freed. */
VMSI_EXPORTED int munmap(void *address, size_t length)
{
	vmsi_front_note_changed(address, length);
	if (VMSI_RELAXED(next_munmap))
		return next_munmap(address, length);
	return vmsi_front_answer(vmsi_raw_call(SYS_munmap,
					       (long)(uintptr_t)address,
					       (long)length, 0, 0, 0, 0));
}

/* --- calls that no malloc makes under its locks ------------------------------ */

/* The next definition of a function, looked up at the first call. */
static vmsi_function *find_next(vmsi_function **found, const char *name)
{
	vmsi_function *next = VMSI_RELAXED(*found);

	if (!next) {
		next = vmsi_front_next_function(name);
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
	    !vmsi_front_yields((size_t)increment))
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
	if (errno != ENOMEM || !vmsi_front_yields(1))
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

	if (child >= 0 || !is_for_want_of_memory() || !vmsi_front_yields(1))
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

	if ((error == EAGAIN || error == ENOMEM) && vmsi_front_yields(1))
		error = NEXT(pthread_create)(thread, attributes, start,
					     argument);
	return error;
}
