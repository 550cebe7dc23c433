/* SPDX-License-Identifier: MIT
 *
 * What a hook cannot be told: which system call it runs in, and with which arguments.
 * Only calls that return an error may be refused. A fault, an execve or a write to a file
 * of tmpfs would end the program, or half of it, so that they are let through.
 */
#ifndef VMSI_KEEPER_PROGRAMS_REQUEST_H
#define VMSI_KEEPER_PROGRAMS_REQUEST_H

/* What the memory hook does. */
enum request_kind {
	REQUEST_FORCED,
	REQUEST_REFUSABLE, /* with mmap_lock held for writing */
	REQUEST_SEGMENT,   /* shmget, without it */
	REQUEST_CHARGED,   /* another hook counts it */
};

static const u64 page_shift = 12;
static const u64 map_type = 0x0f;
static const u64 map_private = 0x02;
static const u64 map_shared = 0x01;
static const u64 map_anonymous = 0x20;
static const u64 map_noreserve = 0x4000;
static const u64 map_hugetlb = 0x40000;
static const u64 mremap_dontunmap = 4;
static const u64 vm_write = 2;
static const u64 vm_shared = 8;
static const u64 vm_growsdown = 0x100;
static const u64 vm_account = 0x100000;
static const u64 prot_write = 2;
static const u64 clone_vm = 0x100;
static const u64 tmpfs_magic = 0x01021994;
/* In thread_info.status: the call came in by a 32-bit entry. */
static const u32 is_compat = 2;

enum call {
	CALL_OTHER,
	CALL_MMAP,
	CALL_OLD_MMAP,
	CALL_BRK,
	CALL_MPROTECT,
	CALL_MREMAP,
	CALL_SEGMENT,
	CALL_FORK,
};

static inline enum call call_of_64(u64 number)
{
	/* x32 has the same numbers with a bit that tells. */
	switch (number & ~0x40000000ULL) {
	case 9:
		return CALL_MMAP;
	case 12:
		return CALL_BRK;
	case 10:
	case 329: /* pkey_mprotect */
		return CALL_MPROTECT;
	case 25:
		return CALL_MREMAP;
	case 29: /* shmget */
		return CALL_SEGMENT;
	case 56: /* clone */
	case 57: /* fork */
	case 58: /* vfork */
	case 435: /* clone3 */
		return CALL_FORK;
	default:
		return CALL_OTHER;
	}
}

static inline enum call call_of_32(u64 number)
{
	switch (number) {
	case 192: /* mmap2 */
		return CALL_MMAP;
	case 90: /* mmap, whose arguments lie in memory */
		return CALL_OLD_MMAP;
	case 45:
		return CALL_BRK;
	case 125:
	case 380: /* pkey_mprotect */
		return CALL_MPROTECT;
	case 163:
		return CALL_MREMAP;
	case 117: /* ipc */
	case 395: /* shmget */
		return CALL_SEGMENT;
	case 2: /* fork */
	case 120: /* clone */
	case 190: /* vfork */
	case 435: /* clone3 */
		return CALL_FORK;
	default:
		return CALL_OTHER;
	}
}

struct arguments {
	u64 first, second, third, fourth;
};

/* The system call that a hook runs in. */
static inline enum call read_call(struct arguments *arguments)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	/* A fault has a number of -1. */
	if ((s64)regs->orig_ax < 0)
		return CALL_OTHER;
	if (task->thread_info.status & is_compat) {
		arguments->first = (u32)regs->bx;
		arguments->second = (u32)regs->cx;
		arguments->third = (u32)regs->dx;
		arguments->fourth = (u32)regs->si;
		return call_of_32(regs->orig_ax);
	}
	arguments->first = regs->di;
	arguments->second = regs->si;
	arguments->third = regs->dx;
	arguments->fourth = regs->r10;
	return call_of_64(regs->orig_ax);
}

static inline u64 pages_of(u64 bytes)
{
	return (bytes + (1ULL << page_shift) - 1) >> page_shift;
}

struct mapping {
	u64 pages;
	u64 prot;
	u64 flags;
};

/* What an mmap asks for, or false where these are not the arguments of one. */
static inline _Bool read_mapping(enum call call, const struct arguments *arguments,
				 struct mapping *mapping)
{
	u32 in_memory[4];

	if (call == CALL_MMAP) {
		mapping->pages = pages_of(arguments->second);
		mapping->prot = arguments->third;
		mapping->flags = arguments->fourth;
		return 1;
	}
	if (call != CALL_OLD_MMAP ||
	    bpf_probe_read_user(in_memory, sizeof in_memory, (void *)arguments->first))
		return 0;
	mapping->pages = pages_of(in_memory[1]);
	mapping->prot = in_memory[2];
	mapping->flags = in_memory[3];
	return 1;
}

static inline _Bool is_shared_anonymous(const struct mapping *mapping)
{
	return (mapping->flags & map_anonymous) &&
	       (mapping->flags & map_type) == map_shared;
}

static inline _Bool is_without_reserve(const struct mapping *mapping)
{
	return (mapping->flags & (map_noreserve | map_hugetlb)) &&
	       (mapping->prot & prot_write) &&
	       (mapping->flags & map_type) == map_private;
}

/* Whether the memory hook is not asked, or not rightly, about this mapping. */
static inline _Bool is_unasked(const struct mapping *mapping)
{
	return is_shared_anonymous(mapping) || is_without_reserve(mapping);
}

/* What data_vm counts, by the flags of a mapping. */
static inline _Bool is_data(u64 flags)
{
	return (flags & (vm_write | vm_shared | vm_growsdown)) == vm_write;
}

static inline enum request_kind kind_of_request(void)
{
	struct arguments arguments;
	struct mapping mapping;
	const enum call call = read_call(&arguments);

	switch (call) {
	case CALL_FORK:
	case CALL_MPROTECT:
		return REQUEST_CHARGED;
	case CALL_SEGMENT:
		return REQUEST_SEGMENT;
	case CALL_MMAP:
	case CALL_OLD_MMAP:
		if (read_mapping(call, &arguments, &mapping) && is_unasked(&mapping))
			return REQUEST_CHARGED;
		return REQUEST_REFUSABLE;
	case CALL_BRK:
	case CALL_MREMAP:
		return REQUEST_REFUSABLE;
	default:
		return REQUEST_FORCED;
	}
}

#endif
