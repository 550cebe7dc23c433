/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_SNAPSHOT_SAVED_H
#define VMSI_POOL_SNAPSHOT_SAVED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which pages a snapshot has copies of, and at which place among them: a table of words,
 * found by the page's number. One thread at a time adds, and nothing is taken out; others,
 * of another process, too, look meanwhile. Pure but for that.
 *
 *   bits 0..39   the page
 *   bits 40..63  its place, and one more; 0: nothing is here
 */

#define VMSI_SAVED_PAGE_BITS 40
#define VMSI_SAVED_MOST ((UINT32_C(1) << 24) - 1)

/* No copy of the page is there. */
#define VMSI_NOT_SAVED UINT32_MAX

struct vmsi_saved {
	_Atomic uint64_t *entries;
	uint64_t mask;       /* of entries; at most half of them are used */
	uint32_t most;       /* copies that there may be, up to VMSI_SAVED_MOST */
	uint32_t count;      /* that there are, to who adds */
};

/* Entries for so many copies. */
uint64_t vmsi_saved_entries(uint32_t most);

/* The place of a page's copy, or VMSI_NOT_SAVED. */
uint32_t vmsi_saved_find(const struct vmsi_saved *saved, uint64_t page);

/* Say that a page, which has no copy yet, has the next one; there are less than most. */
void vmsi_saved_add(struct vmsi_saved *saved, uint64_t page);

#endif
