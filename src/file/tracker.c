/* SPDX-License-Identifier: MIT */
#include "file/tracker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "base/pagemap.h"
#include "host/host.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
/* Of <linux/userfaultfd.h> of Linux 6.7. */
#define FEATURE_WP_ASYNC (1u << 15)

#define REGIONS 128
#define WORDS 512

/* --- userfaultfd ------------------------------------------------------------------ */

/* A descriptor with asynchronous write protection, or -errno. */
static int open_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = FEATURE_WP_ASYNC };
	long fd = vmsi_host.userfaultfd(O_CLOEXEC | O_NONBLOCK |
					UFFD_USER_MODE_ONLY);
	long error;

	if (fd < 0)
		return (int)fd;
	error = vmsi_host.userfaultfd_control((int)fd, UFFDIO_API, &api);
	if (error == 0)
		return (int)fd;
	vmsi_host.close((int)fd);
	return (int)error;
}

static int protect_range(int userfaultfd, struct vmsi_range range)
{
	struct uffdio_register request = {
		.range = { range.start, vmsi_range_length(range) },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	return (int)vmsi_host.userfaultfd_control(userfaultfd, UFFDIO_REGISTER,
						  &request);
}

/* --- pages of a range ------------------------------------------------------------- */

/* Where pages of base go that are found. */
struct found {
	uintptr_t base;
	struct vmsi_pageset *set;
};

static void add(const struct found *found, uint64_t start, uint64_t end)
{
	const size_t page = vmsi_page_size();

	vmsi_pageset_add(found->set, (struct vmsi_page_run){
		(start - found->base) / page, (end - found->base) / page });
}

static int scan(int pagemap, struct vmsi_range range, bool protect,
		const struct found *found)
{
	/* Set, for tools that do not know what the call writes. */
	struct vmsi_page_region regions[REGIONS] = { { 0, 0, 0 } };
	struct vmsi_page_scan argument = {
		.size = sizeof(argument),
		.flags = protect ? VMSI_SCAN_PROTECT | VMSI_SCAN_CHECK_PROTECT : 0,
		.start = range.start,
		.end = range.end,
		.vector = (uintptr_t)regions,
		.vector_length = REGIONS,
		.category_inverted = VMSI_PAGE_IS_FILE,
		.category_mask = VMSI_PAGE_IS_FILE |
			(protect ? VMSI_PAGE_IS_WRITTEN : 0),
		.category_anyof_mask = VMSI_PAGE_IS_PRESENT |
			VMSI_PAGE_IS_SWAPPED,
		.return_mask = VMSI_PAGE_IS_PRESENT,
	};

	while (argument.start < argument.end) {
		long count = vmsi_host.pagemap_scan(pagemap, &argument);

		if (count < 0)
			return (int)count;
		for (long i = 0; i < count; i++)
			add(found, regions[i].start, regions[i].end);
		argument.start = argument.walk_end;
	}
	return 0;
}

static bool is_private(uint64_t word)
{
	return (word & (VMSI_PAGEMAP_PRESENT | VMSI_PAGEMAP_SWAPPED)) &&
		!(word & VMSI_PAGEMAP_FILE);
}

static int read_words(int pagemap, struct vmsi_range range,
		      const struct found *found)
{
	const size_t page = vmsi_page_size();
	uint64_t words[WORDS] = { 0 };

	while (range.start < range.end) {
		size_t count = vmsi_min((range.end - range.start) / page, WORDS);
		long got = vmsi_host.pread(pagemap, words,
					   count * sizeof(words[0]),
					   range.start / page * sizeof(words[0]));

		if (got < 0)
			return (int)got;
		count = (size_t)got / sizeof(words[0]);
		if (count == 0)
			return -EIO;
		for (size_t i = 0; i < count; i++, range.start += page)
			if (is_private(words[i]))
				add(found, range.start, range.start + page);
	}
	return 0;
}

/* --- a tracker -------------------------------------------------------------------- */

int vmsi_tracker_open(struct vmsi_tracker *tracker, enum vmsi_tracker_use use)
{
	long pagemap = vmsi_host.open("/proc/self/pagemap");
	struct stat status;
	long error;

	if (pagemap < 0)
		return (int)pagemap;
	error = vmsi_host.fstat((int)pagemap, &status);
	if (error) {
		vmsi_host.close((int)pagemap);
		return (int)error;
	}
	tracker->pagemap = (int)pagemap;
	tracker->device = status.st_dev;
	tracker->inode = status.st_ino;
	tracker->userfaultfd = use == VMSI_TRACK_WRITTEN ? open_userfaultfd() :
		-1;
	tracker->way = tracker->userfaultfd < 0 ? VMSI_TRACKING_STALLS :
		VMSI_TRACKING_PROTECTS;
	return 0;
}

int vmsi_tracker_check_descriptor(const struct vmsi_tracker *tracker)
{
	struct stat status;
	const long error = vmsi_host.fstat(tracker->pagemap, &status);

	if (error)
		return (int)error;
	return status.st_dev == tracker->device &&
		status.st_ino == tracker->inode ? 0 : -EBADF;
}

/* What has taken the number of pagemap is the program's. */
void vmsi_tracker_close(struct vmsi_tracker *tracker)
{
	if (tracker->userfaultfd >= 0)
		vmsi_host.close(tracker->userfaultfd);
	if (vmsi_tracker_check_descriptor(tracker) != -EBADF)
		vmsi_host.close(tracker->pagemap);
}

int vmsi_tracker_follow(struct vmsi_tracker *tracker, struct vmsi_range range)
{
	if (tracker->way == VMSI_TRACKING_STALLS || range.start == range.end)
		return 0;
	return protect_range(tracker->userfaultfd, range);
}

int vmsi_tracker_find(struct vmsi_tracker *tracker, struct vmsi_range range,
		      uintptr_t base, struct vmsi_pageset *found)
{
	int scanned, error;

	if (tracker->way == VMSI_TRACKING_STALLS)
		return vmsi_tracker_find_private(tracker, range, base, found);
	scanned = scan(tracker->pagemap, range, true,
		       &(struct found){ base, found });
	tracker->has_missed |= scanned != 0;
	if (!tracker->has_missed)
		return 0;
	/* Any private page may have been written. */
	error = vmsi_tracker_find_private(tracker, range, base, found);
	if (error)
		return error;
	tracker->has_missed = false;
	/* A part is not followed; where it cannot be now, the next scan fails, too. */
	if (scanned == -EPERM)
		(void)vmsi_tracker_follow(tracker, range);
	return 0;
}

int vmsi_tracker_find_private(struct vmsi_tracker *tracker,
			      struct vmsi_range range, uintptr_t base,
			      struct vmsi_pageset *found)
{
	const struct found to = { base, found };
	int error = scan(tracker->pagemap, range, false, &to);

	/* An older kernel, or one that is emulated, does not know the request. */
	if (error == -ENOTTY || error == -EINVAL || error == -ENOSYS)
		error = read_words(tracker->pagemap, range, &to);
	return error;
}

int vmsi_tracker_is_private(const struct vmsi_tracker *tracker, uintptr_t page)
{
	uint64_t word = 0;
	const long got = vmsi_host.pread(tracker->pagemap, &word, sizeof(word),
					 page / vmsi_page_size() * sizeof(word));

	if (got < 0)
		return (int)got;
	return got == sizeof(word) ? is_private(word) : -EIO;
}
