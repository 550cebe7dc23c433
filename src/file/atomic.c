/* SPDX-License-Identifier: MIT */
#include "file/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/align.h"
#include "file/atomic_state.h"
#include "file/commit.h"
#include "file/descriptor.h"
#include "file/file.h"
#include "file/journal_path.h"
#include "file/inherit.h"
#include "file/overlay.h"
#include "file/reader.h"
#include "file/reading.h"
#include "file/show.h"
#include "host/disk.h"
#include "host/host.h"
#include "space/inside.h"

/* --- sets -------------------------------------------------------------------------- */

static void close_sets(struct vmsi_atomic *atomic)
{
	vmsi_pageset_close(&atomic->written);
	vmsi_pageset_close(&atomic->taken);
	vmsi_pageset_close(&atomic->kept);
	vmsi_pageset_close(&atomic->spilled);
	vmsi_pageset_close(&atomic->anonymous);
}

static int open_sets(struct vmsi_atomic *atomic, uint64_t pages)
{
	struct vmsi_pageset *const sets[] = {
		&atomic->written, &atomic->taken, &atomic->kept,
		&atomic->spilled, &atomic->anonymous,
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		int error = vmsi_pageset_open(sets[i], pages);

		if (error)
			return error;
	}
	return 0;
}

/* --- opening and closing ------------------------------------------------------------ */

static uint64_t dirty_pages(size_t dirty_limit)
{
	const size_t limit = dirty_limit ? dirty_limit : vmsi_host_memory() / 8;

	return vmsi_max(limit / vmsi_page_size(), 1);
}

/*
 * A program that tells what it writes needs the tracker only where pages are spilled:
 * without it, none are. One that does not tell cannot do without.
 */
static int open_tracker(struct vmsi_atomic *atomic)
{
	int error = vmsi_tracker_open(&atomic->tracker, atomic->tells ?
				      VMSI_TRACK_PRIVATE : VMSI_TRACK_WRITTEN);

	atomic->tracks = error == 0;
	return atomic->tells ? 0 : error;
}

static void close_tracker(struct vmsi_atomic *atomic)
{
	if (atomic->tracks)
		vmsi_tracker_close(&atomic->tracker);
}

/* Recovery has left the home file as the latest commit has it, and the journal empty. */
static int begin_with_home(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error = vmsi_disk_size(file->fd, &atomic->journal.sizes.size);

	if (error)
		return error;
	atomic->journal.sizes.smallest = atomic->journal.sizes.size;
	return vmsi_home_lock_tell_whole(&atomic->lock, true);
}

static int open_journal(struct vms_file *file, const char *path,
			const char **problem)
{
	struct vmsi_journal *journal = &file->atomic->journal;
	int error = vmsi_journal_open(journal, file->fd, path,
				      VMSI_JOURNAL_WRITE, problem);

	if (error)
		return error;
	error = begin_with_home(file);
	if (error)
		(void)vmsi_journal_close(journal);
	return error;
}

static int open_writer(struct vms_file *file, const char *path,
		       const char **problem)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error = vmsi_home_lock_writer(&atomic->lock);

	if (error)
		return error;
	error = open_tracker(atomic);
	if (error)
		return error;
	/* Readers keep out while recovery writes. */
	error = vmsi_home_lock_begin_write(&atomic->lock);
	if (error)
		goto close_tracker;
	error = open_journal(file, path, problem);
	vmsi_home_lock_end(&atomic->lock);
	if (!error)
		return 0;
close_tracker:
	close_tracker(atomic);
	return error;
}

/*
 * A description that the file is mapped by is there, with its locks, for as long as a
 * child of a fork has the mapping. Where there is no other to be had, that is so.
 */
static void open_lock(const struct vms_file *file, struct vmsi_atomic *atomic)
{
	const int fd = vmsi_descriptor_reopen(file->fd, atomic->reads ?
					      O_RDONLY : O_RDWR);

	atomic->lock.fd = fd >= 0 ? fd : file->fd;
}

static void drop_atomic(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;

	file->atomic = NULL;
	if (atomic->lock.fd >= 0 && atomic->lock.fd != file->fd &&
	    vmsi_descriptor_is_of(file, atomic->lock.fd))
		vmsi_host.close(atomic->lock.fd);
	vmsi_records_put(NULL, atomic,
			 vmsi_align_up(sizeof(*atomic), vmsi_page_size()));
}

int vmsi_atomic_open(struct vms_file *file, const char *journal,
		     size_t dirty_limit, const char **problem)
{
	struct vmsi_atomic *atomic;
	int error;

	if (strlen(journal) >= sizeof(atomic->path))
		return -ENAMETOOLONG;
	atomic = vmsi_records_get(NULL, vmsi_align_up(sizeof(*atomic),
						      vmsi_page_size()));
	if (!atomic)
		return vmsi_refuse(VMS_REFUSAL_RECORDS);
	atomic->reads = vmsi_file_has(file, VMS_FILE_READ_ONLY);
	atomic->tells = vmsi_file_has(file, VMS_FILE_TELLS);
	atomic->dirty_pages = dirty_pages(dirty_limit);
	open_lock(file, atomic);
	vmsi_lock_init(&atomic->committing, VMSI_RANK_COMMIT);
	vmsi_turns_init(&atomic->turns);
	vmsi_gate_init(&atomic->gate);
	vmsi_reading_init(&atomic->reader);
	file->atomic = atomic;
	vmsi_path_copy(atomic->path, journal);
	error = atomic->reads ? vmsi_reader_open(file, atomic->path, problem) :
		open_writer(file, atomic->path, problem);
	if (error)
		drop_atomic(file);
	return error;
}

