/* SPDX-License-Identifier: MIT */
#include "group/account/pending.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"

int vmsi_pendings_add(struct vmsi_pendings *pendings,
		      const struct vmsi_pending *pending)
{
	struct vmsi_pending *list =
		vmsi_with_capacity(pendings->list, pendings->count, &pendings->capacity,
			       sizeof *list);

	if (!list)
		return -ENOMEM;
	pendings->list = list;
	list[pendings->count++] = *pending;
	return 0;
}

struct vmsi_effect vmsi_pendings_remove(struct vmsi_pendings *pendings,
					size_t i)
{
	const struct vmsi_effect effect = pendings->list[i].effect;

	pendings->count--;
	memmove(&pendings->list[i], &pendings->list[i + 1],
		(pendings->count - i) * sizeof *pendings->list);
	return effect;
}

size_t vmsi_pendings_find(const struct vmsi_pendings *pendings, pid_t thread)
{
	size_t i = 0;

	while (i < pendings->count &&
	       (pendings->list[i].effect.thread != thread ||
		!vmsi_pending_is_under_way(&pendings->list[i])))
		i++;
	return i;
}

size_t vmsi_pendings_unmade(const struct vmsi_pendings *pendings)
{
	size_t bytes = 0;

	for (size_t i = 0; i < pendings->count; i++)
		if (pendings->list[i].effect.kind == VMSI_EFFECT_OWN)
			bytes += pendings->list[i].effect.bytes +
				pendings->list[i].effect.moved;
	return bytes;
}

bool vmsi_pendings_have_loose(const struct vmsi_pendings *pendings)
{
	for (size_t i = 0; i < pendings->count; i++)
		if (pendings->list[i].effect.kind != VMSI_EFFECT_OWN &&
		    vmsi_pending_is_under_way(&pendings->list[i]))
			return true;
	return false;
}

/* --- children ------------------------------------------------------------ */

bool vmsi_pending_has_copy(const struct vmsi_pending *pending)
{
	return pending->effect.kind == VMSI_EFFECT_CHILD &&
		pending->state != VMSI_PENDING_SEEN;
}

bool vmsi_pending_may_copy(const struct vmsi_pending *pending)
{
	return pending->effect.kind == VMSI_EFFECT_CHILD &&
		pending->state == VMSI_PENDING_GRANTED;
}

static size_t size_of(const struct vmsi_pending *pending)
{
	return pending->effect.bytes + pending->effect.credit;
}

/*
 * Whether a copy of size bytes suits better than another one: one that is enough
 * is better than one that is not, and then the nearer one to what is needed.
 */
static bool is_better(size_t size, size_t other, size_t needed)
{
	if ((size >= needed) != (other >= needed))
		return size >= needed;
	return size >= needed ? size < other : size > other;
}

/* Find the best of the copies whose state is at least this; count: none is. */
static size_t find_best(const struct vmsi_pendings *pendings, size_t needed,
			enum vmsi_pending_state least)
{
	size_t best = pendings->count;

	for (size_t i = 0; i < pendings->count; i++) {
		const struct vmsi_pending *pending = &pendings->list[i];

		if (vmsi_pending_has_copy(pending) && pending->state >= least &&
		    (best == pendings->count ||
		     is_better(size_of(pending), size_of(&pendings->list[best]),
			       needed)))
			best = i;
	}
	return best;
}

/* The most advanced state of any copy: those that have it are dropped first. */
static enum vmsi_pending_state
farthest(const struct vmsi_pendings *pendings)
{
	enum vmsi_pending_state state = VMSI_PENDING_GRANTED;

	for (size_t i = 0; i < pendings->count; i++)
		if (vmsi_pending_has_copy(&pendings->list[i]) &&
		    pendings->list[i].state > state)
			state = pendings->list[i].state;
	return state;
}

/*
 * Which of the copies that forks may have made a child has, which needs so many
 * bytes: the smallest that is large enough, so that larger ones are left for
 * children that may need more. But where all that have come farthest are too
 * small, the child takes the largest of these and is measured soon: a fork that
 * may copy more keeps its copy.
 */
size_t vmsi_pendings_find_copy(const struct vmsi_pendings *pendings,
			       size_t needed)
{
	const size_t best = find_best(pendings, needed, farthest(pendings));

	return best < pendings->count &&
			size_of(&pendings->list[best]) < needed ?
		best : find_best(pendings, needed, VMSI_PENDING_GRANTED);
}

size_t vmsi_pendings_change_with_made(struct vmsi_pendings *pendings, size_t i)
{
	struct vmsi_effect *copy = &pendings->list[i].effect;
	const struct vmsi_effect taken = *copy;
	const size_t made_at = find_best(pendings, size_of(&pendings->list[i]),
					 farthest(pendings));
	struct vmsi_effect *made = &pendings->list[made_at].effect;

	copy->bytes = made->bytes;
	copy->credit = made->credit;
	made->bytes = taken.bytes;
	made->credit = taken.credit;
	return made_at;
}

bool vmsi_pendings_give_to_seen(struct vmsi_pendings *pendings, size_t i)
{
	struct vmsi_effect *copy = &pendings->list[i].effect;
	size_t seen = 0;

	while (seen < pendings->count &&
	       pendings->list[seen].state != VMSI_PENDING_SEEN)
		seen++;
	if (seen == pendings->count)
		return false;
	copy->thread = pendings->list[seen].effect.thread;
	copy->notes = pendings->list[seen].effect.notes;
	(void)vmsi_pendings_remove(pendings, seen);
	return true;
}

void vmsi_pendings_seek(struct vmsi_pendings *pendings)
{
	for (size_t i = 0; i < pendings->count; i++)
		if (pendings->list[i].state == VMSI_PENDING_MADE)
			pendings->list[i].state = VMSI_PENDING_SOUGHT;
}
