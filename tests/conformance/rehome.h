/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CONFORMANCE_REHOME_H
#define VMSI_CONFORMANCE_REHOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <vmspace/space.h>

#include "base/align.h"
#include "host/raw.h"

/*
 * libvmspace-rehome.so: sends a program's mapping calls into one process-wide
 * space where they concern memory that the space should own, and to the kernel
 * otherwise (README.md).
 *
 * A call takes the way: exported function or syscall(2) -> route (where does
 * the range lie?) -> kernel, space, or both. Everything below the exported
 * functions answers as a system call does: a result or -errno, errno alone.
 *
 * Nothing here allocates, uses stdio or looks a symbol up, and the kernel is
 * asked by raw system calls only, so no hooked call can come back to a hook.
 */

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/*
 * The space; opened by the first call of this. NULL: there is none, or it is
 * being opened at this moment (by this thread further up its stack, or by
 * another), and the kernel answers everything.
 */
struct vms_space *vmsi_rehome_space(void);

/* The addresses of the space; empty where there is none. */
struct vmsi_range vmsi_rehome_bounds(void);

/* Where a range lies with respect to the space. */
enum vmsi_rehome_place {
	VMSI_REHOME_OUTSIDE,
	VMSI_REHOME_INSIDE,
	VMSI_REHOME_STRADDLES,
};

/*
 * Where the pages that [address, address + length) touches lie. An empty range
 * and one that wraps are where their first byte is: whoever owns that refuses
 * them as Linux does.
 */
enum vmsi_rehome_place vmsi_rehome_place(uintptr_t address, size_t length);

struct vmsi_rehome_piece {
	struct vmsi_range range;
	enum vmsi_rehome_place place; /* never VMSI_REHOME_STRADDLES */
};

/*
 *            base          end
 *    --------[====space====)--------
 *       [ 0 )[     1       )[  2  )      at most three pieces, ascending
 *
 * Returns their number.
 */
size_t vmsi_rehome_split(struct vmsi_range range,
			 struct vmsi_rehome_piece pieces[3]);

/* A call on a range of mapped memory: all but mmap and mremap. */
struct vmsi_rehome_call {
	long number;       /* SYS_* */
	uintptr_t address;
	size_t length;
	long argument;     /* prot, advice, flags, or the vector of mincore */
	long key;          /* of pkey_mprotect */
};

/* What has been done; see rehome_stats.c. */
enum vmsi_rehome_event {
	VMSI_REHOME_SERVED,     /* by the space */
	VMSI_REHOME_PASSED,     /* to the kernel */
	VMSI_REHOME_STRADDLING, /* done by both */
	VMSI_REHOME_EVENTS,
};

void vmsi_rehome_stats_begin(void);
void vmsi_rehome_count(enum vmsi_rehome_event event);

/* The calls of a program, routed. */
long vmsi_rehome_mmap(uintptr_t address, size_t length, int prot, int flags,
		      int fd, uint64_t offset);
long vmsi_rehome_mremap(uintptr_t old_address, size_t old_length,
			size_t new_length, int flags, uintptr_t new_address);
long vmsi_rehome_range(const struct vmsi_rehome_call *call);

/*
 * Make a move that changes no length: [old, old + length) to new_address, each
 * of which may lie anywhere. flags as for mremap(2), with MREMAP_FIXED.
 */
long vmsi_rehome_move(uintptr_t old_address, size_t length, int flags,
		      uintptr_t new_address);

/* The same calls put to the space; their ranges lie inside it. */
long vmsi_rehome_inside_mmap(uintptr_t address, size_t length, int prot,
			     int flags, int fd, uint64_t offset);
long vmsi_rehome_inside_mremap(uintptr_t old_address, size_t old_length,
			       size_t new_length, int flags,
			       uintptr_t new_address);
long vmsi_rehome_inside_range(const struct vmsi_rehome_call *call);
long vmsi_rehome_inside_move_out(uintptr_t old_address, size_t old_length,
				 size_t new_length, int flags,
				 uintptr_t new_address);
long vmsi_rehome_inside_move_in(uintptr_t old_address, size_t old_length,
				size_t new_length, int flags,
				uintptr_t new_address);

/* Whether the call that has just failed with ENOMEM found no free range. */
bool vmsi_rehome_inside_is_full(void);

/*
 * Take a range of the space that is free, until something is mapped over it.
 * Returns its address, -EEXIST where it is not free, or another -errno.
 */
long vmsi_rehome_inside_claim(struct vmsi_range range);

/* Let a claimed range go. */
void vmsi_rehome_inside_release(struct vmsi_range range);

/* Whether any mapping in a range of the space is sealed. */
bool vmsi_rehome_inside_is_sealed(struct vmsi_range range);

/* And to the kernel. */
static inline long vmsi_rehome_kernel_mmap(uintptr_t address, size_t length,
					   int prot, int flags, int fd,
					   uint64_t offset)
{
	return vmsi_raw_call(SYS_mmap, (long)address, (long)length, prot,
			     flags, fd, (long)offset);
}

static inline long vmsi_rehome_kernel_munmap(uintptr_t address, size_t length)
{
	return vmsi_raw_call(SYS_munmap, (long)address, (long)length, 0, 0, 0,
			     0);
}

static inline long vmsi_rehome_kernel_mremap(uintptr_t old_address,
					     size_t old_length,
					     size_t new_length, int flags,
					     uintptr_t new_address)
{
	return vmsi_raw_call(SYS_mremap, (long)old_address, (long)old_length,
			     (long)new_length, flags, (long)new_address, 0);
}

static inline long
vmsi_rehome_kernel_range(const struct vmsi_rehome_call *call)
{
	return vmsi_raw_call(call->number, (long)call->address,
			     (long)call->length, call->argument, call->key, 0,
			     0);
}

/*
 * A word of flags or rights that the kernel takes as 64 bits and vms_ calls as
 * int. No kernel knows a bit above the 31st. A bit of the lower half that the
 * call does not know either stands for all of them, so that who refuses
 * unknown bits refuses these.
 */
static inline int vmsi_rehome_narrow(long word, int unknown)
{
	return (int)word | ((unsigned long)word >> 32 ? unknown : 0);
}

/* A bit that neither mremap nor mprotect knows, and one that mmap does not. */
#define VMSI_REHOME_UNKNOWN_BIT (1 << 30)
#define VMSI_REHOME_UNKNOWN_MAP_BIT (1 << 23)

/* Whether a system call's word is an error, as libc tells it. */
static inline bool vmsi_rehome_failed(long answer)
{
	return (unsigned long)answer > -4096ul;
}

#endif
