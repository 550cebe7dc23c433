/* SPDX-License-Identifier: MIT */
#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

/* Make raw system calls: a sanitizer replaces some functions of libc. */
static intptr_t answer(long result)
{
	return result == -1 ? -(intptr_t)errno : (intptr_t)result;
}

static intptr_t kernel_mmap(const struct caller *caller, void *address,
			    size_t length, int prot, int flags, int fd,
			    off_t offset)
{
	(void)caller;
	return answer(syscall(SYS_mmap, address, length, prot, flags, fd,
			      offset));
}

static intptr_t kernel_munmap(const struct caller *caller, void *address,
			      size_t length)
{
	(void)caller;
	return answer(syscall(SYS_munmap, address, length));
}

static intptr_t kernel_mremap(const struct caller *caller, void *old_address,
			      size_t old_length, size_t new_length, int flags,
			      void *new_address)
{
	(void)caller;
	return answer(syscall(SYS_mremap, old_address, old_length, new_length,
			      flags, new_address));
}

static intptr_t kernel_mprotect(const struct caller *caller, void *address,
				size_t length, int prot)
{
	(void)caller;
	return answer(syscall(SYS_mprotect, address, length, prot));
}

static intptr_t kernel_madvise(const struct caller *caller, void *address,
			       size_t length, int advice)
{
	(void)caller;
	return answer(syscall(SYS_madvise, address, length, advice));
}

static intptr_t kernel_msync(const struct caller *caller, void *address,
			     size_t length, int flags)
{
	(void)caller;
	return answer(syscall(SYS_msync, address, length, flags));
}

static intptr_t kernel_mlock(const struct caller *caller, const void *address,
			     size_t length)
{
	(void)caller;
	return answer(syscall(SYS_mlock, address, length));
}

static intptr_t kernel_mlock2(const struct caller *caller, const void *address,
			      size_t length, unsigned flags)
{
	(void)caller;
	return answer(syscall(SYS_mlock2, address, length, flags));
}

static intptr_t kernel_munlock(const struct caller *caller,
			       const void *address, size_t length)
{
	(void)caller;
	return answer(syscall(SYS_munlock, address, length));
}

static intptr_t kernel_mincore(const struct caller *caller, void *address,
			       size_t length, unsigned char *vector)
{
	(void)caller;
	return answer(syscall(SYS_mincore, address, length, vector));
}

static intptr_t kernel_mseal(const struct caller *caller, void *address,
			     size_t length, unsigned long flags)
{
	(void)caller;
	return answer(syscall(SYS_mseal, address, length, flags));
}

static intptr_t pointer_answer(void *result)
{
	return result == MAP_FAILED ? -(intptr_t)errno : (intptr_t)result;
}

static intptr_t space_mmap(const struct caller *caller, void *address,
			   size_t length, int prot, int flags, int fd,
			   off_t offset)
{
	return pointer_answer(vms_mmap(caller->space, address, length, prot,
				       flags, fd, offset));
}

static intptr_t space_munmap(const struct caller *caller, void *address,
			     size_t length)
{
	return answer(vms_munmap(caller->space, address, length));
}

static intptr_t space_mremap(const struct caller *caller, void *old_address,
			     size_t old_length, size_t new_length, int flags,
			     void *new_address)
{
	return pointer_answer(vms_mremap(caller->space, old_address,
					 old_length, new_length, flags,
					 new_address));
}

static intptr_t space_mprotect(const struct caller *caller, void *address,
			       size_t length, int prot)
{
	return answer(vms_mprotect(caller->space, address, length, prot));
}

static intptr_t space_madvise(const struct caller *caller, void *address,
			      size_t length, int advice)
{
	return answer(vms_madvise(caller->space, address, length, advice));
}

static intptr_t space_msync(const struct caller *caller, void *address,
			    size_t length, int flags)
{
	return answer(vms_msync(caller->space, address, length, flags));
}

static intptr_t space_mlock(const struct caller *caller, const void *address,
			    size_t length)
{
	return answer(vms_mlock(caller->space, address, length));
}

static intptr_t space_mlock2(const struct caller *caller, const void *address,
			     size_t length, unsigned flags)
{
	return answer(vms_mlock2(caller->space, address, length, flags));
}

static intptr_t space_munlock(const struct caller *caller, const void *address,
			      size_t length)
{
	return answer(vms_munlock(caller->space, address, length));
}

static intptr_t space_mincore(const struct caller *caller, void *address,
			      size_t length, unsigned char *vector)
{
	return answer(vms_mincore(caller->space, address, length, vector));
}

