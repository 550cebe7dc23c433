/* SPDX-License-Identifier: MIT */
#ifndef VMSI_STACKS_STACKS_H
#define VMSI_STACKS_STACKS_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/stacks.h>

#include "base/align.h"
#include "base/lock.h"
#include "space/inside.h"

/*
 * A pool is one mapping, cut into slots of equal pitch; a slot has a guard and a stack:
 *
 *      first                          made             count
 *   |  | guard | stack | guard | stack |  not made yet  | guard |
 *      |<--- pitch --->|
 *
 * What is made is readable and writable, one mapping to the host, and has guards in its
 * page tables; or else each guard has stayed PROT_NONE, a mapping of its own. What is
 * not made is PROT_NONE and not charged. Behind the last slot that much stays so for
 * ever.
 *
 * The states of a slot, with who changes them:
 *
 *            grow               take
 *   UNMADE --------> FREE -----------------> TAKEN
 *                    |  ^      give             |
 *             collect|  +-----------------------+
 *                    v  |collect          (through GIVING, while it is cleared)
 *                   TRIMMING
 *
 * FREE slots are in a list, from which they are taken without a lock. A slot in state
 * TRIMMING is in that list, too: somebody who holds the pool's lock is giving its memory
 * back, and who has taken it from the list waits for that lock.
 */

enum slot_state { SLOT_UNMADE, SLOT_FREE, SLOT_TRIMMING, SLOT_TAKEN, SLOT_GIVING };

#define SLOT_STATE_BITS 3
#define SLOT_STATE_MASK ((1u << SLOT_STATE_BITS) - 1)

/* The stamp of a free slot whose memory has gone back. */
#define STAMP_EMPTY 0u

struct slot {
	/* In the list: the next slot's number and one more; 0: the last. */
	_Atomic uint32_t next;
	/* enum slot_state; above it the stamp, the pass in which it was given back. */
	_Atomic uint32_t state;
};

/* A name of VMS_STACK_NAME_MAX bytes, in words that are read in a signal handler. */
#define NAME_WORDS ((VMS_STACK_NAME_MAX + 1) / 8)

struct stack_name {
	_Atomic uint64_t words[NAME_WORDS];
};

/* A line of the caches. */
#define LINE_BYTES 64

struct vms_stacks {
	/*
	 * The list of free slots: the number of the first and one more in the lower
	 * bits, and above them a count of changes, so that a slot that was taken and
	 * given back meanwhile is not mistaken for what it was. It is written all the
	 * time, and what others only read lies in other lines.
	 */
	_Atomic uint64_t free;
	char rest_of_line[LINE_BYTES - sizeof(uint64_t)];

	/* Written before the pool is known to anybody. */
	uint64_t id;            /* of all pools that the process has ever had; not 0 */
	size_t count;
	size_t pitch;
	size_t guard;
	size_t size;            /* of a stack's memory, in whole pages */
	size_t colours;         /* how many different tops there are; at least 1 */
	uintptr_t first;        /* the first slot */
	struct vmsi_range mapping;
	struct slot *slots;
	struct stack_name *names;
	size_t record_bytes;    /* of this struct and both arrays */
	vms_space *space;
	size_t keep;
	unsigned age;
	unsigned flags;
	char name[VMS_NAME_MAX + 1];
	bool own_space;
	struct vmsi_space_sign sign; /* of a pool in a space of the program's */

	bool has_guards;        /* by MADV_GUARD_INSTALL; false from some slot on */
	_Atomic uint32_t pass;  /* the number of the present pass of collecting */
	/* Guards what is written of the two fields above and of all below. */
	struct vmsi_lock lock;
	_Atomic size_t made;
	_Atomic size_t guard_mappings;
	size_t cursor;          /* the next slot of the present pass; made: over */
	uint64_t pass_began;    /* milliseconds */
	_Atomic uint64_t collected;
};

_Static_assert(offsetof(struct vms_stacks, id) == LINE_BYTES, "a line of its own");

/* From one colour to the next. */
#define COLOUR_BYTES LINE_BYTES

static inline bool vmsi_stacks_has(const struct vms_stacks *stacks, unsigned flag)
{
	return stacks->flags & flag;
}

static inline enum slot_state vmsi_slot_state(uint32_t word)
{
	return (enum slot_state)(word & SLOT_STATE_MASK);
}

static inline uint32_t vmsi_slot_word(enum slot_state state, uint32_t stamp)
{
	return stamp << SLOT_STATE_BITS | (uint32_t)state;
}

/* The lowest byte of the guard, and of the stack, of a slot. */
static inline uintptr_t vmsi_slot_start(const struct vms_stacks *stacks,
					size_t number)
{
	return stacks->first + number * stacks->pitch;
}

static inline uintptr_t vmsi_slot_base(const struct vms_stacks *stacks,
				       size_t number)
{
	return vmsi_slot_start(stacks, number) + stacks->guard;
}

/* The stack of a slot as it is handed out. */
void vmsi_slot_describe(const struct vms_stacks *stacks, size_t number,
			vms_stack *stack);

/* The slot of a stack that somebody has; false: the pool has no such stack. */
bool vmsi_slot_of(struct vms_stacks *stacks, const vms_stack *stack,
		  size_t *number);

/* Which slot has an address, in its guard or its stack; made slots only. */
bool vmsi_slot_at(struct vms_stacks *stacks, uintptr_t address, size_t *number);

#endif
