/* SPDX-License-Identifier: MIT */
#include "cli/recording/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/array.h"

/* That of no mapping. */
#define NONE UINT32_MAX

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

/* --- mappings ------------------------------------------------------------- */

/* Get a number for a mapping; NONE without memory. */
static uint32_t take_number(struct vmsi_replay *replay)
{
	const uint32_t number = replay->unused;
	struct vmsi_recorded_event *living;

	if (number != NONE) {
		replay->unused = replay->living[number].process;
		return number;
	}
	living = vmsi_with_capacity(replay->living, replay->living_count,
				    &replay->living_capacity, sizeof(*living));
	if (!living)
		return NONE;
	replay->living = living;
	return (uint32_t)replay->living_count++;
}

/* Where it starts there is none. */
static int add(struct vmsi_replay *replay, const struct vmsi_recorded_event *mapping)
{
	const uint32_t number = take_number(replay);

	if (number == NONE)
		return -ENOMEM;
	replay->living[number] = *mapping;
	count(replay, mapping, MORE);
	return vmsi_by_start_add(&replay->mappings[mapping->process],
				 (struct vmsi_start){ mapping->start, number });
}

static void drop(struct vmsi_replay *replay, struct vmsi_start gone)
{
	struct vmsi_recorded_event *mapping = &replay->living[gone.number];

	count(replay, mapping, LESS);
	vmsi_by_start_remove(&replay->mappings[mapping->process], gone.start);
	mapping->process = replay->unused;
	replay->unused = gone.number;
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

/*
 * Split the mapping of a process that lies across an address:
 *
 *	|-----at-----|   becomes   |-----| and |-----|
 */
static int split_at(struct vmsi_replay *replay, uint32_t process, uintptr_t at)
{
	const struct vmsi_by_start *mappings = &replay->mappings[process];
	struct vmsi_by_start_place place = vmsi_by_start_find(mappings, at);
	struct vmsi_recorded_event *mapping, rest;

	if (!vmsi_by_start_back(mappings, &place))
		return 0;
	mapping = &replay->living[vmsi_by_start_at(mappings, place)->number];
	if (mapping->end <= at)
		return 0;
	count(replay, mapping, LESS);
	rest = cut(mapping, at);
	count(replay, mapping, MORE);
	return add(replay, &rest);
}

/* From start to end of an event there is what it says, or nothing. */
static int replace(struct vmsi_replay *replay,
		   const struct vmsi_recorded_event *event)
{
	const struct vmsi_by_start *mappings = &replay->mappings[event->process];
	const struct vmsi_start *within;
	int error = split_at(replay, event->process, event->start);

	if (!error)
		error = split_at(replay, event->process, event->end);
	if (error)
		return error;
	while ((within = vmsi_by_start_at(mappings,
			vmsi_by_start_find(mappings, event->start))) &&
	       within->start < event->end)
		drop(replay, *within);
	return event->kind == VMSI_RECORDED_MAPPING ? add(replay, event) : 0;
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
		.unused = NONE,
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

void vmsi_replay_each(const struct vmsi_replay *replay, uint32_t process,
		      void (*call)(void *context,
				   const struct vmsi_recorded_event *mapping),
		      void *context)
{
	const struct vmsi_by_start *mappings = &replay->mappings[process];
	struct vmsi_by_start_place place = { 0 };
	const struct vmsi_start *at;

	for (; (at = vmsi_by_start_at(mappings, place));
	     vmsi_by_start_next(mappings, &place))
		call(context, &replay->living[at->number]);
}

void vmsi_replay_close(struct vmsi_replay *replay)
{
	for (size_t i = 0; replay->mappings &&
	     i < replay->recording->process_count; i++)
		vmsi_by_start_free(&replay->mappings[i]);
	free(replay->mappings);
	free(replay->living);
	free(replay->changed);
	free(replay->is_changed);
	free(replay->sums);
	*replay = (struct vmsi_replay){ 0 };
}