static intptr_t space_mseal(const struct caller *caller, void *address,
			    size_t length, unsigned long flags)
{
	return answer(vms_mseal(caller->space, address, length, flags));
}

static const struct caller kernel_caller = {
	.kind = CALLER_KERNEL,
	.name = "kernel",
	.mmap = kernel_mmap,
	.munmap = kernel_munmap,
	.mremap = kernel_mremap,
	.mprotect = kernel_mprotect,
	.madvise = kernel_madvise,
	.msync = kernel_msync,
	.mlock = kernel_mlock,
	.mlock2 = kernel_mlock2,
	.munlock = kernel_munlock,
	.mincore = kernel_mincore,
	.mseal = kernel_mseal,
};

static const struct caller space_caller = {
	.kind = CALLER_SPACE,
	.name = "space",
	.mmap = space_mmap,
	.munmap = space_munmap,
	.mremap = space_mremap,
	.mprotect = space_mprotect,
	.madvise = space_madvise,
	.msync = space_msync,
	.mlock = space_mlock,
	.mlock2 = space_mlock2,
	.munlock = space_munlock,
	.mincore = space_mincore,
	.mseal = space_mseal,
};

/*
 * Places to try for the window, far from where the kernel maps on machines with 47
 * or 48 bits of addresses. The lower ones are for sanitizers, which own much of the
 * rest, and for machines with 39 bits.
 */
static const uintptr_t window_places[] = {
	(uintptr_t)1 << 45, (uintptr_t)1 << 44, (uintptr_t)1 << 38,
	(uintptr_t)1 << 37, (uintptr_t)1 << 36,
};

#define WINDOW_RESIDUE ((uintptr_t)1 << 30)
#define GUARD_PAGES 16

/*
 * Map the window with a guard on both sides, then unmap its middle. The guards are
 * shared mappings of a file of their own, so that no mapping of a test merges with
 * them.
 */
static int open_window_at(struct caller *caller, char *place, int fd)
{
	size_t guard = GUARD_PAGES * caller->page;
	long got = syscall(SYS_mmap, place - guard, caller->size + 2 * guard,
			   PROT_NONE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);

	if (got == -1)
		return -errno;
	if ((char *)got != place - guard)
		return -EEXIST;
	if (syscall(SYS_munmap, place, caller->size) != 0)
		return -errno;
	caller->base = place;
	return 0;
}

static int open_window(struct caller *caller, uintptr_t residue)
{
	int fd = memfd_create("window guard", MFD_CLOEXEC);
	int result = -ENOMEM;

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < sizeof window_places / sizeof *window_places;
	     i++) {
		uintptr_t place = window_places[i] +
				  WINDOW_RESIDUE + residue % WINDOW_RESIDUE;

		result = open_window_at(caller, (char *)place, fd);
		if (result == 0)
			break;
	}
	(void)close(fd);
	return result;
}

bool kernel_moves_several(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 8 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	bool result;

	if (p == MAP_FAILED || mprotect(p, page, PROT_READ) != 0)
		return false;
	result = mremap(p, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED,
			p + 4 * page) != MAP_FAILED;
	(void)munmap(p, 8 * page);
	return result;
}

bool kernel_populates_to_hole(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	bool result;

	if (p == MAP_FAILED || munmap(p, page) != 0)
		return false;
	/* The page behind the hole would give EINVAL for its rights. */
	result = madvise(p, 2 * page, MADV_POPULATE_READ) != 0 &&
		errno == ENOMEM;
	(void)munmap(p + page, page);
	return result;
}

bool kernel_is_strict(void)
{
	int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
	char mode = '0';

	if (fd >= 0) {
		if (read(fd, &mode, 1) != 1)
			mode = '0';
		(void)close(fd);
	}
	return mode == '2';
}

static int open_space(struct caller *caller,
		      const struct vms_space_options *options)
{
	caller->space = vms_space_open(caller->size, options);
	if (caller->space == NULL)
		return -errno;
	caller->base = vms_space_base(caller->space);
	return 0;
}

int caller_open(struct caller *caller, enum caller_kind kind, size_t size,
		const struct vms_space_options *options, uintptr_t residue)
{
	*caller = kind == CALLER_KERNEL ? kernel_caller : space_caller;
	caller->size = size;
	caller->page = (size_t)sysconf(_SC_PAGESIZE);
	if (kind == CALLER_SPACE)
		return open_space(caller, options);
	return open_window(caller, residue);
}
