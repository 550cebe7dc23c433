/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_VERSIONED_H
#define VMSI_BASE_VERSIONED_H

#include <errno.h>
#include <stddef.h>
#include <string.h>

/*
 * Public structs grow at their end. Their first member, size_t struct_size,
 * tells how much of the struct the program was compiled with, so that it works
 * with a library that knows less or more members (as in clone3(2),
 * sched_setattr(2)).
 */

/*
 * The sizeof of a struct that would end with the member last. It goes by the
 * member's type, since linters report the sizeof of a pointer as a mistake.
 */
#define VMSI_SIZE_UP_TO(type, last)                                      \
	((offsetof(type, last) + sizeof(__typeof__(((type *)0)->last)) + \
	  _Alignof(type) - 1) / _Alignof(type) * _Alignof(type))

/*
 * The size of each struct in the first release, 0.1.0, the least that a program
 * can have. These lines stay as they are when a struct grows.
 */
#define VMSI_FIRST_SPACE_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_space_options, reach)
#define VMSI_FIRST_SPACE_STATS \
	VMSI_SIZE_UP_TO(struct vms_space_stats, metadata)
#define VMSI_FIRST_STAT \
	VMSI_SIZE_UP_TO(struct vms_stat, swapped)
#define VMSI_FIRST_MAPPING_INFO \
	VMSI_SIZE_UP_TO(struct vms_mapping_info, path)
#define VMSI_FIRST_BUFFER_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_buffer_options, budget)
#define VMSI_FIRST_BUFFER_STATS \
	VMSI_SIZE_UP_TO(struct vms_buffer_stats, moves)
#define VMSI_FIRST_SHARE_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_share_options, largest)
#define VMSI_FIRST_SHARE_STATS \
	VMSI_SIZE_UP_TO(struct vms_share_stats, sealed)
#define VMSI_FIRST_FILE_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_file_options, dirty_limit)
#define VMSI_FIRST_FILE_STATS \
	VMSI_SIZE_UP_TO(struct vms_file_stats, spilled_bytes)
#define VMSI_FIRST_CODE_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_code_options, budget)
#define VMSI_FIRST_CODE_STATS \
	VMSI_SIZE_UP_TO(struct vms_code_stats, metadata)
#define VMSI_FIRST_HEAP_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_heap_options, budget)
#define VMSI_FIRST_HEAP_STATS \
	VMSI_SIZE_UP_TO(struct vms_heap_stats, refusals)
#define VMSI_FIRST_STACKS_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_stacks_options, budget)
#define VMSI_FIRST_STACKS_STATS \
	VMSI_SIZE_UP_TO(struct vms_stacks_stats, shadow_stacks)
#define VMSI_FIRST_BUDGET_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_budget_options, flags)
#define VMSI_FIRST_BUDGET_STATS \
	VMSI_SIZE_UP_TO(struct vms_budget_stats, soft_limit)
#define VMSI_FIRST_RING_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_ring_options, event_fd)
#define VMSI_FIRST_RING_STATS \
	VMSI_SIZE_UP_TO(struct vms_ring_stats, attached)
#define VMSI_FIRST_POOL_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_pool_options, name)
#define VMSI_FIRST_POOL_SNAPSHOT \
	VMSI_SIZE_UP_TO(struct vms_pool_snapshot, bytes)
#define VMSI_FIRST_POOL_STATS \
	VMSI_SIZE_UP_TO(struct vms_pool_stats, area_mended)
#define VMSI_FIRST_GROUP_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_group_options, context)
#define VMSI_FIRST_GROUP_STATS \
	VMSI_SIZE_UP_TO(struct vms_group_stats, interruptible)
#define VMSI_FIRST_GROUP_PROCESS \
	VMSI_SIZE_UP_TO(struct vms_group_process, refusals)

/*
 * A larger struct_size is a mistake of the caller and no newer struct: the
 * library would read or write beyond the caller's memory.
 */
#define VMSI_STRUCT_MOST 16384

/* 0 where struct_size may be that of some release; else -EINVAL or -E2BIG. */
static inline int vmsi_check_struct_size(size_t given, size_t first)
{
	if (given < first)
		return -EINVAL;
	return given > VMSI_STRUCT_MOST ? -E2BIG : 0;
}

/*
 * Copy a caller's options into a struct of this library. Members that the
 * caller does not know become 0, their default; those that this library does
 * not know must be 0. Returns 0, or -EINVAL or -E2BIG, and known is undefined
 * then.
 */
static inline int vmsi_take_options(void *known, size_t size, size_t first,
				    const void *options)
{
	const char *bytes = options;
	size_t given;
	int error;

	memcpy(&given, options, sizeof given);
	error = vmsi_check_struct_size(given, first);
	if (error)
		return error;
	for (size_t i = size; i < given; i++)
		if (bytes[i])
			return -E2BIG;
	memset(known, 0, size);
	memcpy(known, options, given < size ? given : size);
	memcpy(known, &size, sizeof size);
	return 0;
}

/*
 * Copy a struct of this library to the caller, as far as the caller's
 * struct_size, which was checked before, goes. Members that only the caller
 * knows become 0.
 */
static inline void vmsi_give_figures(void *figures, const void *known,
				     size_t size)
{
	const size_t common = sizeof(size_t);
	size_t given;

	memcpy(&given, figures, sizeof given);
	memcpy((char *)figures + common, (const char *)known + common,
	       (given < size ? given : size) - common);
	if (given > size)
		memset((char *)figures + size, 0, given - size);
}

#endif
