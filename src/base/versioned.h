/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_VERSIONED_H
#define VMSI_BASE_VERSIONED_H

#include <errno.h>
#include <stddef.h>
#include <string.h>

/*
 * Public structs grow at their end. A program tells by the first member,
 * size_t struct_size, how much of a struct it was compiled with, so that it
 * works with a library that knows less or more of it, as clone3(2) and
 * sched_setattr(2) do it.
 */

/*
 * The size of a struct that ends with a member, as sizeof would give it. By the
 * member's type, since the size of a pointer itself is taken for a slip.
 */
#define VMSI_SIZE_UP_TO(type, last)                                      \
	((offsetof(type, last) + sizeof(__typeof__(((type *)0)->last)) + \
	  _Alignof(type) - 1) / _Alignof(type) * _Alignof(type))

/*
 * What each struct had in the first release, 0.1.0: nobody has a smaller one.
 * These stay as they are when a struct grows.
 */
#define VMSI_FIRST_SPACE_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_space_options, budget)
#define VMSI_FIRST_SPACE_STATS \
	VMSI_SIZE_UP_TO(struct vms_space_stats, metadata)
#define VMSI_FIRST_MAPPING_INFO \
	VMSI_SIZE_UP_TO(struct vms_mapping_info, path)
#define VMSI_FIRST_BUFFER_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_buffer_options, budget)
#define VMSI_FIRST_BUFFER_STATS \
	VMSI_SIZE_UP_TO(struct vms_buffer_stats, moves)
#define VMSI_FIRST_FILE_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_file_options, dirty_limit)
#define VMSI_FIRST_FILE_STATS \
	VMSI_SIZE_UP_TO(struct vms_file_stats, spilled_bytes)
#define VMSI_FIRST_HEAP_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_heap_options, budget)
#define VMSI_FIRST_HEAP_STATS \
	VMSI_SIZE_UP_TO(struct vms_heap_stats, refusals)
#define VMSI_FIRST_BUDGET_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_budget_options, flags)
#define VMSI_FIRST_BUDGET_STATS \
	VMSI_SIZE_UP_TO(struct vms_budget_stats, processes)
#define VMSI_FIRST_GROUP_OPTIONS \
	VMSI_SIZE_UP_TO(struct vms_group_options, context)
#define VMSI_FIRST_GROUP_STATS \
	VMSI_SIZE_UP_TO(struct vms_group_stats, interruptible)
#define VMSI_FIRST_GROUP_PROCESS \
	VMSI_SIZE_UP_TO(struct vms_group_process, refusals)

/*
 * A larger size than this is a mistake of the caller and no newer struct: to
 * read or write so much would leave his memory.
 */
#define VMSI_STRUCT_MOST 16384

/* 0 where struct_size can be that of some release; -EINVAL or -E2BIG. */
static inline int vmsi_check_struct_size(size_t given, size_t first)
{
	if (given < first)
		return -EINVAL;
	return given > VMSI_STRUCT_MOST ? -E2BIG : 0;
}

/*
 * Take a caller's options into a struct of this library: what the caller does
 * not know is zero, its default; what this library does not know must be zero.
 * Returns 0; -EINVAL or -E2BIG, and known is undefined.
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
 * Give a caller the figures of a struct of this library: as many as he knows;
 * what only he knows is zeroed. His struct_size, checked before, stays.
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
