/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_WALK_H
#define VMSI_CLI_TOP_WALK_H

#include "cli/top/sample.h"

/*
 * The commit of a process is told by smaps alone, for which the kernel walks over all of
 * its pages. So a commit that was read is kept while the process's mappings seem to be
 * the same, and who is walked over is decided here. Pure.
 */

/* Of processes with more in memory the pages are looked at by request only. */
#define VMSI_TOP_WALK_RESIDENT (INT64_C(1) << 30)
/* A commit that was read is read again after so many nanoseconds, whatever it seems. */
#define VMSI_TOP_WALK_KEPT UINT64_C(60000000000)

/* What is kept of a process. */
struct vmsi_top_walk {
	uint64_t born;       /* as in struct vmsi_top_id; another process has another */
	uint64_t at;         /* nanoseconds: of the last walk, or when it was first seen */
	bool is_put_off;     /* it was refused, or took too long: for VMSI_TOP_WALK_KEPT */
	bool is_known;       /* and then: */
	uint64_t commit, proportional;
	uint64_t addresses;  /* of struct vmsi_top_entry, when the walk ended */
	int64_t writable;
};

/* Forget what is of another process. */
void vmsi_top_walk_meet(struct vmsi_top_walk *walk, const struct vmsi_top_entry *entry,
			uint64_t now);

/* Whether its mappings have become more or fewer since its commit was read. */
bool vmsi_top_walk_is_old(const struct vmsi_top_walk *walk,
			  const struct vmsi_top_entry *entry);

/*
 * How much a walk is wanted; 0: not now. It becomes more with time, so that everybody's
 * turn comes, and faster for who is on the screen, and whose commit is not known.
 */
uint64_t vmsi_top_walk_urgency(const struct vmsi_top_walk *walk,
			       const struct vmsi_top_entry *entry, uint64_t now);

/* --- the time that walks may take ---------------------------------------------------- */

/* Nanoseconds of a processor that are saved up, and used. */
struct vmsi_top_credit {
	int64_t left;
	uint64_t at;
	int64_t used; /* by all that the command did, after the last walk */
};

/* As much as there can be, of which the first look has all. */
#define VMSI_TOP_CREDIT_MOST INT64_C(40000000)

/*
 * Add what has been earned: 0.85 % of the time, less what everything else took of a
 * processor meanwhile, and 0.1 % at least.
 */
void vmsi_top_credit_earn(struct vmsi_top_credit *credit, uint64_t now, int64_t taken);

#endif
