/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_H
#define VMSI_PRELOAD_HEAP_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/heap.h>

/*
 * libvmspace-heap.so: gives a program's large blocks to a vms_heap and leaves
 * the small ones to the program's own malloc, whichever that is
 * (vmspace-heap(7)).
 *
 * A call takes the way: exported function (heap_malloc.c, heap_new.c) -> the
 * next malloc, by a jump, where the block is small and not the heap's ->
 * heap_large.c otherwise. What is not known at first (the next malloc, the
 * settings, the heap) is found out by the call that needs it, because calls
 * come before any constructor of ours has run.
 */

#define VMSI_EXPORTED __attribute__((visibility("default")))
#define VMSI_COLD __attribute__((cold, noinline))
/* Not to be inlined where it would come between a small block and its jump. */
#define VMSI_APART __attribute__((noinline))

/* Ours alone, so what is declared here is reached directly. */
#pragma GCC visibility push(hidden)

/* The program's own malloc: the next definitions after ours. */
struct vmsi_interposer_next {
	void *(*malloc)(size_t size);
	void (*free)(void *block);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *block, size_t size);
	void *(*memalign)(size_t alignment, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
	int (*posix_memalign)(void **result, size_t alignment, size_t size);
	void *(*valloc)(size_t size);
	size_t (*malloc_usable_size)(void *block);
	/*
	 * NULL where the next malloc has none that belongs to it: libc's would
	 * give blocks that the next free does not know.
	 */
	void *(*pvalloc)(size_t size);
	/*
	 * Whether malloc_usable_size belongs to the next malloc. Otherwise the
	 * size of its blocks is not to be known, and they stay where they are.
	 */
	bool knows_sizes;
	/* NULL until the look-up. */
	void *(*mmap)(void *address, size_t length, int prot, int flags, int fd,
		      off_t offset);
	void *(*mremap)(void *old, size_t old_length, size_t length, int flags,
			...);
	int (*munmap)(void *address, size_t length);
};

/* What every call looks at, in one line of the cache. */
struct vmsi_interposer {
	/*
	 * The addresses of the heap. Until there is one they are such that no
	 * address of a program lies in them, whichever of the two a thread sees
	 * first.
	 */
	uintptr_t base;
	size_t length;
	size_t threshold; /* blocks from this size on are the heap's */
	/* Until it has been looked up each entry looks it up. */
	struct vmsi_interposer_next next;
};

extern struct vmsi_interposer vmsi_interposer;

/*
 * Another function by its name, to be cast to its type: the next definition
 * after ours. Looked up each time. NULL: there is none.
 */
typedef void vmsi_function(void);
vmsi_function *vmsi_interposer_next_function(const char *name);
/* Likewise, the definition that the program itself gets. */
vmsi_function *vmsi_interposer_first_function(const char *name);
/* Whether a function, or NULL, lies in the same object as the next malloc. */
bool vmsi_interposer_belongs(vmsi_function *function);

/*
 * Memory for the calls that the look-up itself makes: a few blocks that are
 * never used again.
 */
void *vmsi_interposer_early_alloc(size_t alignment, size_t size);
bool vmsi_interposer_is_early(const void *block);
size_t vmsi_interposer_early_size(const void *block);
/* Whether there is such a block. */
bool vmsi_interposer_early_used(void);

/* What the environment asks for. */
struct vmsi_interposer_settings {
	struct vms_heap_options options;
	size_t threshold; /* SIZE_MAX: no block goes to the heap */
	enum { VMSI_STATS_OFF, VMSI_STATS_STDERR, VMSI_STATS_FILE } stats;
	char stats_file[PATH_MAX];
};

#define VMSI_INTERPOSER_THRESHOLD ((size_t)128 << 10)

extern struct vmsi_interposer_settings vmsi_interposer_settings;

/* Read the environment, once; not before there is one. */
void vmsi_interposer_read_settings(void);

#define VMSI_RELAXED(variable) __atomic_load_n(&(variable), __ATOMIC_RELAXED)

/* Whether a block is the heap's. */
static inline bool vmsi_interposer_has(const void *block)
{
	uintptr_t offset =
		(uintptr_t)block - VMSI_RELAXED(vmsi_interposer.base);

	return __builtin_expect(offset < VMSI_RELAXED(vmsi_interposer.length),
				0);
}

/* Whether a block of that size is to be the heap's. */
static inline bool vmsi_interposer_wants(size_t size)
{
	return __builtin_expect(size >= VMSI_RELAXED(vmsi_interposer.threshold),
				0);
}

/*
 * The heap, to take blocks from; opened by the first call of this. NULL: there
 * is none, or it is being opened at this moment, or this thread forks, and the
 * next malloc serves everything.
 */
vms_heap *vmsi_interposer_get(void);

/* The heap of the blocks that there are; NULL: it is not open. */
vms_heap *vmsi_interposer_if_open(void);

/* Whether a heap was asked for and could not be had. */
bool vmsi_interposer_was_refused(void);

/* Whether this thread forks, so that the heap is or may be locked. */
bool vmsi_interposer_is_forking(void);
void vmsi_interposer_set_forking(bool now);

/* Keep a block of the heap that is freed meanwhile; take one; NULL: no more. */
void vmsi_interposer_free_later(void *block);
void *vmsi_interposer_take_waiting(void);

/* Register the handlers of pthread_atfork, the first time (heap_fork.c). */
void vmsi_interposer_watch_fork(void);

/*
 * Requests for large blocks, and on blocks of the heap. Each tries the heap
 * first, then the next malloc. A success leaves errno alone.
 */
VMSI_APART void *vmsi_interposer_malloc(size_t size);
VMSI_APART void *vmsi_interposer_calloc(size_t count, size_t size);
VMSI_APART void *vmsi_interposer_realloc(void *block, size_t size);

/*
 * A block of the heap alone. NULL, and errno as it was: it has none, or
 * alignment is no power of two.
 */
VMSI_APART void *vmsi_interposer_alloc(size_t size);
VMSI_APART void *vmsi_interposer_aligned_alloc(size_t alignment, size_t size);

/* As libc's: -1 with errno, or the kernel's word. */
static inline int vmsi_interposer_answer(long result)
{
	if (result >= 0)
		return (int)result;
	errno = (int)-result;
	return -1;
}

/*
 * The program is about to change memory that may be the heap's in a way that the
 * kernel keeps beyond the life of a block. Makes no system call (heap_attributes.c).
 */
void vmsi_interposer_note_changed(const void *address, size_t length);

/*
 * After a request for so many bytes was refused, by whomever but the heap:
 * whether to make it again, since the heap has given back what it retained.
 * errno stays as it is. See heap_yield.c.
 */
VMSI_COLD bool vmsi_interposer_yields(size_t bytes);

/* Make a request of the next malloc again, if so. NULL: no, or refused again. */
VMSI_COLD void *vmsi_interposer_malloc_again(size_t size);
VMSI_COLD void *vmsi_interposer_calloc_again(size_t count, size_t size);
VMSI_COLD void *vmsi_interposer_realloc_again(void *block, size_t size);

/* Around every call on the heap that may take a lock of it. They nest. */
void vmsi_interposer_enter(void);
void vmsi_interposer_leave(void);

/* A block of the heap is given back. */
VMSI_APART void vmsi_interposer_free(void *block);
VMSI_APART size_t vmsi_interposer_usable_size(const void *block);

/* Tell a user of something odd: "vmspace-heap: " and the parts, NULL last. */
__attribute__((sentinel)) void vmsi_interposer_complain(const char *part, ...);

#pragma GCC visibility pop

#endif
