/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/versioned.h"
#include "file/atomic.h"
#include "file/base.h"
#include "space/inside.h"

/* The size of a file, where it is, and its figures. */

uint64_t vms_file_size(const vms_file *file)
{
	return atomic_load_explicit(&file->size, memory_order_acquire);
}

void *vms_file_at(const vms_file *file, uint64_t offset, size_t length)
{
	int error = 0;

	if (!file->base)
		error = -ENXIO;
	else if (!vmsi_file_covers(file, offset, length))
		error = -ERANGE;
	if (!error)
		return file->base + offset;
	(void)vmsi_status(error);
	return NULL;
}

static void read_figures(struct vms_file *file, struct vms_file_stats *stats)
{
	vmsi_lock_acquire(&file->lock);
	*stats = (struct vms_file_stats){
		.size = file->size,
		.maximum = file->maximum,
		.windows = file->windows,
		.losses = atomic_load(&file->losses.count),
		.losses_outside = atomic_load(&file->losses.outside),
		.syncs = atomic_load(&file->syncs),
	};
	vmsi_lock_release(&file->lock);
	if (file->atomic)
		vmsi_atomic_stats(file, stats);
}

int vms_file_get_stats(vms_file *file, struct vms_file_stats *stats)
{
	struct vms_file_stats known;
	int error = file && stats ?
		vmsi_check_struct_size(stats->struct_size,
				       VMSI_FIRST_FILE_STATS) : -EINVAL;

	if (error)
		return vmsi_status(error);
	read_figures(file, &known);
	vmsi_give_figures(stats, &known, sizeof(known));
	return 0;
}
