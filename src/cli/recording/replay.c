/* SPDX-License-Identifier: MIT */
#include "cli/recording/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/clock.h"

/*
 * The mappings of a process are a treap: a tree that is sorted by address, in which
 * each node has a random weight that is at most that of its parent. So it is about as
 * deep as the logarithm of its size, also where who made the file would have it
 * otherwise.
 */
struct vmsi_replayed {
	struct vmsi_recorded_event mapping;
	struct vmsi_replayed *left, *right;
	uint64_t weight;
};

/* --- sums ----------------------------------------------------------------- */

static void add_to(struct vmsi_recorded_sum *sum,
		   const struct vmsi_recorded_event *mapping, uint64_t sign)
{
	const uint64_t length = mapping->end - mapping->start;

	*(mapping->prot == PROT_NONE ? &sum->reserved : &sum->size) +=
		sign * length;
	sum->commit += sign * mapping->commit;
	sum->anonymous += sign * mapping->anonymous;
	sum->file += sign * mapping->file;
	sum->swapped += sign * mapping->swapped;
	sum->mappings += sign;
}

static void count(struct vmsi_replay *replay,
		  const struct vmsi_recorded_event *mapping, uint64_t sign)
{
	if (!replay->is_changed[mapping->owner]) {
		replay->is_changed[mapping->owner] = true;
		replay->changed[replay->changed_count++] = mapping->owner;
	}
	add_to(&replay->sums[mapping->owner], mapping, sign);
	add_to(&replay->total, mapping, sign);
}

#define MORE UINT64_C(1)
#define LESS UINT64_MAX

/* --- the tree ------------------------------------------------------------- */

/* xorshift64 */
static uint64_t next_weight(struct vmsi_replay *replay)
{
	replay->seed ^= replay->seed << 13;
	replay->seed ^= replay->seed >> 7;
	replay->seed ^= replay->seed << 17;
	return replay->seed;
}

/* Split a tree into what begins below an address, and the rest. */
static void split(struct vmsi_replayed *tree, uintptr_t at,
		  struct vmsi_replayed **below, struct vmsi_replayed **above)
{
	while (tree) {
		if (tree->mapping.start < at) {
			*below = tree;
			below = &tree->right;
			tree = tree->right;
		} else {
			*above = tree;
			above = &tree->left;
			tree = tree->left;
		}
	}
	*below = *above = NULL;
}

/* Join two trees, all of whose addresses are below those of the other. */
static struct vmsi_replayed *join(struct vmsi_replayed *below,
				  struct vmsi_replayed *above)
{
	struct vmsi_replayed *tree = NULL, **to = &tree;

	while (below && above) {
		if (below->weight >= above->weight) {
			*to = below;
			to = &below->right;
			below = below->right;
		} else {
			*to = above;
			to = &above->left;
			above = above->left;
		}
	}
	*to = below ? below : above;
	return tree;
}

static struct vmsi_replayed *make_node(struct vmsi_replay *replay,
				       const struct vmsi_recorded_event *mapping)
{
	struct vmsi_replayed *node = malloc(sizeof(*node));

	if (!node)
		return NULL;
	*node = (struct vmsi_replayed){
		.mapping = *mapping, .weight = next_weight(replay),
	};
	count(replay, mapping, MORE);
	return node;
}

/* Drop all nodes of a tree; what replay is NULL for is counted no more. */
static void drop(struct vmsi_replay *replay, struct vmsi_replayed *tree)
{
	while (tree) {
		struct vmsi_replayed *right = tree->right;

		drop(replay, tree->left);
		if (replay)
			count(replay, &tree->mapping, LESS);
		free(tree);
		tree = right;
	}
}

/* --- ranges --------------------------------------------------------------- */

__extension__ typedef unsigned __int128 product;

/* The part of a figure that a part of a length has. */
static uint64_t share(uint64_t figure, uint64_t part, uint64_t whole)
{
	return (uint64_t)((product)figure * part / whole);
}

/* Take what lies from an address on out of a mapping, and return it. */
static struct vmsi_recorded_event cut(struct vmsi_recorded_event *mapping,
				      uintptr_t at)
{
	const uint64_t whole = mapping->end - mapping->start;
	const uint64_t part = at - mapping->start;
	struct vmsi_recorded_event rest = *mapping;

	mapping->end = rest.start = at;
	mapping->commit = share(rest.commit, part, whole);
	mapping->anonymous = share(rest.anonymous, part, whole);
	mapping->file = share(rest.file, part, whole);
	mapping->swapped = share(rest.swapped, part, whole);
	rest.commit -= mapping->commit;
	rest.anonymous -= mapping->anonymous;
	rest.file -= mapping->file;
	rest.swapped -= mapping->swapped;
	return rest;
}

