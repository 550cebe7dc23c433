/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_ATOMIC_STATE_H
#define VMSI_FILE_ATOMIC_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "file/gate.h"
#include "file/stall.h"
#include "file/homelock.h"
#include "file/inherit.h"
#include "file/journal.h"
#include "file/pageset.h"
#include "file/reader.h"
#include "file/staging.h"
#include "file/tracker.h"
#include "file/turns.h"
#include "file/whole.h"

/*
 * What an atomic file that is written consists of. A page of base is in one of these
 * states, and the sets tell in which:
 *
 *              store                      commit: copied to the journal
 *   home ---------------> written -------------------------------> kept
 *    ^ ^                   |   ^                                    |  |
 *    | |  rollback         |   | store (told, or found)             |  |
 *    | +-------------------+   +------------------------------------+  |
 *    |                     | spill           ^                         |
 *    |                     +---> spilled ----+                         |
 *    |                             | commit, then trim                 | trim
 *    +-----------------------------+-----------------------------------+
 *
 *   home      shows the page of the home file
 *   written   private; the journal does not have it (`written`)
 *   kept      private, and the same as in the home file (`kept`)
 *   spilled   shows its image in the journal (`spilled`); stored to, it is private,
 *             which the kernel is asked for at the commit
 *
 * The pages of `anonymous` are not mapped from the home file: those that the file has
 * grown by since base was mapped. They have the states above all the same, and become
 * home by being mapped from it.
 *
 * The lock `committing` guards all but what has its own rules below. With the gate
 * closed, too, nobody is in an update: only then pages change their states, but to
 * written.
 */
struct vmsi_atomic {
	bool reads;                /* only read: it has a journal, the home lock, and */
	struct vmsi_reader reader; /* this, and else nothing of what follows */
	bool tells;                /* VMS_FILE_TELLS */
	_Atomic bool inherited;    /* in a forked child: the journal is the parent's */
	bool is_left;              /* the program has taken the descriptor of the file */

	struct vmsi_lock committing;
	struct vmsi_turns turns;   /* guarded by itself */
	struct vmsi_gate gate;     /* guarded by itself */
	bool stalled;              /* stores are stalled, and the gate stays closed: an
				      update that is stalled would never end */

	char path[PATH_MAX];       /* of the journal */
	struct vmsi_journal journal;
	struct vmsi_home_lock lock;
	struct vmsi_tracker tracker;
	bool tracks;               /* tracker is open */
	struct vmsi_stall *stall;    /* without VMS_FILE_TELLS */
	struct vmsi_staging staging;
	struct vmsi_canary canary; /* dies where somebody cuts the home file off */

	struct vmsi_pageset written;   /* added to by any thread in an update */
	struct vmsi_pageset taken;     /* by the commit under way */
	struct vmsi_pageset kept;
	struct vmsi_pageset spilled;
	struct vmsi_pageset anonymous; /* with the lock of the file */
	uint64_t dirty_pages;      /* that may be written before they are spilled */

	/* With the lock of the file: */
	uint64_t smallest;         /* size since the latest commit */
	uint64_t record_smallest;  /* size since the latest record of the journal */
	uint64_t space;            /* bytes of the home file that have space on disk */
	uint64_t reach;            /* bytes that the file system lets a file have */

	_Atomic uint64_t spill_maps; /* mappings that spilling has made; see spill.c */
	_Atomic uint64_t spill_maps_most; /* 0: not known yet */

	struct vmsi_inheritance inheritance; /* while a fork is under way */

	_Atomic uint64_t commits;
	_Atomic uint64_t spilled_bytes;
};

#endif
