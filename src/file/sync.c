/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include "file/base.h"
#include "file/descriptor.h"
#include "file/gather.h"
#include "file/sync.h"
#include "file/write_error.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * Making a shared file durable.
 *
 * All of a file: fdatasync(2). A part: msync(2) with MS_SYNC, which is fdatasync of
 * that range to Linux (vfs_fsync_range): it writes the pages, commits what is needed
 * to read them back, the size too, and has the disk empty its cache. (So does not
 * sync_file_range(2), which writes pages and nothing else.) It reports errors as
 * fdatasync of file->fd does, since the mapping has the same description, and the
 * kernel tells each description once of an error, whatever page it is of.
 *
 * Once told, the kernel forgets the error, and the pages that could not be written
 * are clean: the next fdatasync would return 0 without them. So they are marked dirty
 * again at once. Which ones they are is not told, and they may lie outside of the
 * range: so all that is in memory is marked. That is much to write again, and an
 * error of the disk is rare. What was evicted from memory meanwhile is lost, and
 * what was told is all that is known of it.
 *
 * What is lost takes stores that nobody sees, of any thread: it is not on disk, though
 * the sync has done all that it can.
 *
 * One thread syncs at a time. Another one, whose pages have failed too, might
 * otherwise find the error taken and its pages not marked yet, and return 0.
 */

/* --- marking again -------------------------------------------------------------------- */

/* So many pages are asked about at once. */
#define PAGES_AT_ONCE 4096

/*
 * Store what is there, in one step: another thread may be writing. The kernel sees
 * a store and marks the page. (To add 0 may be compiled into a load.)
 */
static void store_again(void *page)
{
	_Atomic uint64_t *word = page;
	uint64_t value = atomic_load_explicit(word, memory_order_relaxed);

	(void)atomic_compare_exchange_strong(word, &value, value);
}

static int mark_resident(char *start, size_t pages)
{
	unsigned char resident[PAGES_AT_ONCE];
	const size_t page = vmsi_page_size();
	int error = (int)vmsi_host.mincore((uintptr_t)start, pages * page,
					   resident);

	if (error)
		return error;
	for (size_t i = 0; i < pages; i++)
		if (resident[i] & 1)
			store_again(start + i * page);
	return 0;
}

static int mark_range(char *start, size_t length)
{
	const size_t most = PAGES_AT_ONCE * vmsi_page_size();
	int error = 0;

	while (length > 0 && !error) {
		const size_t step = vmsi_min(length, most);

		error = mark_resident(start, step / vmsi_page_size());
		start += step;
		length -= step;
	}
	return error;
}

/* Where a file has no base, it is mapped for this, a part at a time. */
#define PART_BYTES ((uint64_t)1 << 30)

static int mark_part(struct vms_file *file, uint64_t offset, size_t length)
{
	long start = vmsi_host.mmap(0, length, PROT_READ | PROT_WRITE,
				    MAP_SHARED, file->fd, offset);
	int error;

	if (start < 0)
		return (int)start;
	error = mark_range((char *)start, length);
	(void)vmsi_host.munmap((uintptr_t)start, length);
	return error;
}

static int mark_parts(struct vms_file *file, uint64_t end)
{
	int error = 0;

	for (uint64_t at = 0; at < end && !error; at += PART_BYTES)
		error = mark_part(file, at, vmsi_min(end - at, PART_BYTES));
	return error;
}

/* A page that is gone meanwhile is not written again; the access keeps it harmless. */
static int mark_again(struct vms_file *file)
{
	const uint64_t end = vmsi_page_end(file->size);
	struct vms_file_access access;
	const int earlier = errno;
	int error;

	if (vmsi_file_has(file, VMS_FILE_READ_ONLY))
		return 0;
	if (vms_file_begin_access(file, &access) != 0)
		return -errno;
	error = file->base ? mark_range(file->base, end) :
			     mark_parts(file, end);
	(void)vms_file_end_access(&access, NULL);
	errno = earlier;
	return error;
}

/* --- syncs ---------------------------------------------------------------------------- */

static bool is_whole(const struct vms_file *file, uint64_t offset, uint64_t length)
{
	return !file->base || (offset == 0 && length >= file->size);
}

static int sync_data(struct vms_file *file, uint64_t offset, uint64_t length,
		     unsigned flags)
{
	struct vmsi_range range;

	atomic_fetch_add(&file->syncs, 1);
	if (flags & VMS_FILE_SYNC_ALL)
		return (int)vmsi_host.fsync(file->fd);
	if (is_whole(file, offset, length))
		return (int)vmsi_host.fdatasync(file->fd);
	range = vmsi_base_range(file, offset, length);
	return (int)vmsi_host.msync(range.start, vmsi_range_length(range),
				    MS_SYNC);
}

int vmsi_sync_directory(struct vms_file *file)
{
	const int directory = atomic_exchange(&file->directory, -1);
	int error;

	if (directory < 0)
		return 0;
	error = (int)vmsi_host.fsync(directory);
	if (error)
		atomic_store(&file->directory, directory);
	else
		(void)vmsi_host.close(directory);
	return error;
}

static int sync_once(struct vms_file *file, uint64_t offset, uint64_t length,
		     unsigned flags)
{
	int error;

	do
		error = sync_data(file, offset, length, flags);
	while (error == -EINTR);
	if (vmsi_is_write_error(error))
		(void)mark_again(file);
	if (!error && (flags & VMS_FILE_SYNC_ALL))
		error = vmsi_sync_directory(file);
	return error;
}

/*
 * The kept error comes first: it is older. What it was of is dirty no longer, so
 * that all is marked for it too, and this sync has written it if it returns 0.
 */
static int sync_with_lock(struct vms_file *file, uint64_t offset, uint64_t length,
			  unsigned flags)
{
	const int kept = vmsi_write_error_take(file);
	int error;

	if (kept)
		(void)mark_again(file);
	error = sync_once(file, offset, length, flags);
	if (!error)
		error = vmsi_losses_why(&file->losses, offset, length);
	return kept ? kept : error;
}

static int check(const struct vms_file *file, uint64_t offset, uint64_t *length,
		 unsigned flags)
{
	if ((flags & ~VMS_FILE_SYNC_ALL) || file->atomic ||
	    vmsi_base_is_private(file))
		return -EINVAL;
	if (*length == 0 && offset <= file->size)
		*length = file->size - offset;
	return vmsi_file_covers(file, offset, *length) ? 0 : -ERANGE;
}

int vms_file_sync(vms_file *file, uint64_t offset, uint64_t length, unsigned flags)
{
	int error = file ? vmsi_gather_flush(file) : -EINVAL;

	if (!error)
		error = check(file, offset, &length, flags);
	if (!error)
		error = vmsi_descriptor_look(file, NULL);
	if (error)
		return vmsi_status(error);
	vmsi_lock_acquire(&file->sync_lock);
	error = sync_with_lock(file, offset, length, flags);
	vmsi_lock_release(&file->sync_lock);
	return vmsi_status(error);
}
