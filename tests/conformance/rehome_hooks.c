/* SPDX-License-Identifier: MIT */

/* Or the headers would give mmap the name of mmap64, and both are defined here. */
#undef _FILE_OFFSET_BITS

#include "rehome.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/types.h>

/*
 * The functions that a program calls. They have the manners of libc's own: a
 * failure sets errno, a success leaves it as it was.
 */

#define EXPORTED __attribute__((visibility("default")))

static void *as_pointer(long answer)
{
	if (vmsi_rehome_failed(answer)) {
		errno = (int)-answer;
		return MAP_FAILED;
	}
	return (void *)(uintptr_t)answer;
}

static int as_int(long answer)
{
	if (vmsi_rehome_failed(answer)) {
		errno = (int)-answer;
		return -1;
	}
	return (int)answer;
}

static long range_call(long number, const void *address, size_t length,
		       long argument)
{
	struct vmsi_rehome_call call = {
		.number = number,
		.address = (uintptr_t)address,
		.length = length,
		.argument = argument,
	};

	return vmsi_rehome_range(&call);
}

EXPORTED void *mmap(void *address, size_t length, int prot, int flags, int fd,
		    off_t offset)
{
	return as_pointer(vmsi_rehome_mmap((uintptr_t)address, length, prot,
					   flags, fd, (uint64_t)offset));
}

EXPORTED void *mmap64(void *address, size_t length, int prot, int flags,
		      int fd, off64_t offset)
{
	return as_pointer(vmsi_rehome_mmap((uintptr_t)address, length, prot,
					   flags, fd, (uint64_t)offset));
}

EXPORTED void *mremap(void *old_address, size_t old_length, size_t new_length,
		      int flags, ...)
{
	uintptr_t new_address = 0;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_list arguments;

		va_start(arguments, flags);
		new_address = (uintptr_t)va_arg(arguments, void *);
		va_end(arguments);
	}
	return as_pointer(vmsi_rehome_mremap((uintptr_t)old_address, old_length,
					     new_length, flags, new_address));
}

EXPORTED int munmap(void *address, size_t length)
{
	return as_int(range_call(SYS_munmap, address, length, 0));
}

EXPORTED int mprotect(void *address, size_t length, int prot)
{
	return as_int(range_call(SYS_mprotect, address, length, prot));
}

EXPORTED int pkey_mprotect(void *address, size_t length, int prot, int pkey)
{
	struct vmsi_rehome_call call = {
		.number = SYS_pkey_mprotect,
		.address = (uintptr_t)address,
		.length = length,
		.argument = prot,
		.key = pkey,
	};

	return as_int(vmsi_rehome_range(&call));
}

EXPORTED int madvise(void *address, size_t length, int advice)
{
	return as_int(range_call(SYS_madvise, address, length, advice));
}

/*
 * Gives the error number and leaves errno alone. What POSIX means by DONTNEED
 * loses no data, so libc makes it nothing at all.
 */
EXPORTED int posix_madvise(void *address, size_t length, int advice)
{
	if (advice == POSIX_MADV_DONTNEED)
		return 0;
	return (int)-range_call(SYS_madvise, address, length, advice);
}

EXPORTED int msync(void *address, size_t length, int flags)
{
	return as_int(range_call(SYS_msync, address, length, flags));
}

EXPORTED int mlock(const void *address, size_t length)
{
	return as_int(range_call(SYS_mlock, address, length, 0));
}

EXPORTED int mlock2(const void *address, size_t length, unsigned flags)
{
	return as_int(range_call(SYS_mlock2, address, length, (long)flags));
}

EXPORTED int munlock(const void *address, size_t length)
{
	return as_int(range_call(SYS_munlock, address, length, 0));
}

EXPORTED int mincore(void *address, size_t length, unsigned char *vector)
{
	return as_int(range_call(SYS_mincore, address, length,
				 (long)(uintptr_t)vector));
}
