/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_PLAIN_AHEAD_H
#define VMSI_POOL_PLAIN_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What else to bring when a page is missed by a plain pointer. The pages behind it, where
 * misses follow each other upwards: twice as many each time. Those around it, where several
 * pages of a block were missed lately. Nothing else is known of how pages are used.
 *
 * Nothing here is safe against other threads.
 */

#define VMSI_STREAMS 16
#define VMSI_BLOCKS 64
/* Pages of a block, and those that are brought at once, at most. */
#define VMSI_BLOCK_PAGES 16
#define VMSI_REACH_MOST 64

/* Misses that follow each other. */
struct vmsi_stream {
	uint64_t next;      /* the page that would be missed if it goes on */
	uint32_t window;    /* pages that were brought by the latest; 0: unused */
	uint32_t used;      /* when it went on latest */
	bool has_stores;    /* the latest misses were by stores */
};

struct vmsi_ahead {
	struct vmsi_stream streams[VMSI_STREAMS];
	struct {
		uint64_t block;
		uint32_t count;
	} blocks[VMSI_BLOCKS];
	uint32_t now;       /* misses so far */
};

/* Pages before and behind the one that was missed: together fewer than most. */
struct vmsi_reach {
	uint32_t before, behind;
	bool for_stores;    /* what comes is about to be stored to */
};

struct vmsi_reach vmsi_ahead_plan(struct vmsi_ahead *ahead, uint64_t page, bool is_store,
				  uint32_t most);

#endif
