/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_STAGING_H
#define VMSI_FILE_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file/journal.h"

/*
 * Where a commit copies pages to, so that updates can go on while they are written to
 * the journal, and so that what is checksummed is what is written. It grows to what a
 * commit needs, up to a bound; a larger commit goes in pieces.
 */
struct vmsi_staging {
	struct vmsi_image *images; /* [count], of the pages staged */
	uint64_t *offsets;         /* [room], for who wants to know where they went */
	char *pages;               /* [room] pages */
	size_t count;
	size_t room;               /* pages */
};

/* The most pages that are staged at once. */
#define VMSI_STAGING_PAGES 1024u

/* See to it that so many pages fit (or the bound). Returns 0 or -errno. */
int vmsi_staging_prepare(struct vmsi_staging *staging, size_t pages);
void vmsi_staging_close(struct vmsi_staging *staging);

static inline bool vmsi_staging_is_full(const struct vmsi_staging *staging)
{
	return staging->count == staging->room;
}

/* Copy a page in; not when it is full. */
void vmsi_staging_add(struct vmsi_staging *staging, uint64_t page,
		      const void *bytes);

#endif
