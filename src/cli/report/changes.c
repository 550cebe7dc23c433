/* SPDX-License-Identifier: MIT */
#include "cli/report/changes.h"

#include <errno.h>
#include <stdlib.h>

/* Among how many that are gone a new one is looked for. */
#define GONE_MOST 16

int vmsi_changes_add(struct vmsi_lives *lives, struct vmsi_change change)
{
	if (lives->change_count == lives->change_capacity) {
		size_t capacity = lives->change_capacity ?
			2 * lives->change_capacity : 256;
		struct vmsi_change *changes = reallocarray(lives->changes, capacity,
							   sizeof(*changes));

		if (!changes)
			return -ENOMEM;
		lives->changes = changes;
		lives->change_capacity = capacity;
	}
	lives->changes[lives->change_count++] = change;
	return 0;
}

/* Whether what was at gone may be at fresh now: it is as much, and as much of it used. */
static bool may_have_moved(const struct vmsi_change *gone,
			   const struct vmsi_change *fresh)
{
	return gone->kind == VMSI_CHANGE_GONE && gone->process == fresh->process &&
		-gone->size <= fresh->size && gone->touched > 0 &&
		gone->touched <= fresh->touched;
}

/* Make fresh a move from one that is gone, which is no change of its own any more. */
static void pair(struct vmsi_lives *lives, struct vmsi_change *fresh,
		 size_t first, uint32_t last)
{
	size_t at = last;

	/* Those of the owner lie behind one another, most often. */
	for (unsigned i = 0; i < GONE_MOST; i++) {
		struct vmsi_change *gone = &lives->changes[at];

		if (gone->owner == fresh->owner && may_have_moved(gone, fresh)) {
			fresh->kind = VMSI_CHANGE_MOVED;
			fresh->from = gone->start;
			fresh->size += gone->size;
			fresh->commit += gone->commit;
			gone->kind = VMSI_CHANGE_KINDS;
			return;
		}
		if (at-- == first)
			return;
	}
}

void vmsi_changes_pair(struct vmsi_lives *lives, size_t first, uint32_t *places)
{
	struct vmsi_change *changes = lives->changes;
	size_t kept = first;

	for (size_t i = first; i < lives->change_count; i++)
		if (changes[i].kind == VMSI_CHANGE_GONE)
			places[changes[i].owner] = (uint32_t)i;
	for (size_t i = first; i < lives->change_count; i++)
		if (changes[i].kind == VMSI_CHANGE_NEW &&
		    places[changes[i].owner] != VMSI_NOBODY)
			pair(lives, &changes[i], first, places[changes[i].owner]);
	for (size_t i = first; i < lives->change_count; i++) {
		if (changes[i].owner != VMSI_NOBODY)
			places[changes[i].owner] = VMSI_NOBODY;
		if (changes[i].kind != VMSI_CHANGE_KINDS)
			changes[kept++] = changes[i];
	}
	lives->change_count = kept;
}
