/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_TRACKER_H
#define VMSI_FILE_TRACKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/align.h"
#include "file/pageset.h"

/*
 * Which pages of base were written, as the kernel knows it: those that are private
 * (present or swapped out, and not the file's). To tell a page that was written again
 * from one that only stays private after a commit, there are two ways:
 *
 *   PROTECTS  userfaultfd's asynchronous write protection (Linux 6.7): one scan finds
 *             the pages written since the last and protects them in the same step; the
 *             kernel itself takes the protection away at the next store.
 *   STALLS    elsewhere: stores are held off for the whole commit, at the end of which
 *             no page is private any more. See stall.h.
 */
enum vmsi_tracking { VMSI_TRACKING_STALLS, VMSI_TRACKING_PROTECTS };

struct vmsi_tracker {
	enum vmsi_tracking way;
	int pagemap;           /* /proc/self/pagemap; -1: the host has none */
	dev_t device;          /* what pagemap is of */
	ino_t inode;
	int userfaultfd;       /* PROTECTS; else -1 */
	bool has_missed;       /* a scan that failed may have protected pages that it
				  has not told of */
};

/* What a tracker is for: which pages are private, or also which were written again. */
enum vmsi_tracker_use { VMSI_TRACK_PRIVATE, VMSI_TRACK_WRITTEN };

/* Returns 0 or -errno: the kernel tells nothing, so the program must tell itself. */
int vmsi_tracker_open(struct vmsi_tracker *tracker, enum vmsi_tracker_use use);
void vmsi_tracker_close(struct vmsi_tracker *tracker);

/* -EBADF: the program has closed pagemap, be its number another file's now. Or -errno. */
int vmsi_tracker_check_descriptor(const struct vmsi_tracker *tracker);

/*
 * Follow a range that was mapped just now; to be called for each new mapping in base.
 * Returns 0 or -errno.
 */
int vmsi_tracker_follow(struct vmsi_tracker *tracker, struct vmsi_range range);

/*
 * Add the pages of a range that were written since the last call (PROTECTS), or that
 * are private (STALLS), to a set of the pages of base. Returns 0 or -errno: some may
 * have been added, and none is forgotten.
 */
int vmsi_tracker_find(struct vmsi_tracker *tracker, struct vmsi_range range,
		      uintptr_t base, struct vmsi_pageset *found);

/* The same for private pages, either way, written since or not. */
int vmsi_tracker_find_private(struct vmsi_tracker *tracker,
			      struct vmsi_range range, uintptr_t base,
			      struct vmsi_pageset *found);

/* Whether the page at an address is private: 1 or 0, or -errno. */
int vmsi_tracker_is_private(const struct vmsi_tracker *tracker, uintptr_t page);

#endif
