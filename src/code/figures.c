/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/stat.h>

#include "base/versioned.h"
#include "code/code.h"
#include "space/inside.h"

/* The pages of blocks, with FLIPS, and all that are not given back, otherwise. */
static size_t memory_of(const struct vms_code *code)
{
	return code->mode == VMS_CODE_FLIPS ?
		code->used * VMSI_UNIT :
		code->mapped - (code->pages_without << code->page_shift) *
			VMSI_UNIT;
}

static struct vms_code_stats read_figures(const struct vms_code *code)
{
	return (struct vms_code_stats){
		.reserved = vmsi_range_length(code->run),
		.mapped = code->mapped,
		.memory = memory_of(code),
		.used = code->used * VMSI_UNIT,
		.writable = code->mode == VMS_CODE_VIEWS ? code->writable : 0,
		.blocks = code->blocks,
		.unpublished = code->unpublished,
		.chunks = code->chunk_count,
		.mode = code->mode,
		.refused = code->refused,
		.sealed = code->sealed,
		.core_sync = code->core_sync,
		.core_syncs = code->core_syncs,
		.metadata = code->bytes,
	};
}

int vms_code_get_stats(vms_code *code, struct vms_code_stats *stats)
{
	struct vms_code_stats known;
	int error = code && stats ?
		vmsi_check_struct_size(stats->struct_size,
				       VMSI_FIRST_CODE_STATS) : -EINVAL;

	if (error)
		return vmsi_status(error);
	vmsi_lock_acquire(&code->lock);
	known = read_figures(code);
	vmsi_lock_release(&code->lock);
	vmsi_give_figures(stats, &known, sizeof(known));
	return 0;
}

/* Of a space that the pool has for itself all is told. */
int vms_stat_code(vms_code *code, unsigned flags, struct vms_stat *stat)
{
	struct vms_stat known = { .known = VMS_STAT_RESERVED };
	int error = vmsi_stat_check(code, flags, stat);

	if (error)
		return vmsi_status(error);
	known.reserved = vmsi_range_length(code->run);
	error = code->own_space ? vmsi_stat_of_space(code->space, flags, &known) :
		vmsi_stat_pages(code->space, code->run, flags, &known);
	return vmsi_stat_give(error, &known, stat);
}
