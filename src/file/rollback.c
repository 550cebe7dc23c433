/* SPDX-License-Identifier: MIT */
#include "file/rollback.h"

#include <stdatomic.h>

#include "base/align.h"
#include "file/alone.h"
#include "file/atomic_state.h"
#include "file/base.h"
#include "file/commit.h"
#include "file/file.h"
#include "file/show.h"
#include "file/sizing.h"
#include "host/host.h"

/*
 *   committed size, more than now:                 less than now:
 *
 *   | home | zeros since it was cut |              | home | grown: zeros |
 *          ^ smallest               ^ committed           ^ committed    ^ size
 *
 * What lies from the smallest size to the committed one is mapped from home again, what
 * is behind is unmapped; before that, only pages that were written change.
 */

static int drop_set(struct vms_file *file, struct vmsi_pageset *set)
{
	struct vmsi_page_run run = { 0, 0 };
	int error = 0;

	while (!error && vmsi_pageset_next(set, run.end, &run)) {
		error = vmsi_show_home_again(file, run);
		if (error)
			break;
		vmsi_pageset_remove(set, run);
		vmsi_pageset_remove(&file->atomic->kept, run);
	}
	return error;
}

static int restore_size(struct vms_file *file, uint64_t committed)
{
	const struct vmsi_page_run cut = {
		file->atomic->smallest / vmsi_page_size(), vmsi_pages_of(committed),
	};
	int error = vmsi_show_nothing(file, cut.end);

	if (!error && cut.first < cut.end) {
		error = vmsi_show_home(file, cut);
		if (!error && file->mapped < cut.end * vmsi_page_size())
			file->mapped = cut.end * vmsi_page_size();
	}
	if (error)
		return error;
	vmsi_pageset_remove(&file->atomic->written, cut);
	vmsi_pageset_remove(&file->atomic->kept, cut);
	atomic_store(&file->size, committed);
	file->atomic->smallest = file->atomic->record_smallest = committed;
	return 0;
}

static int roll_back(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	const uint64_t committed = atomic->journal.sizes.size;
	int error = vmsi_alone_find(file);

	if (!error && (atomic->smallest < committed ||
		       atomic_load(&file->size) != committed))
		error = restore_size(file, committed);
	if (!error)
		error = drop_set(file, &atomic->spilled);
	if (!error)
		error = drop_set(file, &atomic->written);
	if (error)
		return error;
	vmsi_journal_discard(&atomic->journal);
	atomic->record_smallest = committed;
	atomic_store(&atomic->spilled_bytes, 0);
	return 0;
}

static int roll_back_alone(struct vms_file *file)
{
	int error;

	/*
	 * Stores outside of updates are dropped or not, as they come. Updates end first:
	 * copies may be in them.
	 */
	vmsi_gate_close(&file->atomic->gate);
	vmsi_sizing_begin(file);
	vmsi_lock_acquire(&file->lock);
	error = roll_back(file);
	if (!error)
		vmsi_whole_arm_again(file);
	vmsi_lock_release(&file->lock);
	vmsi_sizing_end(file);
	vmsi_gate_open(&file->atomic->gate);
	return error;
}

int vmsi_rollback(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

	vmsi_lock_acquire(&atomic->committing);
	error = vmsi_commit_catch_up(file, VMSI_WAIT);
	if (!error)
		error = roll_back_alone(file);
	vmsi_lock_release(&atomic->committing);
	return error;
}
