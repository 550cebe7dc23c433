/* SPDX-License-Identifier: MIT */
#include "cli/top/members.h"

#include <errno.h>
#include <stdlib.h>

/* Who descends from whom, among processes that are read one after the other. */

enum membership { UNDECIDED, BEING_DECIDED, MEMBER, STRANGER };

struct members {
	const struct vmsi_top_model *model;
	const struct vmsi_top_sample *sample;
	enum membership *of; /* of each entry */
};

static bool was_member(const struct vmsi_top_model *model, struct vmsi_top_id id)
{
	size_t low = 0, high = model->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = vmsi_top_compare_id(model->rows[middle].id, id);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Returns the number of entries where there is none. */
static size_t find_number(const struct vmsi_top_sample *sample, uint64_t number)
{
	size_t low = 0, high = sample->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (sample->list[middle].id.number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sample->count && sample->list[low].id.number == number ?
		low : sample->count;
}

/* Another process that has got the number of the root is not the root. */
static bool is_root(const struct vmsi_top_model *model,
		    const struct vmsi_top_entry *entry)
{
	return entry->id.number == model->root &&
		(!model->has_root || entry->id.born == model->root_born);
}

/* What is known of an entry by itself. */
static enum membership decide_alone(const struct members *members, size_t at)
{
	const struct vmsi_top_entry *entry = &members->sample->list[at];

	if (members->of[at] != UNDECIDED)
		return members->of[at];
	if (is_root(members->model, entry) || was_member(members->model, entry->id))
		return MEMBER;
	return entry->parent == 0 || entry->parent == entry->id.number ?
		STRANGER : UNDECIDED;
}

/*
 * Go up from an entry to one that is decided, and down again with what it is. Numbers
 * that were used again meanwhile may lead in a circle, which has no member.
 */
static void decide(struct members *members, size_t begin)
{
	const struct vmsi_top_sample *sample = members->sample;
	enum membership result = UNDECIDED;
	size_t at = begin;

	while (result == UNDECIDED) {
		result = decide_alone(members, at);
		if (result != UNDECIDED)
			break;
		members->of[at] = BEING_DECIDED;
		at = find_number(sample, sample->list[at].parent);
		if (at == sample->count)
			result = STRANGER;
	}
	if (result == BEING_DECIDED)
		result = STRANGER;
	if (at < sample->count)
		members->of[at] = result;
	for (at = begin; at < sample->count && members->of[at] == BEING_DECIDED;
	     at = find_number(sample, sample->list[at].parent))
		members->of[at] = result;
}

int vmsi_top_keep_members(const struct vmsi_top_model *model,
			  struct vmsi_top_sample *sample)
{
	struct members members = { .model = model, .sample = sample };
	size_t kept = 0;

	if (model->scope == VMSI_TOP_ALL || sample->count == 0)
		return 0;
	members.of = calloc(sample->count, sizeof(*members.of));
	if (!members.of)
		return -ENOMEM;
	for (size_t i = 0; i < sample->count; i++)
		decide(&members, i);
	for (size_t i = 0; i < sample->count; i++)
		if (members.of[i] == MEMBER)
			sample->list[kept++] = sample->list[i];
	sample->count = kept;
	free(members.of);
	return 0;
}