static struct vmsi_replayed *last_of(struct vmsi_replayed *tree)
{
	while (tree && tree->right)
		tree = tree->right;
	return tree;
}

/*
 * Split a tree at an address, and the mapping that lies across it, too.
 *
 *	below    |-----at-----|   becomes   |-----| and |-----|
 */
static int split_at(struct vmsi_replay *replay, struct vmsi_replayed *tree,
		    uintptr_t at, struct vmsi_replayed **below,
		    struct vmsi_replayed **above)
{
	struct vmsi_replayed *last, *node;
	struct vmsi_recorded_event rest;

	split(tree, at, below, above);
	last = last_of(*below);
	if (!last || last->mapping.end <= at)
		return 0;
	count(replay, &last->mapping, LESS);
	rest = cut(&last->mapping, at);
	count(replay, &last->mapping, MORE);
	node = make_node(replay, &rest);
	if (!node)
		return -ENOMEM;
	*above = join(node, *above);
	return 0;
}

/* From start to end of an event there is what it says, or nothing. */
static int replace(struct vmsi_replay *replay,
		   const struct vmsi_recorded_event *event)
{
	struct vmsi_replayed **root = &replay->mappings[event->process];
	struct vmsi_replayed *below, *rest, *gone = NULL, *above = NULL, *node = NULL;
	int error = split_at(replay, *root, event->start, &below, &rest);

	if (!error)
		error = split_at(replay, rest, event->end, &gone, &above);
	else
		above = rest;
	drop(replay, gone);
	if (!error && event->kind == VMSI_RECORDED_MAPPING) {
		node = make_node(replay, event);
		if (!node)
			error = -ENOMEM;
	}
	*root = join(join(below, node), above);
	return error;
}

/* --- the replay ----------------------------------------------------------- */

int vmsi_replay_open(struct vmsi_replay *replay,
		     const struct vmsi_recording *recording)
{
	*replay = (struct vmsi_replay){
		.recording = recording,
		.sums = calloc(recording->owner_count + 1, sizeof(*replay->sums)),
		.changed = calloc(recording->owner_count + 1,
				  sizeof(*replay->changed)),
		.is_changed = calloc(recording->owner_count + 1,
				     sizeof(*replay->is_changed)),
		.mappings = calloc(recording->process_count + 1,
				   sizeof(*replay->mappings)),
		.seed = (vmsi_clock_ns() << 20 ^ (uintptr_t)replay) | 1,
	};
	if (replay->sums && replay->changed && replay->is_changed &&
	    replay->mappings)
		return 0;
	vmsi_replay_close(replay);
	return -ENOMEM;
}

static void forget_changes(struct vmsi_replay *replay)
{
	while (replay->changed_count > 0)
		replay->is_changed[replay->changed[--replay->changed_count]] =
			false;
}

static int apply_next(struct vmsi_replay *replay)
{
	const struct vmsi_recorded_event *event =
		&replay->recording->events[replay->next++];

	return event->kind == VMSI_RECORDED_MAPPING ||
		event->kind == VMSI_RECORDED_UNMAPPED ? replace(replay, event) : 0;
}

int vmsi_replay_next(struct vmsi_replay *replay)
{
	forget_changes(replay);
	return replay->next < replay->recording->event_count ?
		apply_next(replay) : 0;
}

int vmsi_replay_to(struct vmsi_replay *replay, uint64_t time)
{
	const struct vmsi_recording *recording = replay->recording;
	int error = 0;

	forget_changes(replay);
	while (!error && replay->next < recording->event_count &&
	       recording->events[replay->next].time <= time)
		error = apply_next(replay);
	return error;
}

int vmsi_replay_moment(struct vmsi_replay *replay, uint64_t *time)
{
	int error;

	if (replay->next == replay->recording->event_count) {
		forget_changes(replay);
		return 0;
	}
	*time = replay->recording->events[replay->next].time;
	error = vmsi_replay_to(replay, *time);
	return error ? error : 1;
}

static void each(const struct vmsi_replayed *tree,
		 void (*call)(void *context,
			      const struct vmsi_recorded_event *mapping),
		 void *context)
{
	for (; tree; tree = tree->right) {
		each(tree->left, call, context);
		call(context, &tree->mapping);
	}
}

void vmsi_replay_each(const struct vmsi_replay *replay, uint32_t process,
		      void (*call)(void *context,
				   const struct vmsi_recorded_event *mapping),
		      void *context)
{
	each(replay->mappings[process], call, context);
}

void vmsi_replay_close(struct vmsi_replay *replay)
{
	for (size_t i = 0; replay->mappings &&
	     i < replay->recording->process_count; i++)
		drop(NULL, replay->mappings[i]);
	free(replay->mappings);
	free(replay->changed);
	free(replay->is_changed);
	free(replay->sums);
	*replay = (struct vmsi_replay){ 0 };
}
