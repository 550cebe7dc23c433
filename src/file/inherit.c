/* SPDX-License-Identifier: MIT */
#include "file/inherit.h"

#include <string.h>
#include <sys/mman.h>

#include "file/accesses.h"
#include "file/atomic_state.h"
#include "file/file.h"
#include "file/show.h"
#include "host/host.h"
#include "space/inside.h"

/* --- in the parent ------------------------------------------------------------------ */

static void copy_spilled(struct vms_file *file, char *to)
{
	struct vmsi_pageset *spilled = &file->atomic->spilled;
	struct vmsi_page_run run = { 0, 0 };

	while (vmsi_pageset_next(spilled, run.end, &run)) {
		const struct vmsi_range range = vmsi_pages_range(file, run);

		memcpy(to, (const char *)range.start, vmsi_range_length(range));
		to += vmsi_range_length(range);
	}
}

/*
 * A page that the journal's disk does not give reads as zeros here, as in any access;
 * the parent meets the loss when it reads the page itself.
 */
static void copy_in_access(struct vms_file *file, char *to)
{
	struct vms_file_access access;

	vmsi_accesses_begin(&access, file);
	copy_spilled(file, to);
	(void)vmsi_accesses_end(&access);
}

void vmsi_inherit_prepare(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	struct vmsi_inheritance *inheritance = &atomic->inheritance;
	const uint64_t pages = atomic->reads ? 0 :
		vmsi_pageset_count(&atomic->spilled);
	long memory;

	if (pages == 0)
		return;
	memory = vmsi_host.mmap(0, pages * vmsi_page_size(),
				PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory < 0)
		return;
	inheritance->pages = (char *)memory;
	inheritance->bytes = pages * vmsi_page_size();
	copy_in_access(file, inheritance->pages);
}

void vmsi_inherit_forget(struct vms_file *file)
{
	struct vmsi_inheritance *inheritance = &file->atomic->inheritance;

	if (inheritance->pages)
		vmsi_host.munmap((uintptr_t)inheritance->pages,
				 inheritance->bytes);
	*inheritance = (struct vmsi_inheritance){ .pages = NULL };
}

/* --- in the child ------------------------------------------------------------------- */

/* Where there is no copy, a fault is better than bytes that change by themselves. */
static void take_run(struct vms_file *file, struct vmsi_page_run run,
		     const char *from)
{
	const struct vmsi_range range = vmsi_pages_range(file, run);
	const long at = vmsi_mmap(file->space, range.start,
				  vmsi_range_length(range),
				  from ? PROT_READ | PROT_WRITE : PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (at >= 0 && from)
		memcpy((char *)range.start, from, vmsi_range_length(range));
}

static void take_spilled(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	const char *from = atomic->inheritance.pages;
	struct vmsi_page_run run = { 0, 0 };

	while (vmsi_pageset_next(&atomic->spilled, run.end, &run)) {
		take_run(file, run, from);
		from = from ? from + (run.end - run.first) * vmsi_page_size() :
			NULL;
		vmsi_pageset_remove(&atomic->spilled, run);
		vmsi_pageset_add(&atomic->anonymous, run);
	}
	vmsi_inherit_forget(file);
}

/*
 * They are the parent's for as long as it lives, and not longer: another writer may
 * come then, and readers must not be told that the file is whole.
 */
static void let_locks_go(struct vms_file *file)
{
	struct vmsi_home_lock *lock = &file->atomic->lock;

	if (lock->fd < 0 || lock->fd == file->fd)
		return;
	vmsi_host.close(lock->fd);
	lock->fd = -1;
}

void vmsi_inherit_take(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;

	if (atomic->reads)
		return;
	take_spilled(file);
	vmsi_journal_abandon(&atomic->journal);
	let_locks_go(file);
	/* It would tell of the parent's memory, and follow it. */
	if (atomic->tracks)
		vmsi_tracker_close(&atomic->tracker);
	atomic->tracks = false;
}
