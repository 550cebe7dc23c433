/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/align.h"
#include "file/accesses.h"
#include "file/alone.h"
#include "file/atomic.h"
#include "file/atomic_state.h"
#include "file/base.h"
#include "file/descriptor.h"
#include "file/file.h"
#include "file/show.h"
#include "file/spill.h"
#include "host/disk.h"
#include "host/host.h"

/*
 * The size of an atomic file changes with the next commit. What it grows by is memory
 * of its own until then, and has its space on disk past the end of the home file, where
 * no byte and no size tells of it.
 */

#define SPACE_STEP ((uint64_t)1 << 20)

/*
 * Space is taken by more than is needed, so that many small growths ask once. A file
 * system that cannot give space without a size (EOPNOTSUPP) gives it when the commit
 * is written home, which may fail then: the commit stays in the journal.
 */
static int take_space(struct vms_file *file, uint64_t size)
{
	struct vmsi_atomic *atomic = file->atomic;
	const uint64_t ahead = vmsi_min(vmsi_align_up(size, SPACE_STEP),
					file->maximum);
	int error;

	if (vmsi_file_has(file, VMS_FILE_SPARSE) || size <= atomic->space)
		return 0;
	error = vmsi_disk_extend_ahead(file->fd, VMSI_DISK_KEEP_SIZE,
				       &atomic->space, size, ahead);
	if (error != -EOPNOTSUPP)
		return error;
	atomic->space = ahead;
	return 0;
}

/*
 * Just given back, the space is there, unless another process has taken it: then the
 * commit of the growth stays in the journal.
 */
void vmsi_atomic_was_cut(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;

	atomic->space = vmsi_min(atomic->space, atomic->journal.home_size);
	(void)take_space(file, atomic_load(&file->size));
}

/*
 * Whether the process and the file system let the home file become so long: a commit is
 * acknowledged before it is written there. To move the description's position past the
 * largest file of the file system is EINVAL.
 */
static int may_reach(struct vms_file *file, uint64_t size)
{
	struct vmsi_atomic *atomic = file->atomic;
	int error = vmsi_disk_check_limit(size);

	if (error || size <= atomic->reach)
		return error;
	if (vmsi_host.seek(file->fd, size) == -EINVAL)
		return -EFBIG;
	atomic->reach = vmsi_host.seek(file->fd, file->maximum) < 0 ?
		size : file->maximum;
	return 0;
}

/* --- loads and stores, where the home file may have been cut off ---------------------- */

/* What is lost shows zeros, whoever has met that. */
static int end_access(struct vms_file_access *access, uint64_t offset,
		      uint64_t length)
{
	int error = vmsi_accesses_end(access);

	return error ? error :
		vmsi_losses_why(&access->file->losses, offset, length);
}

/* Whether the last page has something behind an end that lies in it. */
static int look_behind(struct vms_file *file, uint64_t size, bool *found)
{
	const uint64_t end = vmsi_page_end(size);
	struct vms_file_access access;
	uint64_t at = size;

	vmsi_accesses_begin(&access, file);
	while (at < end && !file->base[at])
		at++;
	*found = at < end;
	return end_access(&access, size, end - size);
}

static int clear(struct vms_file *file, uint64_t size)
{
	const size_t length = (size_t)(vmsi_page_end(size) - size);
	struct vms_file_access access;

	vmsi_accesses_begin(&access, file);
	memset(file->base + size, 0, length);
	return end_access(&access, size, length);
}

static int copy_in(struct vms_file *file, uint64_t at, const void *bytes,
		   size_t length)
{
	struct vms_file_access access;

	vmsi_accesses_begin(&access, file);
	memcpy(file->base + at, bytes, length);
	return end_access(&access, at, length);
}

/* Make a page private that is going to be stored to, without changing it. */
static int touch(struct vms_file *file, uint64_t page)
{
	struct vms_file_access access;

	vmsi_accesses_begin(&access, file);
	__atomic_fetch_or(file->base + page * vmsi_page_size(), 0,
			  __ATOMIC_RELAXED);
	return end_access(&access, page * vmsi_page_size(), 1);
}

/* --- sizes ----------------------------------------------------------------------------- */