static struct vmsi_range mapped_range(const struct vms_file *file)
{
	const uintptr_t base = (uintptr_t)file->base;

	return (struct vmsi_range){ base, base + file->mapped };
}

int vmsi_atomic_start(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	const uintptr_t base = (uintptr_t)file->base;
	int error;

	if (atomic->reads)
		return vmsi_reader_start(file);
	error = open_sets(atomic, file->maximum / vmsi_page_size());
	if (error)
		return error;
	atomic->smallest = atomic->journal.sizes.size;
	atomic->record_smallest = atomic->smallest;
	atomic->space = atomic->smallest;
	if (!atomic->tells) {
		error = vmsi_stall_open(&atomic->stall, (struct vmsi_range){
			base, base + file->maximum });
		if (error)
			return error;
	}
	if (!atomic->tracks)
		return 0;
	vmsi_whole_arm(file);
	return vmsi_tracker_follow(&atomic->tracker, mapped_range(file));
}

int vmsi_atomic_check_descriptors(const struct vms_file *file)
{
	const struct vmsi_atomic *atomic = file->atomic;
	const int error = vmsi_journal_check_descriptor(&atomic->journal);

	return error || vmsi_descriptor_is_of(file, atomic->lock.fd) ? error : -EBADF;
}

void vmsi_atomic_leave(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;

	atomic->is_left = true;
}

static int close_journal(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error;

	vmsi_lock_acquire(&atomic->committing);
	vmsi_journal_discard(&atomic->journal);
	error = vmsi_commit_catch_up(file, VMSI_WAIT);
	vmsi_lock_release(&atomic->committing);
	if (!error)
		return vmsi_journal_close(&atomic->journal);
	vmsi_journal_abandon(&atomic->journal);
	return error;
}

/* The journal that a forked child has inherited is its parent's, with all it has. */
static int close_writer(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error = 0;

	const bool is_childs = atomic_load(&atomic->inherited);

	if (!is_childs && !atomic->is_left)
		error = vmsi_atomic_check_descriptors(file);
	if (error || is_childs || atomic->is_left)
		vmsi_journal_abandon(&atomic->journal);
	else
		error = close_journal(file);
	if (atomic->stall)
		vmsi_stall_close(atomic->stall);
	close_tracker(atomic);
	vmsi_whole_close(file);
	close_sets(atomic);
	vmsi_staging_close(&atomic->staging);
	return error;
}

int vmsi_atomic_close(struct vms_file *file)
{
	int error = 0;

	if (file->atomic->reads)
		vmsi_reader_close(file);
	else
		error = close_writer(file);
	drop_atomic(file);
	return error;
}

/* Only pages that are read from the home file can be lost. */
int vmsi_atomic_show_again(struct vms_file *file, uint64_t offset,
			   uint64_t length)
{
	const size_t page = vmsi_page_size();
	const struct vmsi_page_run run = { offset / page,
					   (offset + length) / page };

	return file->atomic->reads ? vmsi_overlay_show_again(file, run) :
		vmsi_show_home(file, run);
}

/* --- fork --------------------------------------------------------------------------- */

void vmsi_atomic_hold(struct vms_file *file)
{
	if (file->atomic->reads)
		vmsi_reading_hold(file);
}

void vmsi_atomic_before_fork(struct vms_file *file)
{
	if (file->atomic->reads)
		vmsi_reading_before_fork(file);
	else
		vmsi_inherit_prepare(file);
}

void vmsi_atomic_after_fork(struct vms_file *file)
{
	if (file->atomic->reads)
		vmsi_reading_after_fork(file);
	else
		vmsi_inherit_forget(file);
}

void vmsi_atomic_forked(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;

	if (atomic->reads) {
		vmsi_reading_forked(file);
		return;
	}
	if (atomic->stall)
		vmsi_stall_forked(atomic->stall, mapped_range(file));
	atomic->stalled = false;
	vmsi_inherit_take(file);
	atomic_store(&atomic->inherited, true);
	vmsi_lock_init(&atomic->committing, VMSI_RANK_COMMIT);
	vmsi_turns_init(&atomic->turns);
	vmsi_gate_init(&atomic->gate);
}

void vmsi_atomic_stats(struct vms_file *file, struct vms_file_stats *stats)
{
	struct vmsi_atomic *atomic = file->atomic;

	vmsi_lock_acquire(&atomic->committing);
	stats->commits = atomic_load(&atomic->commits);
	stats->journal_bytes = atomic->journal.next_end;
	stats->spilled_bytes = atomic_load(&atomic->spilled_bytes);
	vmsi_lock_release(&atomic->committing);
}
