/* SPDX-License-Identifier: MIT */
#ifndef CALLER_H
#define CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace.h>

/*
 * The mapping calls behind one table, so that a test runs unchanged on the
 * kernel's own calls and on a space. Every call answers as an internal call
 * does: a result that is not negative, or -errno.
 */
enum caller_kind {
	CALLER_KERNEL,
	CALLER_SPACE,
};

struct caller {
	enum caller_kind kind;
	const char *name;
	vms_space *space; /* NULL: the kernel */
	/*
	 * The window: all of a space, or for the kernel a range with nothing mapped,
	 * between two mappings that nothing merges with. Its addresses are far from
	 * where the kernel places mappings by itself.
	 */
	char *base;
	size_t size;
	size_t page;
	intptr_t (*mmap)(const struct caller *caller, void *address,
			 size_t length, int prot, int flags, int fd,
			 off_t offset);
	intptr_t (*munmap)(const struct caller *caller, void *address,
			   size_t length);
	intptr_t (*mremap)(const struct caller *caller, void *old_address,
			   size_t old_length, size_t new_length, int flags,
			   void *new_address);
	intptr_t (*mprotect)(const struct caller *caller, void *address,
			     size_t length, int prot);
	intptr_t (*madvise)(const struct caller *caller, void *address,
			    size_t length, int advice);
	intptr_t (*msync)(const struct caller *caller, void *address,
			  size_t length, int flags);
	intptr_t (*mlock)(const struct caller *caller, const void *address,
			  size_t length);
	intptr_t (*mlock2)(const struct caller *caller, const void *address,
			   size_t length, unsigned flags);
	intptr_t (*munlock)(const struct caller *caller, const void *address,
			    size_t length);
	intptr_t (*mincore)(const struct caller *caller, void *address,
			    size_t length, unsigned char *vector);
	intptr_t (*mseal)(const struct caller *caller, void *address,
			  size_t length, unsigned long flags);
};

/*
 * Open a caller over a window of size bytes. options: of the space; NULL for
 * the defaults. residue: the window of the kernel's calls begins at an address
 * congruent to it modulo 1 GiB. Returns 0 or -errno.
 */
int caller_open(struct caller *caller, enum caller_kind kind, size_t size,
		const struct vms_space_options *options, uintptr_t residue);

/*
 * Return whether one mremap of this kernel moves several mappings (Linux 6.17) and
 * checks all arguments before it changes anything, as a space does on every kernel.
 */
bool kernel_moves_several(void);

/*
 * Return whether this kernel's MADV_POPULATE_READ and _WRITE end at the first hole,
 * as a space's always do.
 */
bool kernel_populates_to_hole(void);

/* Return whether vm.overcommit_memory is 2, where MAP_NORESERVE is charged. */
bool kernel_is_strict(void);

#endif
