/* SPDX-License-Identifier: MIT */
#include "code/place.h"

#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/inside.h"

/* What is tried in a space of the program lies so far apart at least. */
#define STEP ((uintptr_t)1 << 20)

#define RESERVATION (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static int open_space(struct vms_code *code, size_t length,
		      const struct vms_code_options *options)
{
	const struct vms_space_options space = {
		.struct_size = sizeof(space),
		.name = "code",
		/* The host alone decides what may be committed, and a budget. */
		.commit_policy = VMS_COMMIT_ALWAYS,
		.budget = options->budget,
		.near = options->near,
		.reach = options->reach,
	};

	code->space = vms_space_open(length, &space);
	if (!code->space)
		return -errno;
	code->own_space = true;
	vmsi_space_tell(code->space, VMSI_SIGN_CODE, NULL);
	return 0;
}

/* The part of a space that is within reach. */
static struct vmsi_range part_within_reach(const vms_space *space,
					   const struct vms_code_options *options)
{
	const uintptr_t near = (uintptr_t)options->near;
	const uintptr_t start = (uintptr_t)vms_space_base(space);
	const struct vmsi_range whole = { start,
					  start + vms_space_size(space) };
	const struct vmsi_range reach = {
		near > options->reach ? near - options->reach : 0,
		vmsi_add_saturating(near, options->reach),
	};

	return vmsi_range_common(whole, reach);
}

static long map_within_reach(struct vms_code *code, size_t length,
			     const struct vms_code_options *options)
{
	const struct vmsi_range part = part_within_reach(code->space, options);
	uintptr_t at = vmsi_align_up(part.start, vmsi_page_size());

	for (; at < part.end && part.end - at >= length; at += STEP) {
		long mapped = vmsi_mmap(code->space, at, length, PROT_NONE,
					RESERVATION | MAP_FIXED_NOREPLACE, -1,
					0);

		if (mapped != -EEXIST)
			return mapped;
	}
	return -ERANGE;
}

static void tell(struct vms_code *code, size_t length)
{
	const struct vmsi_range whole = { code->run.start,
					  code->run.start + length };

	if (!code->own_space)
		vmsi_space_tell_part(code->space, &code->sign, whole,
				     VMSI_SIGN_CODE, NULL);
}

int vmsi_code_reserve(struct vms_code *code, size_t length,
		      const struct vms_code_options *options)
{
	long at;
	int error = 0;

	code->space = options->space;
	if (!code->space)
		error = open_space(code, length, options);
	if (error)
		return error;
	at = options->near && !code->own_space ?
		map_within_reach(code, length, options) :
		vmsi_mmap(code->space, 0, length, PROT_NONE, RESERVATION, -1, 0);
	if (at >= 0) {
		code->run.start = (uintptr_t)at;
		tell(code, length);
		return 0;
	}
	if (code->own_space)
		(void)vms_space_close(code->space);
	return (int)at;
}

int vmsi_code_unreserve(struct vms_code *code, size_t length)
{
	const int result = code->own_space ?
		vms_space_close(code->space) :
		vms_munmap(code->space, (void *)code->run.start, length);

	if (result != 0)
		return -errno;
	vmsi_space_tell_no_more(&code->sign);
	return 0;
}
