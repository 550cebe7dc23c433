/* SPDX-License-Identifier: MIT */
#include "file/show.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/mman.h"
#include "file/atomic_state.h"
#include "file/base.h"
#include "host/host.h"
#include "space/inside.h"

/* What a mapping shows. */
struct shown {
	int flags; /* beside MAP_PRIVATE | MAP_FIXED */
	int fd;
	uint64_t offset;
};

/* What the tracker cannot follow now, it finds out the next time that it looks. */
static int show(struct vms_file *file, struct vmsi_page_run run,
		struct shown what)
{
	const struct vmsi_range range = vmsi_pages_range(file, run);
	long at = vmsi_mmap(file->space, range.start, vmsi_range_length(range),
			   PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_FIXED | what.flags, what.fd,
			   what.offset);
	int error = at < 0 ? (int)at : 0;

	if (!error && file->atomic->tracks)
		(void)vmsi_tracker_follow(&file->atomic->tracker, range);
	return error;
}

int vmsi_show_home(struct vms_file *file, struct vmsi_page_run run)
{
	int error = show(file, run, (struct shown){
		0, file->fd, run.first * vmsi_page_size() });

	if (error)
		return error;
	vmsi_pageset_remove(&file->atomic->anonymous, run);
	vmsi_pageset_remove(&file->atomic->spilled, run);
	return 0;
}

int vmsi_show_images(struct vms_file *file, struct vmsi_page_run run,
		     uint64_t offset)
{
	int error = show(file, run,
			 (struct shown){ 0, file->atomic->journal.fd, offset });

	if (error)
		return error;
	vmsi_pageset_remove(&file->atomic->anonymous, run);
	vmsi_pageset_add(&file->atomic->spilled, run);
	return 0;
}

int vmsi_show_zeros(struct vms_file *file, struct vmsi_page_run run)
{
	int error = show(file, run, (struct shown){ MAP_ANONYMOUS, -1, 0 });

	if (error)
		return error;
	/* Of a huge page, all would be found written where one byte was. */
	if (!file->atomic->tells) {
		struct vmsi_range range = vmsi_pages_range(file, run);

		(void)vmsi_host.madvise(range.start, vmsi_range_length(range),
					MADV_NOHUGEPAGE);
	}
	vmsi_pageset_add(&file->atomic->anonymous, run);
	file->mapped = run.end * vmsi_page_size();
	return 0;
}

int vmsi_show_nothing(struct vms_file *file, uint64_t first)
{
	const size_t page = vmsi_page_size();
	const struct vmsi_page_run run = { first, file->mapped / page };
	int error;

	if (run.first >= run.end)
		return 0;
	error = vmsi_base_unmap(file, first * page);
	if (error)
		return error;
	vmsi_pageset_remove(&file->atomic->anonymous, run);
	vmsi_pageset_remove(&file->atomic->spilled, run);
	vmsi_pageset_remove(&file->atomic->written, run);
	vmsi_pageset_remove(&file->atomic->taken, run);
	vmsi_pageset_remove(&file->atomic->kept, run);
	return 0;
}

/* Zeros that the home file has, too: the file has grown, and nothing was stored there. */
static bool is_zeros_of_home(const struct vms_file *file, uint64_t page)
{
	const struct vmsi_atomic *atomic = file->atomic;

	return vmsi_pageset_has(&atomic->anonymous, page) &&
		page < vmsi_pages_of(atomic->journal.home_size) &&
		page < vmsi_pages_of(atomic->smallest) &&
		!vmsi_pageset_has(&atomic->written, page) &&
		!vmsi_pageset_has(&atomic->taken, page) &&
		!vmsi_pageset_has(&atomic->kept, page) &&
		!vmsi_pageset_has(&atomic->spilled, page);
}

int vmsi_show_home_around(struct vms_file *file, struct vmsi_page_run run)
{
	while (run.first > 0 && is_zeros_of_home(file, run.first - 1))
		run.first--;
	while (is_zeros_of_home(file, run.end))
		run.end++;
	return vmsi_show_home(file, run);
}

static bool is_of_home(const struct vms_file *file, uint64_t page)
{
	return !vmsi_pageset_has(&file->atomic->anonymous, page) &&
		!vmsi_pageset_has(&file->atomic->spilled, page);
}

/* The pages at the start of a run that are alike in being mapped from home, or not. */
static struct vmsi_page_run alike(const struct vms_file *file,
				  struct vmsi_page_run run)
{
	const bool of_home = is_of_home(file, run.first);
	struct vmsi_page_run part = { run.first, run.first + 1 };

	while (part.end < run.end && is_of_home(file, part.end) == of_home)
		part.end++;
	return part;
}

/* Locked memory lets go of pages only where it is asked so. */
static int let_private_go(struct vms_file *file, struct vmsi_page_run run)
{
	const struct vmsi_range range = vmsi_pages_range(file, run);
	const size_t length = vmsi_range_length(range);
	long error = vmsi_host.madvise(range.start, length, MADV_DONTNEED);

	if (error == -EINVAL)
		error = vmsi_host.madvise(range.start, length,
					  MADV_DONTNEED_LOCKED);
	return (int)error;
}

int vmsi_show_home_again(struct vms_file *file, struct vmsi_page_run run)
{
	while (run.first < run.end) {
		struct vmsi_page_run part = alike(file, run);
		int error = is_of_home(file, part.first) ?
			let_private_go(file, part) :
			vmsi_show_home_around(file, part);

		if (error)
			return error;
		run.first = part.end;
	}
	return 0;
}
