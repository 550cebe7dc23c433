/* SPDX-License-Identifier: MIT */
#include "file/trim.h"

#include <stdatomic.h>

#include "file/accesses.h"
#include "file/alone.h"
#include "file/atomic_state.h"
#include "file/file.h"
#include "file/show.h"
#include "host/host.h"

/*
 * Make a page private without changing it, though a store may be made at the same
 * time: what it shows is about to change under it.
 */
static void make_private(const struct vms_file *file, uint64_t page)
{
	__atomic_fetch_or(file->base + page * vmsi_page_size(), 0,
			  __ATOMIC_RELAXED);
}

/*
 * A page that was told is perhaps not stored to yet. Once it is private it does not
 * show the journal any more; as it is not mapped from home, it counts as anonymous.
 * Where the journal does not give it, the page is lost, and the next commit finds that.
 */
static int own(struct vms_file *file, struct vmsi_page_run run)
{
	struct vms_file_access access;
	int error;

	vmsi_accesses_begin(&access, file);
	for (uint64_t page = run.first; page < run.end; page++)
		make_private(file, page);
	error = vmsi_accesses_end(&access);
	if (error)
		return error;
	vmsi_pageset_add(&file->atomic->anonymous, run);
	vmsi_pageset_remove(&file->atomic->spilled, run);
	return 0;
}

static int trim_spilled(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	struct vmsi_page_run run = { 0, 0 };

	while (vmsi_pageset_next(&atomic->spilled, run.end, &run)) {
		struct vmsi_page_run part = vmsi_pageset_alike(&atomic->written,
							       run);
		const int error =
			vmsi_pageset_has(&atomic->written, part.first) ?
			own(file, part) : vmsi_show_home_around(file, part);

		if (error)
			return error;
		run.end = part.end;
	}
	return 0;
}

static int trim_kept(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	struct vmsi_page_run run = { 0, 0 };

	while (vmsi_pageset_next(&atomic->kept, run.end, &run)) {
		struct vmsi_page_run part = vmsi_pageset_alike(&atomic->written,
							       run);

		if (!vmsi_pageset_has(&atomic->written, part.first)) {
			int error = vmsi_show_home_again(file, part);

			if (error)
				return error;
			vmsi_pageset_remove(&atomic->kept, part);
		}
		run.end = part.end;
	}
	return 0;
}

static bool has_too_many(const struct vmsi_atomic *atomic)
{
	return vmsi_alone_stalls(atomic) ||
		vmsi_pageset_count(&atomic->kept) > atomic->dirty_pages;
}

static void trim_pages(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;

	vmsi_alone_begin(file);
	/*
	 * What was stored since the commit stays. Where the program tells, it is in
	 * `written`; where all is held, there is nothing.
	 */
	if ((atomic->tells || vmsi_alone_stalls(atomic) ||
	     vmsi_alone_find(file) == 0) &&
	    trim_spilled(file) == 0 && has_too_many(atomic))
		(void)trim_kept(file);
	vmsi_alone_end(file);
}

/* Where the program does not tell, stores are made outside of updates, too. */
static void trim_stalled(struct vms_file *file)
{
	struct vmsi_range stalled;

	if (file->atomic->tells || vmsi_alone_stalls(file->atomic)) {
		trim_pages(file);
	} else if (vmsi_alone_stall(file, &stalled) == 0) {
		trim_pages(file);
		vmsi_alone_let_go(file, stalled);
	}
}

void vmsi_trim(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;

	if (atomic->journal.home_behind)
		return;
	if (vmsi_pageset_count(&atomic->spilled) || has_too_many(atomic))
		trim_stalled(file);
	if (vmsi_pageset_count(&atomic->spilled) == 0 &&
	    vmsi_journal_is_full(&atomic->journal) &&
	    vmsi_journal_checkpoint(&atomic->journal) == 0)
		atomic_fetch_add(&file->syncs, 2);
}
