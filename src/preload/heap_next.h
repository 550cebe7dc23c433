/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_NEXT_H
#define VMSI_PRELOAD_HEAP_NEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

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

/* At first each entry is a function that looks all of them up. */
extern struct vmsi_interposer_next vmsi_interposer_next;

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

#pragma GCC visibility pop

#endif
