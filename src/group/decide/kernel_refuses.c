/* SPDX-License-Identifier: MIT */
#include "group/decide/kernel_refuses.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "group/pages.h"

#define MAP_KIND 0x0fu

#ifndef SHM_HUGETLB
#define SHM_HUGETLB 04000
#endif

/* On every kernel the addresses of programs have at least so many bits. */
#define LOWEST_END_BITS 38

/* Some processors have tags in addresses, which some calls take off. */
#define MAY_BE_TAGGED(address) ((address) >> 56)

/* --- addresses ------------------------------------------------------------ */

/*
 * Whether a program can have a mapping at an address; there may be one. By the
 * system call itself: the mmap of a sanitizer refuses addresses that it does
 * not know.
 */
static bool can_be_mapped(uint64_t address, size_t page)
{
	const long got = syscall(SYS_mmap, address, page, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				 MAP_FIXED_NOREPLACE, -1, 0);

	if (got == -1)
		return errno == EEXIST;
	munmap((void *)got, page);
	return (uint64_t)got == address;
}

/*
 * Some processors have addresses that programs get only if they ask for them,
 * so the highest are tried first.
 */
uint64_t vmsi_addresses_end(void)
{
	const size_t page = vmsi_page_bytes();

	for (int bits = 62; bits >= LOWEST_END_BITS; bits--)
		if (can_be_mapped(1ull << bits, page))
			return 2ull << bits;
	return UINT64_MAX;
}

/* --- calls ---------------------------------------------------------------- */

static bool is_odd(uint64_t address)
{
	return address & ((uint64_t)vmsi_page_bytes() - 1);
}

static bool is_beyond(uint64_t address, uint64_t length, uint64_t end)
{
	return length > end || address > end - length;
}

/* Whether a length is 0, or wraps round when it is rounded up. */
static bool is_no_length(uint64_t length)
{
	return length == 0 ||
		length > UINT64_MAX - (uint64_t)vmsi_page_bytes() + 1;
}

static bool refuses_mmap(const struct seccomp_data *call, uint64_t end)
{
	const uint64_t address = call->args[0], length = call->args[1];
	const uint64_t flags = call->args[3];

	if (is_no_length(length) || length > end || is_odd(call->args[5]))
		return true;
	if ((flags & MAP_KIND) == 0)
		return true;
	if (!(flags & MAP_ANONYMOUS) && (int)call->args[4] < 0)
		return true;
	return (flags & MAP_FIXED) &&
		(is_odd(address) || is_beyond(address, length, end));
}

/*
 * A range that ends too high is none of these: the kernel changes it up to
 * where nothing is mapped, and fails then.
 */
static bool refuses_mprotect(const struct seccomp_data *call)
{
	const uint64_t both = PROT_GROWSDOWN | PROT_GROWSUP;

	return is_odd(call->args[0]) || (call->args[2] & both) == both;
}

/*
 * Flags that are not known here may be a later kernel's, so they are not looked
 * at.
 */
static bool refuses_moving(const struct seccomp_data *call, uint64_t end)
{
	const uint64_t flags = call->args[3];

	if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) &&
	    !(flags & MREMAP_MAYMOVE))
		return true;
	return (flags & MREMAP_FIXED) &&
		(is_odd(call->args[4]) ||
		 is_beyond(call->args[4], call->args[2], end));
}

/*
 * A mapping that stays in its place cannot grow beyond the last address. One
 * that does not grow may have a length that reaches beyond: the kernel looks at
 * its first mapping only.
 */
static bool refuses_growth_in_place(const struct seccomp_data *call, uint64_t end)
{
	const uint64_t page = (uint64_t)vmsi_page_bytes();
	const uint64_t old_pages = (call->args[1] + page - 1) / page;
	const uint64_t new_pages = (call->args[2] + page - 1) / page;

	return new_pages > old_pages && !(call->args[3] & MREMAP_MAYMOVE) &&
		call->args[0] < end &&
		is_beyond(call->args[0], call->args[2], end);
}

static bool refuses_mremap(const struct seccomp_data *call, uint64_t end)
{
	const uint64_t length = call->args[2];

	if (is_odd(call->args[0]) || is_no_length(length) || length > end)
		return true;
	return refuses_growth_in_place(call, end) || refuses_moving(call, end);
}

/* A clone that copies memory cannot share handlers or be a thread. */
static bool refuses_clone(const struct seccomp_data *call)
{
	const uint64_t flags = call->args[0];
	const uint64_t root = CLONE_NEWNS | CLONE_FS;

	return (!(flags & CLONE_VM) &&
		(flags & (CLONE_SIGHAND | CLONE_THREAD))) ||
		(flags & root) == root;
}

bool vmsi_kernel_refuses(const struct seccomp_data *call, uint64_t addresses_end)
{
	switch (call->nr) {
	case SYS_mmap:
		return refuses_mmap(call, addresses_end);
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		return refuses_mprotect(call);
	case SYS_mremap:
		return refuses_mremap(call, addresses_end);
	case SYS_brk:
		return call->args[0] >= addresses_end &&
			!MAY_BE_TAGGED(call->args[0]);
	case SYS_clone:
		return refuses_clone(call);
	case SYS_shmget:
		/* The size of a file is signed; that of huge pages is not. */
		return call->args[1] > INT64_MAX &&
			!(call->args[2] & SHM_HUGETLB);
	default:
		return false;
	}
}
