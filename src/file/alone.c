/* SPDX-License-Identifier: MIT */
#include "file/alone.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "file/atomic_state.h"
#include "file/file.h"
#include "file/show.h"
#include "host/host.h"

/* --- being alone ------------------------------------------------------------------- */

/* While stores are stalled, the gate is closed from the begin of that to its end. */
void vmsi_alone_begin(struct vms_file *file)
{
	if (!file->atomic->stalled)
		vmsi_gate_close(&file->atomic->gate);
	vmsi_lock_acquire(&file->lock);
}

void vmsi_alone_end(struct vms_file *file)
{
	vmsi_lock_release(&file->lock);
	if (!file->atomic->stalled)
		vmsi_gate_open(&file->atomic->gate);
}

/* --- stalling stores ------------------------------------------------------------- */

bool vmsi_alone_stalls(const struct vmsi_atomic *atomic)
{
	return !atomic->tells && atomic->tracker.way == VMSI_TRACKING_STALLS;
}

/* All pages that are mapped; what is behind the size is not. */
static struct vmsi_range mapped_range(const struct vms_file *file)
{
	return (struct vmsi_range){ (uintptr_t)file->base,
				    (uintptr_t)file->base + file->mapped };
}

int vmsi_alone_stall(struct vms_file *file, struct vmsi_range *stalled)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

	vmsi_alone_begin(file);
	*stalled = mapped_range(file);
	error = vmsi_stall_begin(atomic->stall, *stalled);
	atomic->stalled = error == 0;
	vmsi_alone_end(file);
	return error;
}

/* What was cut off meanwhile is not there any more to be let go. */
void vmsi_alone_let_go(struct vms_file *file, struct vmsi_range stalled)
{
	struct vmsi_atomic *atomic = file->atomic;

	vmsi_alone_begin(file);
	vmsi_stall_end(atomic->stall,
		       vmsi_range_common(stalled, mapped_range(file)));
	atomic->stalled = false;
	vmsi_alone_end(file);
}

/* They are written, so that what is stored now is not dropped as kept. */
int vmsi_alone_admit(struct vms_file *file, struct vmsi_page_run run)
{
	struct vmsi_atomic *atomic = file->atomic;
	const struct vmsi_range range = vmsi_pages_range(file, run);
	long error;

	if (atomic->reads || !atomic->stalled)
		return 0;
	error = vmsi_host.mprotect(range.start, vmsi_range_length(range),
				   PROT_READ | PROT_WRITE);
	if (!error)
		vmsi_pageset_add(&atomic->written, run);
	return (int)error;
}

/* --- what was written -------------------------------------------------------------- */

/* Pages that show their image in the journal and were stored to since. */
static int find_among_spilled(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	struct vmsi_page_run run = { 0, 0 };
	int error = 0;

	while (!error && vmsi_pageset_next(&atomic->spilled, run.end, &run))
		error = vmsi_tracker_find_private(
			&atomic->tracker,
			vmsi_pages_range(file, run),
			(uintptr_t)file->base, &atomic->written);
	return error;
}

/*
 * With VMS_FILE_TELLS all that was stored to was told, but after a page was spilled
 * its update may go on storing to it.
 */
int vmsi_alone_find(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;

	if (!atomic->tells)
		return vmsi_tracker_find(&atomic->tracker, mapped_range(file),
					 (uintptr_t)file->base,
					 &atomic->written);
	return atomic->tracks ? find_among_spilled(file) : 0;
}

struct vmsi_sizes vmsi_alone_sizes(const struct vms_file *file)
{
	return (struct vmsi_sizes){
		.smallest = file->atomic->record_smallest,
		.size = atomic_load(&file->size),
	};
}
