/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_LEND_WORLD_H
#define VMSI_TESTS_LEND_WORLD_H

#include "pool/pool.h"
#include "pool_turns.h"

/* What lend_explorer.c has threads do with pages that are aside, and slots that are lent. */

#define PAGES 3
#define FULL 2           /* the page that has the only slot which is not lent */
#define SLOTS 3
#define WORDS 2          /* of a page, the same when nobody changes it */

struct lend_world {
	struct turns turns;
	uint64_t write_lock;
	uint64_t words[PAGES];
	uint64_t frames[PAGES][WORDS];   /* by slot, or by page */
	uint64_t aside[PAGES][WORDS];
	uint64_t changed[PAGES];         /* the state of each page */
	struct vmsi_page_slot slots[SLOTS];
	/* What of the pool changes, as it is at each step. */
	struct vmsi_queue queues[VMSI_QUEUES];
	uint64_t made, trail, limit, latch, lends_left;
};

extern struct lend_world lent;
extern struct vms_pool lend_pool;
void lend_note_pool(void);
extern unsigned lend_flags;              /* 0 or VMS_POOL_ADDRESSED */

#define VERSION_SHIFT 18

static inline uint64_t *frame_of(uint64_t page, uint64_t slot)
{
	return (uint64_t *)vmsi_pool_at(&lend_pool, page, slot);
}

static inline bool is_page(const uint64_t *words, uint64_t state)
{
	return words[0] == state && words[1] == state;
}

/* In the host's table. */
long lend_madvise(uintptr_t start, size_t length, int advice);

/* Faults that must be found: lend_explorer.c. */
enum lend_fault {
	NONE, NO_WAKE, UNMARKED, KEPT_THOUGH_FULL, WRITES_LENT, DROPS_LATE, HINTED,
};

/* Operations of a thread, on its page. */
void read_page(struct thread *thread);
void change_page(struct thread *thread);
void read_then_change(struct thread *thread);
void read_then_upgrade(struct thread *thread);
void upgrade_page(struct thread *thread);
void free_page(struct thread *thread);
void evict_some(struct thread *thread);
void put_aside(struct thread *thread);
void hint_at_page(struct thread *thread);

void lend_reset(void);
bool lend_check(void);

#endif
