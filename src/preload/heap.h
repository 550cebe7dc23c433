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
 * libvmspace-heap.so, the interposer: it gives a program's large blocks to a
 * vms_heap and leaves the small ones to the program's own malloc, whichever that
 * is (vmspace-heap(7)).
 *
 *   program --> malloc, free, ... ----- small -----> the next malloc
 *               (heap_malloc.c,   '---- large -----> heap_large.c --> vms_heap
 *                heap_new.c)
 *
 * The next malloc, the settings and the heap are found by the first call that
 * needs them, because calls come before any constructor of the library has run.
 */

#define VMSI_EXPORTED __attribute__((visibility("default")))
#define VMSI_COLD __attribute__((cold, noinline))
/* Not inlined, so that a small block passes by it with a jump. */
#define VMSI_APART __attribute__((noinline))

/* No other library sees what is declared here, so it is reached directly. */
#pragma GCC visibility push(hidden)

/* The program's own malloc: what the dynamic linker finds after this library. */
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
	 * NULL if the next malloc has none of its own: libc's would give blocks
	 * that the next free does not know.
	 */
	void *(*pvalloc)(size_t size);
	/*
	 * Whether malloc_usable_size is the next malloc's own. If not, nobody
	 * knows the size of its blocks, and they are never moved into the heap.
	 */
	bool knows_sizes;
	/* NULL until the look-up. */
	void *(*mmap)(void *address, size_t length, int prot, int flags, int fd,
		      off_t offset);
	void *(*mremap)(void *old, size_t old_length, size_t length, int flags,
			...);
	int (*munmap)(void *address, size_t length);
};

/* What every call reads; all of it that malloc and free need is one cache line. */
struct vmsi_interposer {
	/*
	 * The addresses of the heap. Until there is one, base is above all
	 * addresses of a program: no block seems to be the heap's, whichever of
	 * the two a thread sees change first.
	 */
	uintptr_t base;
	size_t length;
	size_t threshold; /* blocks from this size on are the heap's */
	/* At first each entry is a function that looks all of them up. */
	struct vmsi_interposer_next next;
};

extern struct vmsi_interposer vmsi_interposer;

/*
 * A function by its name, to be cast to its type: the next definition after that
 * of this library. It is looked up at each call. NULL: there is none.
 */
typedef void vmsi_function(void);
vmsi_function *vmsi_interposer_next_function(const char *name);
/* Likewise, the definition that the program itself gets. */
vmsi_function *vmsi_interposer_first_function(const char *name);
/* Whether a function, or NULL, lies in the same object as the next malloc. */
bool vmsi_interposer_belongs(vmsi_function *function);

/* Memory for what dlsym itself allocates: a few blocks that are never reused. */
void *vmsi_interposer_early_alloc(size_t alignment, size_t size);
bool vmsi_interposer_is_early(const void *block);
size_t vmsi_interposer_early_size(const void *block);
/* Whether any such block was handed out. */
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

/* Read the environment, once; nothing happens before libc has one. */
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
 * The heap, to take blocks from; the first call opens it. NULL if there is none, if
 * it is being opened at this moment, or if this thread forks: then the next malloc
 * serves the block.
 */
vms_heap *vmsi_interposer_get(void);

/* The heap, for blocks that it has handed out; NULL: it is not open. */
vms_heap *vmsi_interposer_if_open(void);

/* Whether a heap was asked for and could not be had. */
bool vmsi_interposer_was_refused(void);

/* Whether this thread forks, so that the heap is or may be locked. */
bool vmsi_interposer_is_forking(void);
void vmsi_interposer_set_forking(bool now);

/*
 * While this thread forks: keep a block of the heap that is freed. Afterwards: take
 * one of those blocks; NULL: no more.
 */
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

/* What libc returns for an answer of the kernel: -1 with errno, or the answer. */
static inline int vmsi_interposer_answer(long result)
{
	if (result >= 0)
		return (int)result;
	errno = (int)-result;
	return -1;
}

/*
 * The program is about to give memory, which may be the heap's, other rights,
 * advice or locks. The kernel keeps these beyond the life of a block, so the heap is
 * told. Makes no system call. (heap_attributes.c)
 */
void vmsi_interposer_note_changed(const void *address, size_t length);

/*
 * A request for so many bytes was refused, and not by the heap: make the heap give
 * back what it retains. Returns whether anything went back, so that the request is
 * worth making again. errno stays as it is. (heap_yield.c)
 */
VMSI_COLD bool vmsi_interposer_yields(size_t bytes);

/* If the heap yields, make a request of the next malloc again; NULL: refused. */
VMSI_COLD void *vmsi_interposer_malloc_again(size_t size);
VMSI_COLD void *vmsi_interposer_calloc_again(size_t count, size_t size);
VMSI_COLD void *vmsi_interposer_realloc_again(void *block, size_t size);

/* Called around every call on the heap that may take a lock of it. They nest. */
void vmsi_interposer_enter(void);
void vmsi_interposer_leave(void);

/* For blocks of the heap. */
VMSI_APART void vmsi_interposer_free(void *block);
VMSI_APART size_t vmsi_interposer_usable_size(const void *block);

/* Tell a user of something odd: "vmspace-heap: " and the parts, NULL last. */
__attribute__((sentinel)) void vmsi_interposer_complain(const char *part, ...);

#pragma GCC visibility pop

#endif