/* What was stored behind the end, in the last page, is no part of what it grows by. */
static int clear_behind(struct vms_file *file, uint64_t size)
{
	const uint64_t page = size / vmsi_page_size();
	bool found;
	int error = look_behind(file, size, &found);

	if (error || !found)
		return error;
	error = vmsi_alone_admit(file, (struct vmsi_page_run){ page, page + 1 });
	return error ? error : clear(file, size);
}

static int grow(struct vms_file *file, uint64_t size)
{
	const uint64_t mapped = file->mapped / vmsi_page_size();
	int error = may_reach(file, size);

	if (!error)
		error = clear_behind(file, atomic_load(&file->size));
	if (!error)
		error = take_space(file, size);
	if (!error && vmsi_pages_of(size) > mapped)
		error = vmsi_show_zeros(file, (struct vmsi_page_run){
			mapped, vmsi_pages_of(size) });
	if (!error)
		atomic_store(&file->size, size);
	return error;
}

static int admit_last(struct vms_file *file, uint64_t size)
{
	const uint64_t last = size / vmsi_page_size();
	int error;

	if (size % vmsi_page_size() == 0)
		return 0;
	error = vmsi_alone_admit(file, (struct vmsi_page_run){ last, last + 1 });
	return error ? error : touch(file, last);
}

static int shrink(struct vms_file *file, uint64_t size)
{
	struct vmsi_atomic *atomic = file->atomic;
	const size_t page = vmsi_page_size();
	const uint64_t last = size / page;
	int error = admit_last(file, size);

	if (!error)
		error = vmsi_show_nothing(file, vmsi_pages_of(size));
	if (error)
		return error;
	/*
	 * What the last page has behind the end is not there when it grows again. It was
	 * stored to just now: where it is lost meanwhile, the next commit finds that.
	 */
	if (size % page) {
		(void)clear(file, size);
		vmsi_pageset_add(&atomic->written,
				 (struct vmsi_page_run){ last, last + 1 });
	}
	atomic_store(&file->size, size);
	atomic->smallest = vmsi_min(atomic->smallest, size);
	atomic->record_smallest = vmsi_min(atomic->record_smallest, size);
	atomic->space = vmsi_min(atomic->space, size);
	return 0;
}

static int set_size(struct vms_file *file, uint64_t size)
{
	if (size > file->maximum)
		return -EFBIG;
	return size < atomic_load(&file->size) ? shrink(file, size) :
		grow(file, size);
}

int vmsi_atomic_resize(struct vms_file *file, uint64_t size)
{
	int error;

	if (atomic_load(&file->atomic->inherited))
		return -EPERM;
	error = vmsi_descriptor_look(file, NULL);
	if (error)
		return error;
	vmsi_lock_acquire(&file->lock);
	error = set_size(file, size);
	vmsi_lock_release(&file->lock);
	return error;
}

/* Only the page that the file ended in was there before, and may be stalled. */
static int store(struct vms_file *file, uint64_t at, const void *bytes,
		 size_t length)
{
	const size_t page = vmsi_page_size();
	int error = at % page ? vmsi_alone_admit(file, (struct vmsi_page_run){
		at / page, at / page + 1 }) : 0;

	if (!error)
		error = copy_in(file, at, bytes, length);
	if (error)
		return error;
	vmsi_pageset_add(&file->atomic->written, (struct vmsi_page_run){
		at / page, vmsi_pages_of(at + length) });
	return 0;
}

/*
 * A commit copies pages with the lock of the file, so it has all that is appended or
 * nothing.
 */
int vmsi_atomic_append(struct vms_file *file, const void *bytes, size_t length,
		       uint64_t *offset)
{
	uint64_t at, end;
	int error;

	if (atomic_load(&file->atomic->inherited))
		return -EPERM;
	error = vmsi_descriptor_look(file, NULL);
	if (!error && file->atomic->tells)
		error = vmsi_spill_if_large(file);
	if (error)
		return error;
	vmsi_lock_acquire(&file->lock);
	at = atomic_load(&file->size);
	error = vmsi_add(at, length, &end) ? set_size(file, end) : -EFBIG;
	if (!error && bytes && length) {
		error = store(file, at, bytes, length);
		if (error)
			(void)set_size(file, at);
	}
	vmsi_lock_release(&file->lock);
	if (!error && offset)
		*offset = at;
	return error;
}
