/* SPDX-License-Identifier: MIT */
#include "file/commit.h"

#include <errno.h>
#include <string.h>

#include "file/accesses.h"
#include "file/alone.h"
#include "file/atomic.h"
#include "file/atomic_state.h"
#include "file/file.h"
#include "file/show.h"
#include "file/spill.h"
#include "file/trim.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * A commit, by the thread that leads its turn:
 *
 *   close the gate      no update is open
 *   take                what was written is copied; `written` becomes `taken`
 *   open the gate       updates go on, and what they write is the next commit's
 *   journal             the copies, one fdatasync: from here on it is durable
 *   home                the same copies into the home file, past its readers
 *   trim                let go of private pages where there are many
 *
 * Where a step before the fdatasync fails, `taken` is written again.
 */

/* --- take -------------------------------------------------------------------------- */

/* The copies so far become a record of their own, and the staging is empty again. */
static int write_piece(struct vms_file *file)
{
	int error = vmsi_spill_staged(file, NULL);

	file->atomic->staging.count = 0;
	return error;
}

static int take_run(struct vms_file *file, struct vmsi_page_run run)
{
	struct vmsi_atomic *atomic = file->atomic;
	const size_t page = vmsi_page_size();

	/* First, so that a page is in one of the sets at every instant. */
	vmsi_pageset_add(&atomic->taken, run);
	vmsi_pageset_remove(&atomic->written, run);
	for (; run.first < run.end; run.first++) {
		int error = vmsi_staging_is_full(&atomic->staging) ?
			write_piece(file) : 0;

		if (error)
			return error;
		vmsi_staging_add(&atomic->staging, run.first,
				 file->base + run.first * page);
	}
	return 0;
}

static int take_written(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	struct vmsi_page_run run = { 0, 0 };
	int error = vmsi_alone_find(file);

	if (!error)
		error = vmsi_whole_skip_lost(file);
	if (error)
		return error;
	error = vmsi_staging_prepare(&atomic->staging,
				     vmsi_pageset_count(&atomic->written));
	while (!error && vmsi_pageset_next(&atomic->written, run.end, &run))
		error = take_run(file, run);
	return error;
}

/*
 * Pages that were told are perhaps the home file's still, which may have been cut off; or
 * it was, and private pages have gone with that.
 */
static int take_what_is_there(struct vms_file *file)
{
	struct vms_file_access access;
	int error, lost;

	vmsi_accesses_begin(&access, file);
	error = take_written(file);
	lost = vmsi_accesses_end(&access);
	if (!error)
		error = lost;
	return error ? error :
		vmsi_whole_check(file, &file->atomic->taken);
}

static bool is_nothing_new(const struct vms_file *file)
{
	const struct vmsi_atomic *atomic = file->atomic;
	const uint64_t size = atomic_load(&file->size);

	/* A commit that has failed may be on disk, and must not come back. */
	return !atomic->journal.is_unsettled &&
		vmsi_pageset_count(&atomic->taken) == 0 &&
		vmsi_pageset_count(&atomic->spilled) == 0 &&
		size == atomic->journal.sizes.size && atomic->smallest == size;
}

/*
 * What a commit that fails goes back to: the records of the journal and the sizes as
 * they were before it.
 */
struct before {
	struct vmsi_journal_mark mark;
	uint64_t smallest, record_smallest;
};

static int take(struct vms_file *file, struct vmsi_sizes *sizes,
		struct before *before, bool *nothing)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

	vmsi_alone_begin(file);
	*before = (struct before){ vmsi_journal_mark(&atomic->journal),
				   atomic->smallest, atomic->record_smallest };
	error = take_what_is_there(file);
	*sizes = vmsi_alone_sizes(file);
	*nothing = !error && is_nothing_new(file);
	/* What is cut off from here on is the next commit's to tell. */
	atomic->smallest = atomic->record_smallest = sizes->size;
	vmsi_alone_end(file);
	return error;
}

/* With the lock of the file, by which pages that are cut off leave all sets. */
static void move_taken(struct vms_file *file, struct vmsi_pageset *to)
{
	struct vmsi_pageset *taken = &file->atomic->taken;
	struct vmsi_page_run run = { 0, 0 };

	while (vmsi_pageset_next(taken, run.end, &run)) {
		vmsi_pageset_add(to, run);
		vmsi_pageset_remove(taken, run);
	}
}

/* What was taken for a commit that did not come to be is written still. */
static void untake(struct vms_file *file, struct before before)
{
	struct vmsi_atomic *atomic = file->atomic;

	vmsi_journal_take_back(&atomic->journal, before.mark);
	vmsi_lock_acquire(&file->lock);
	move_taken(file, &atomic->written);
	atomic->smallest = vmsi_min(atomic->smallest, before.smallest);
	atomic->record_smallest = vmsi_min(atomic->record_smallest,
					   before.record_smallest);
	vmsi_lock_release(&file->lock);
}

