/* SPDX-License-Identifier: MIT */
#include <sys/mman.h>

#include "file/atomic.h"
#include "file/atomic_state.h"
#include "file/base.h"
#include "file/file.h"
#include "file/handlers.h"
#include "file/view.h"
#include "host/host.h"

/*
 * Mending: the file is mapped again over what was lost of it.
 *
 * A handler may lose a page again meanwhile. Its bit goes first, then this waits for
 * the handlers that saw it set or were about to set it, and then the file is mapped: so zeros that
 * a handler maps afterwards have a bit that was set afterwards.
 */

/* The part of a view that shows some of the pages; empty: none of them. */
static struct vmsi_range part_of_view(const struct vmsi_shown *shown,
				      struct vmsi_range offsets)
{
	const struct vmsi_range view = {
		shown->offset, shown->offset + vmsi_range_length(shown->range)
	};
	const struct vmsi_range common = vmsi_range_common(view, offsets);

	return (struct vmsi_range){
		shown->range.start + (common.start - shown->offset),
		shown->range.start + (common.end - shown->offset),
	};
}

/* As vms_file_open and vms_file_open_window have mapped it. */
static int map_file(const struct vms_file *file, struct vmsi_range range,
		    uint64_t offset)
{
	const int flags = vmsi_file_has(file, VMS_FILE_PRIVATE) ?
		MAP_PRIVATE : MAP_SHARED;
	const long mapped = vmsi_host.mmap(range.start, vmsi_range_length(range),
					   vmsi_base_protection(file), flags | MAP_FIXED, file->fd,
					   offset);

	return mapped < 0 ? (int)mapped : 0;
}

static int mend_view(struct vms_file *file, const struct vmsi_shown *shown,
		     struct vmsi_range offsets)
{
	const struct vmsi_range part = part_of_view(shown, offsets);
	uint64_t offset;

	if (part.start >= part.end)
		return 0;
	offset = shown->offset + (part.start - shown->range.start);
	if (file->atomic)
		return vmsi_atomic_show_again(file, offset,
					      vmsi_range_length(part));
	return map_file(file, part, offset);
}

/* What is past what base has mapped is the reservation's, and not to be mapped over. */
static struct vmsi_range mapped_part(const struct vms_file *file,
				     const struct vmsi_shown *shown,
				     struct vmsi_range offsets)
{
	const struct vmsi_range mapped = { 0, file->mapped };

	return shown->range.start == (uintptr_t)file->base ?
		vmsi_range_common(offsets, mapped) : offsets;
}

static int mend_views(struct vms_file *file, struct vmsi_range offsets)
{
	struct vmsi_shown shown;
	uint32_t place = 0;
	int error = 0;

	while (!error && vmsi_view_next(file, &place, &shown))
		error = mend_view(file, &shown,
				  mapped_part(file, &shown, offsets));
	return error;
}

static int mend_run(struct vms_file *file, struct vmsi_lost_run run)
{
	const uint64_t page = vmsi_page_size();
	int error;

	vmsi_losses_mark(&file->losses, run, VMSI_WHOLE);
	vmsi_handlers_wait();
	error = mend_views(file, (struct vmsi_range){ run.first * page,
						      run.end * page });
	if (error)
		vmsi_losses_mark(&file->losses, run, VMSI_LOST);
	return error;
}

int vmsi_losses_mend(struct vms_file *file)
{
	const uint64_t count = atomic_load(&file->losses.count);
	struct vmsi_lost_run run = { 0, 0 };

	if (count == atomic_load(&file->losses.mended))
		return 0;
	while (vmsi_losses_next(&file->losses, run.end, &run)) {
		const int error = mend_run(file, run);

		if (error)
			return error;
	}
	atomic_store(&file->losses.mended, count);
	if (file->atomic && !file->atomic->reads)
		vmsi_whole_mended(file);
	return 0;
}
