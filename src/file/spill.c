/* SPDX-License-Identifier: MIT */
#include "file/spill.h"

#include <stdatomic.h>

#include "file/accesses.h"
#include "file/alone.h"
#include "file/atomic_state.h"
#include "file/file.h"
#include "file/show.h"
#include "host/file.h"
#include "host/host.h"

/* --- mappings --------------------------------------------------------------------------- */

/*
 * Each run that is spilled is a mapping of its own, and parts another one in two. All
 * together they are a quarter at most of what the host lets the process have: from there
 * on what is written stays in memory until the commit.
 */
#define MAPS_PARTS 8u
/* The kernel's default of vm.max_map_count, if the host does not tell. */
#define MAPS_DEFAULT 65530u

static bool may_map(struct vmsi_atomic *atomic)
{
	uint64_t maps = 0;

	if (!atomic_load(&atomic->spill_maps_most)) {
		if (!vmsi_host_read_number("/proc/sys/vm/max_map_count", &maps) ||
		    maps < MAPS_PARTS)
			maps = MAPS_DEFAULT;
		atomic_store(&atomic->spill_maps_most, maps / MAPS_PARTS);
	}
	return atomic_load(&atomic->spill_maps) <
		atomic_load(&atomic->spill_maps_most);
}

/* --- spilling --------------------------------------------------------------------------- */

/* As many pages of a run as one record of the staging holds. */
static struct vmsi_page_run piece_of(const struct vmsi_staging *staging,
				     struct vmsi_page_run run)
{
	if (run.end - run.first > staging->room)
		run.end = run.first + staging->room;
	return run;
}

int vmsi_spill_staged(struct vms_file *file, uint64_t *offsets)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error = vmsi_journal_write(&atomic->journal, VMSI_RECORD_SPILL,
				       vmsi_alone_sizes(file),
				       atomic->staging.images,
				       atomic->staging.count, offsets);

	if (!error)
		atomic->record_smallest = atomic_load(&file->size);
	return error;
}

static int stage_run(struct vms_file *file, struct vmsi_page_run run)
{
	struct vmsi_staging *staging = &file->atomic->staging;
	const size_t page = vmsi_page_size();
	struct vms_file_access access;
	int error;

	staging->count = 0;
	vmsi_accesses_begin(&access, file);
	for (uint64_t i = run.first; i < run.end; i++)
		vmsi_staging_add(staging, i, file->base + i * page);
	error = vmsi_accesses_end(&access);
	return error ? error : vmsi_whole_check(file, &file->atomic->written);
}

/* Copy a run and write it to the journal, and tell where its images are. */
static int write_run(struct vms_file *file, struct vmsi_page_run run)
{
	int error = stage_run(file, run);

	return error ? error :
		vmsi_spill_staged(file, file->atomic->staging.offsets);
}

/*
 * The pages at the start of a run whose images lie one behind the other in the journal,
 * as those of one record do: one mapping shows them.
 */
static struct vmsi_page_run side_by_side(const uint64_t *offsets,
					 struct vmsi_page_run run)
{
	struct vmsi_page_run part = { run.first, run.first + 1 };

	while (part.end < run.end &&
	       offsets[part.end - run.first] == offsets[0] +
		       (part.end - run.first) * vmsi_page_size())
		part.end++;
	return part;
}

/*
 * Where a mapping fails, the pages stay private and written, and the commit has them
 * once more.
 */
static int spill_run(struct vms_file *file, struct vmsi_page_run run)
{
	struct vmsi_atomic *atomic = file->atomic;
	const uint64_t *offsets = atomic->staging.offsets;
	int error = write_run(file, run);

	while (!error && run.first < run.end) {
		const struct vmsi_page_run part = side_by_side(offsets, run);

		error = vmsi_show_images(file, part, offsets[0]);
		if (error)
			break;
		atomic_fetch_add(&atomic->spill_maps, 1);
		vmsi_pageset_remove(&atomic->written, part);
		vmsi_pageset_remove(&atomic->kept, part);
		atomic_fetch_add(&atomic->spilled_bytes,
				 (part.end - part.first) * vmsi_page_size());
		offsets += part.end - part.first;
		run.first = part.end;
	}
	return error;
}

static int spill(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	struct vmsi_page_run run = { 0, 0 };
	int error = vmsi_journal_check_descriptor(&atomic->journal);

	if (!error)
		error = vmsi_staging_prepare(&atomic->staging,
					     vmsi_pageset_count(&atomic->written));

	/* Those of earlier commits are gone with what they showed. */
	if (vmsi_pageset_count(&atomic->spilled) == 0)
		atomic_store(&atomic->spill_maps, 0);
	while (!error && may_map(atomic) &&
	       vmsi_pageset_next(&atomic->written, run.end, &run)) {
		run = piece_of(&atomic->staging, run);
		error = spill_run(file, run);
	}
	return error;
}

/*
 * The file that this thread has opened an update of last. One that has two open, of two
 * files, has only the latter one's spilled.
 */
static _Thread_local const struct vms_file *updated
	__attribute__((tls_model("initial-exec")));

void vmsi_spill_note_update(const struct vms_file *file)
{
	updated = file;
}

/* With no lock: the next commit changes it. */
static bool is_used_up(struct vmsi_atomic *atomic)
{
	return vmsi_pageset_count(&atomic->spilled) > 0 &&
		atomic_load(&atomic->spill_maps) >=
			atomic_load(&atomic->spill_maps_most);
}

int vmsi_spill_if_large(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

	if (vmsi_pageset_count(&atomic->written) < atomic->dirty_pages ||
	    !atomic->tracks || is_used_up(atomic) || !vmsi_lock_try(&atomic->committing))
		return 0;
	if (!vmsi_gate_try_close(&atomic->gate, updated == file ? 1 : 0)) {
		vmsi_lock_release(&atomic->committing);
		return 0;
	}
	vmsi_lock_acquire(&file->lock);
	error = spill(file);
	vmsi_lock_release(&file->lock);
	vmsi_gate_open(&atomic->gate);
	vmsi_lock_release(&atomic->committing);
	return error;
}