static void keep_taken(struct vms_file *file)
{
	vmsi_lock_acquire(&file->lock);
	move_taken(file, &file->atomic->kept);
	vmsi_lock_release(&file->lock);
	atomic_store(&file->atomic->spilled_bytes, 0);
}

/* --- journal and home -------------------------------------------------------------- */

static int write_journal(struct vms_file *file, struct vmsi_sizes sizes)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error = vmsi_journal_write(&atomic->journal, VMSI_RECORD_COMMIT,
				       sizes, atomic->staging.images,
				       atomic->staging.count, NULL);

	if (error)
		return error;
	atomic_fetch_add(&file->syncs, 1);
	return vmsi_journal_sync(&atomic->journal);
}

static int tell_behind(struct vmsi_atomic *atomic)
{
	return vmsi_home_lock_tell_behind(&atomic->lock, atomic->journal.end);
}

/*
 * Let readers in again. Those that would see a part of a commit and take it for whole
 * wait until it is.
 */
static void end_write(struct vmsi_atomic *atomic, int error)
{
	if (!error)
		vmsi_home_lock_tell_whole(&atomic->lock);
	else if (tell_behind(atomic) != 0)
		return;
	vmsi_home_lock_end(&atomic->lock);
}

/*
 * The home file was written. On the way it may have been shorter than it is now, where
 * it was behind.
 */
static void follow_home(struct vms_file *file, bool was_cut)
{
	vmsi_lock_acquire(&file->lock);
	if (was_cut)
		vmsi_atomic_was_cut(file);
	vmsi_whole_arm(file);
	vmsi_lock_release(&file->lock);
}

/*
 * Where it fails, or readers stay in it, the home file is behind: readers who come look
 * at the journal, which has the commit.
 */
static void write_home(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	const bool was_behind = atomic->journal.home_behind;
	const uint64_t size = atomic->journal.home_size;
	/* They were waited for just now, before the commit. */
	int error = vmsi_home_lock_try_write(&atomic->lock, was_behind ?
					     VMSI_NO_PAUSE : VMSI_A_MOMENT);

	if (error) {
		atomic->journal.home_behind = true;
		(void)tell_behind(atomic);
		return;
	}
	error = vmsi_journal_write_home(&atomic->journal, atomic->staging.images,
					atomic->staging.count);
	end_write(atomic, error);
	follow_home(file, was_behind || atomic->journal.home_size < size);
}

int vmsi_commit_catch_up(struct vms_file *file, enum vmsi_patience patience)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

	if (!atomic->journal.home_behind)
		return 0;
	error = patience == VMSI_TRY ?
		vmsi_home_lock_try_write(&atomic->lock, VMSI_A_MOMENT) :
		vmsi_home_lock_begin_write(&atomic->lock);
	if (error)
		return error;
	error = vmsi_journal_catch_up(&atomic->journal);
	end_write(atomic, error);
	follow_home(file, true);
	return error;
}

static int make_durable(struct vms_file *file, bool *nothing)
{
	struct before before;
	struct vmsi_sizes sizes;
	int error = take(file, &sizes, &before, nothing);

	if (!error)
		error = vmsi_journal_check_home(&file->atomic->journal);
	if (!error && !*nothing)
		error = write_journal(file, sizes);
	if (error)
		untake(file, before);
	return error;
}

static int commit_turn(struct vms_file *file)
{
	bool nothing = false;
	int error;

	/* What is new becomes durable without it, as long as the journal has room. */
	(void)vmsi_commit_catch_up(file, vmsi_journal_is_full(&file->atomic->journal) ?
					 VMSI_WAIT : VMSI_TRY);
	error = make_durable(file, &nothing);
	if (error || nothing)
		return error;
	keep_taken(file);
	write_home(file);
	vmsi_trim(file);
	return 0;
}

static int commit_stalled(struct vms_file *file)
{
	struct vmsi_range stalled;
	int error = vmsi_alone_stall(file, &stalled);

	if (error)
		return error;
	error = commit_turn(file);
	vmsi_alone_let_go(file, stalled);
	return error;
}

/* In a turn, which one thread leads at a time. */
static int lead(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

	vmsi_turns_begin(&atomic->turns);
	vmsi_lock_acquire(&atomic->committing);
	error = vmsi_alone_stalls(atomic) ? commit_stalled(file) : commit_turn(file);
	vmsi_lock_release(&atomic->committing);
	vmsi_turns_end(&atomic->turns, error);
	return error;
}

int vmsi_commit(struct vms_file *file)
{
	struct vmsi_comer comer;
	int error = 0;

	if (vmsi_turns_come(&file->atomic->turns, &comer, &error))
		error = lead(file);
	if (!error)
		atomic_fetch_add(&file->atomic->commits, 1);
	return error;
}
