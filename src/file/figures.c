/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/stat.h>

#include "base/versioned.h"
#include "file/atomic.h"
#include "file/base.h"
#include "file/gather.h"
#include "space/inside.h"

/* The size of a file, where it is, and its figures. */

/* What is gathered is a part of the file, wherever it is; so are locks. */
static struct vms_file *changed(const vms_file *file)
{
	return (struct vms_file *)(uintptr_t)file;
}

static uint64_t size_with_lock(const struct vms_file *file)
{
	return file->size + file->gather.length;
}

uint64_t vms_file_size(const vms_file *file)
{
	uint64_t size;

	if (!vmsi_file_has(file, VMS_FILE_GATHERS))
		return atomic_load_explicit(&file->size, memory_order_acquire);
	vmsi_lock_acquire(&changed(file)->lock);
	size = size_with_lock(file);
	vmsi_lock_release(&changed(file)->lock);
	return size;
}

void *vms_file_at(const vms_file *file, uint64_t offset, size_t length)
{
	int error = file->base ? 0 : -ENXIO;

	if (!error && !vmsi_file_covers(file, offset, length))
		error = vmsi_file_reach(changed(file), offset, length);
	if (!error)
		return file->base + offset;
	(void)vmsi_status(error);
	return NULL;
}

static void read_figures(struct vms_file *file, struct vms_file_stats *stats)
{
	vmsi_lock_acquire(&file->lock);
	*stats = (struct vms_file_stats){
		.size = size_with_lock(file),
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

int vms_stat_file(vms_file *file, unsigned flags, struct vms_stat *stat)
{
	struct vms_stat known;
	int error = vmsi_stat_check(file, flags, stat);

	if (!error)
		error = vmsi_stat_of_space(file->space, flags, &known);
	if (!error)
		known.limit = file->maximum;
	return vmsi_stat_give(error, &known, stat);
}
