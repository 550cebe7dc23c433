/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/align.h"
#include "file/alone.h"
#include "file/atomic.h"
#include "file/atomic_state.h"
#include "file/base.h"
#include "file/file.h"
#include "file/show.h"
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

static bool has_bytes(const char *from, const char *end)
{
	while (from < end && !*from)
		from++;
	return from < end;
}

/* What was stored behind the end, in the last page, is no part of what it grows by. */
static int clear_behind(struct vms_file *file, uint64_t size)
{
	char *const from = file->base + size;
	char *const end = file->base + vmsi_page_end(size);
	const uint64_t page = size / vmsi_page_size();
	int error;

	if (!has_bytes(from, end))
		return 0;
	error = vmsi_alone_admit(file, (struct vmsi_page_run){ page, page + 1 });
	if (!error)
		memset(from, 0, (size_t)(end - from));
	return error;
}

static int grow(struct vms_file *file, uint64_t size)
{
	const uint64_t mapped = file->mapped / vmsi_page_size();
	int error = clear_behind(file, atomic_load(&file->size));

	if (!error)
		error = take_space(file, size);
	if (!error && vmsi_pages_of(size) > mapped)
		error = vmsi_show_zeros(file, (struct vmsi_page_run){
			mapped, vmsi_pages_of(size) });
	if (!error)
		atomic_store(&file->size, size);
	return error;
}

static int shrink(struct vms_file *file, uint64_t size)
{
	struct vmsi_atomic *atomic = file->atomic;
	const size_t page = vmsi_page_size();
	const uint64_t last = size / page;
	int error = size % page ? vmsi_alone_admit(file, (struct vmsi_page_run){
		last, last + 1 }) : 0;

	if (!error)
		error = vmsi_show_nothing(file, vmsi_pages_of(size));
	if (error)
		return error;
	/* What the last page has behind the end is not there when it grows again. */
	if (size % page) {
		memset(file->base + size, 0, page - size % page);
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

	if (error)
		return error;
	memcpy(file->base + at, bytes, length);
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
