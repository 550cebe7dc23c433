/* SPDX-License-Identifier: MIT */
#include "file/overlay.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/align.h"
#include "file/accesses.h"
#include "file/atomic_state.h"
#include "file/base.h"
#include "file/file.h"
#include "file/show.h"
#include "host/disk.h"
#include "host/host.h"
#include "space/inside.h"

static int map_over(struct vms_file *file, struct vmsi_page_run run, int prot,
		    int flags, int fd)
{
	const size_t page = vmsi_page_size();
	long at = vmsi_mmap(file->space, (uintptr_t)file->base + run.first * page,
			   (run.end - run.first) * page, prot,
			   flags | MAP_FIXED, fd,
			   fd < 0 ? 0 : run.first * page);

	return at < 0 ? (int)at : 0;
}

/* Map pages from the home file, as base is without an overlay. */
static int show_home(struct vms_file *file, struct vmsi_page_run run)
{
	return map_over(file, run, PROT_READ, MAP_SHARED, file->fd);
}

int vmsi_overlay_remove(struct vms_file *file)
{
	struct vmsi_pageset *overlaid = &file->atomic->reader.overlaid;
	struct vmsi_page_run run = { 0, 0 };

	while (vmsi_pageset_count(overlaid) > 0 &&
	       vmsi_pageset_next(overlaid, run.end, &run)) {
		int error = show_home(file, run);

		if (error)
			return error;
		vmsi_pageset_remove(overlaid, run);
	}
	return 0;
}

int vmsi_overlay_show_again(struct vms_file *file, struct vmsi_page_run run)
{
	const struct vmsi_reader *reader = &file->atomic->reader;
	int error = 0;

	while (run.first < run.end && !error) {
		const struct vmsi_page_run part =
			vmsi_pageset_alike(&reader->overlaid, run);

		if (!vmsi_pageset_has(&reader->overlaid, part.first))
			error = show_home(file, part);
		else if (reader->overlay_is_lost)
			error = -EIO;
		run.first = part.end;
	}
	return error;
}

static int show_zeros(struct vms_file *file, struct vmsi_page_run run)
{
	int error;

	if (run.first >= run.end)
		return 0;
	error = map_over(file, run, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!error)
		vmsi_pageset_add(&file->atomic->reader.overlaid, run);
	return error;
}

/* Only the copying makes the page writable, for as long as it takes. */
static int show_bytes(struct vms_file *file, uint64_t page, const void *bytes)
{
	const size_t size = vmsi_page_size();
	char *at = file->base + page * size;
	const struct vmsi_page_run run = { page, page + 1 };
	int error = vmsi_pageset_has(&file->atomic->reader.overlaid, page) ? 0 :
		show_zeros(file, run);

	if (!error)
		error = (int)vmsi_host.mprotect((uintptr_t)at, size,
						PROT_READ | PROT_WRITE);
	if (error)
		return error;
	memcpy(at, bytes, size);
	return (int)vmsi_host.mprotect((uintptr_t)at, size, PROT_READ);
}

/* What is laid over base so far. */
struct laying {
	struct vms_file *file;
	uint64_t size;  /* of the file, by the commits so far */
};

/* No access is open yet, and somebody may cut the home file off just now. */
static int copy_out(struct vms_file *file, uint64_t offset, char *bytes, size_t length)
{
	struct vms_file_access access;

	vmsi_accesses_begin(&access, file);
	memcpy(bytes, file->base + offset, length);
	return vmsi_accesses_end(&access);
}

/* The home file's own bytes behind the new end are not the file's. */
static int clear_behind(struct laying *laying, uint64_t end)
{
	const size_t page = vmsi_page_size();
	char copy[65536];
	const uint64_t last = end / page;
	int error;

	if (end % page == 0 || end >= laying->size)
		return 0;
	if (page > sizeof(copy))
		return -ENOTSUP;
	memset(copy, 0, page);
	error = copy_out(laying->file, last * page, copy, end % page);
	return error ? error : show_bytes(laying->file, last, copy);
}

/* The home file may be shorter than it was when the record was written. */
static int lay_sizes(struct laying *laying, struct vmsi_sizes sizes)
{
	const uint64_t there = vmsi_min(sizes.smallest, laying->size);
	int error = clear_behind(laying, sizes.smallest);

	if (!error && sizes.size > there)
		error = show_zeros(laying->file, (struct vmsi_page_run){
			vmsi_pages_of(there), vmsi_pages_of(sizes.size) });
	laying->size = sizes.size;
	return error;
}

static int lay(void *context, struct vmsi_image image, struct vmsi_sizes sizes)
{
	struct laying *laying = context;

	if (image.bytes)
		return show_bytes(laying->file, image.page, image.bytes);
	if (sizes.size > laying->file->maximum)
		return -EFBIG;
	return lay_sizes(laying, sizes);
}

int vmsi_overlay_lay(struct vms_file *file, uint64_t *size)
{
	struct laying laying = { .file = file };
	int error = vmsi_overlay_remove(file);

	if (!error)
		error = vmsi_disk_size(file->fd, &laying.size);
	if (error)
		return error;
	error = vmsi_journal_each_page(&file->atomic->journal, lay, &laying);
	if (!error)
		*size = laying.size;
	return error;
}
