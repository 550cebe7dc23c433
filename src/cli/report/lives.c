/* SPDX-License-Identifier: MIT */
#include "cli/report/lives.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output/progress.h"
#include "cli/recording/by_start.h"
#include "cli/report/changes.h"

/* Of so many events it takes long to replay them. */
#define EVENTS_SHOWN 100000

__extension__ typedef unsigned __int128 two_words;

struct process {
	struct vmsi_by_start living; /* numbers of lives, by their start */
	uint64_t first;            /* when it was looked at first */
};

struct replay {
	struct vmsi_lives *lives;
	const struct vmsi_recording *recording;
	struct process *processes;
	uint32_t *places;   /* of vmsi_changes_pair */
	uint32_t *ends;     /* the processes that were seen to end, by that */
	size_t end_count, ended;
	size_t look;        /* the first change of the look at hand */
};

/* What one event takes from an owner. */
struct loss {
	uint32_t owner;
	uintptr_t start, stop;
	uint64_t commit, touched;
};

/* What an event takes from all of them. */
struct taken {
	uint64_t size, commit; /* from the owner of the event itself */
	struct loss loss;      /* from another one, which is not yet a change */
};

static int add_life(struct replay *replay, const struct vmsi_life *life)
{
	struct vmsi_lives *lives = replay->lives;

	if (lives->count == lives->capacity) {
		size_t capacity = lives->capacity ? 2 * lives->capacity : 256;
		struct vmsi_life *list = reallocarray(lives->list, capacity,
						      sizeof(*list));

		if (!list)
			return -ENOMEM;
		lives->list = list;
		lives->capacity = capacity;
	}
	lives->list[lives->count++] = *life;
	return vmsi_by_start_add(&replay->processes[life->process].living,
		(struct vmsi_start){ life->start, (uint32_t)(lives->count - 1) });
}

static uint64_t in_proportion(uint64_t whole, uintptr_t size, uintptr_t of)
{
	return (uint64_t)((two_words)whole * size / of);
}

/* The part of a life from start to stop, as a life that begins at time. */
static struct vmsi_life part_of(const struct vmsi_life *whole, uintptr_t start,
				uintptr_t stop, uint64_t time)
{
	struct vmsi_life part = *whole;
	uintptr_t size = stop - start, of = whole->stop - whole->start;

	part.start = start;
	part.stop = stop;
	part.begin = time;
	part.end = VMSI_NO_END;
	part.commit = in_proportion(whole->commit, size, of);
	part.anonymous = in_proportion(whole->anonymous, size, of);
	part.file = in_proportion(whole->file, size, of);
	part.swapped = in_proportion(whole->swapped, size, of);
	part.is_part |= size != of;
	return part;
}

/* --- changes ------------------------------------------------------------ */

static bool is_of(const struct replay *replay, const struct vmsi_start *range,
		  uint32_t owner)
{
	return replay->lives->list[range->number].owner == owner;
}

/* Whether memory of owner begins or ends where the range does. */
static bool touches(const struct replay *replay, uint32_t process, uint32_t owner,
		    uintptr_t start, uintptr_t stop)
{
	const struct vmsi_by_start *living = &replay->processes[process].living;
	struct vmsi_by_start_place place = vmsi_by_start_find(living, stop);
	const struct vmsi_start *range = vmsi_by_start_at(living, place);

	if (range && range->start == stop && is_of(replay, range, owner))
		return true;
	place = vmsi_by_start_find(living, start);
	if (!vmsi_by_start_back(living, &place))
		return false;
	range = vmsi_by_start_at(living, place);
	return replay->lives->list[range->number].stop == start &&
		is_of(replay, range, owner);
}

static int add_change(struct replay *replay, const struct vmsi_recorded_event *event,
		      struct vmsi_change change)
{
	if (replay->processes[event->process].first == event->time)
		return 0;
	change.time = event->time;
	change.process = event->process;
	change.event = (uint32_t)(event - replay->recording->events);
	return vmsi_changes_add(replay->lives, change);
}

/* What was taken from one owner is a change, but not where a mapping covers it. */
static int end_loss(struct replay *replay, const struct vmsi_recorded_event *event,
		    struct loss *loss)
{
	struct vmsi_change change = {
		.kind = VMSI_CHANGE_GONE,
		.owner = loss->owner,
		.start = loss->start,
		.stop = loss->stop,
		.size = -(int64_t)(loss->stop - loss->start),
		.commit = -(int64_t)loss->commit,
		.touched = loss->touched,
	};

	if (loss->stop == 0 ||
	    (event->kind == VMSI_RECORDED_MAPPING && loss->commit == 0))
		return 0;
	if (touches(replay, event->process, loss->owner, loss->start, loss->stop))
		change.kind = VMSI_CHANGE_SHRANK;
	loss->stop = 0;
	return add_change(replay, event, change);
}

static int add_loss(struct replay *replay, const struct vmsi_recorded_event *event,
		    struct taken *taken, const struct vmsi_life *part)
{
	struct loss *loss = &taken->loss;
	int result;

	if (event->kind == VMSI_RECORDED_MAPPING && part->owner == event->owner) {
		taken->size += part->stop - part->start;
		taken->commit += part->commit;
		return 0;
	}
	if (loss->stop != part->start || loss->owner != part->owner) {
		result = end_loss(replay, event, loss);
		if (result < 0)
			return result;
		*loss = (struct loss){ .owner = part->owner, .start = part->start };
	}
	loss->stop = part->stop;
	loss->commit += part->commit;
	loss->touched += part->anonymous + part->swapped;
	return 0;
}

static int tell_gain(struct replay *replay, const struct vmsi_recorded_event *event,
		     const struct taken *taken)
{
	struct vmsi_change change = {
		.kind = VMSI_CHANGE_NEW,
		.owner = event->owner,
		.start = event->start,
		.stop = event->end,
		.size = (int64_t)(event->end - event->start - taken->size),
		.commit = (int64_t)(event->commit - taken->commit),
		.touched = event->anonymous + event->swapped,
	};

	if (change.size == 0 && change.commit == 0)
		return 0;
	if (taken->size > 0 || touches(replay, event->process, event->owner,
				       event->start, event->end))
		change.kind = change.commit < 0 ? VMSI_CHANGE_SHRANK :
						  VMSI_CHANGE_GREW;
	return add_change(replay, event, change);
}

/* --- events ------------------------------------------------------------- */

/*
 * End the life that an event covers, or a part of it:
 *
 *     life   |--------------------|
 *     event        |-------|
 *     after  |-----|       |------|
 */
static int cover(struct replay *replay, const struct vmsi_recorded_event *event,
		 uint32_t number, struct taken *taken)
{
	struct vmsi_life life = replay->lives->list[number];
	uintptr_t start = life.start > event->start ? life.start : event->start;
	uintptr_t stop = life.stop < event->end ? life.stop : event->end;
	struct vmsi_life part = part_of(&life, start, stop, event->time);
	int result = 0;

	replay->lives->list[number].end = event->time;
	vmsi_by_start_remove(&replay->processes[life.process].living, life.start);
	if (life.start < start) {
		struct vmsi_life below = part_of(&life, life.start, start, event->time);

		result = add_life(replay, &below);
	}
	if (result == 0 && stop < life.stop) {
		struct vmsi_life above = part_of(&life, stop, life.stop, event->time);

		result = add_life(replay, &above);
	}
	return result < 0 ? result : add_loss(replay, event, taken, &part);
}

/* The first life that ends above address; VMSI_NOBODY where none is below limit. */
static uint32_t find_life(const struct replay *replay, uint32_t process,
			  uintptr_t address, uintptr_t limit)
{
	const struct vmsi_by_start *living = &replay->processes[process].living;
	struct vmsi_by_start_place place = vmsi_by_start_find(living, address);
	struct vmsi_by_start_place before = place;
	const struct vmsi_start *range;

	if (vmsi_by_start_back(living, &before)) {
		range = vmsi_by_start_at(living, before);
		if (replay->lives->list[range->number].stop > address)
			return range->number;
	}
	range = vmsi_by_start_at(living, place);
	return range && range->start < limit ? range->number : VMSI_NOBODY;
}

/* Most events say again what a mapping has: the changes are of commit alone. */
static int replay_mapping(struct replay *replay,
			  const struct vmsi_recorded_event *event)
{
	struct process *process = &replay->processes[event->process];
	struct vmsi_life life = {
		.begin = event->time, .end = VMSI_NO_END,
		.start = event->start, .stop = event->end,
		.commit = event->commit, .anonymous = event->anonymous,
		.file = event->file, .swapped = event->swapped,
		.process = event->process, .owner = event->owner,
		.event = (uint32_t)(event - replay->recording->events),
	};
	struct taken taken = { 0 };
	uint32_t number;
	int result = 0;

	if (process->first == VMSI_NO_END)
		process->first = event->time;
	while (result == 0 && (number = find_life(replay, event->process, event->start,
						  event->end)) != VMSI_NOBODY)
		result = cover(replay, event, number, &taken);
	if (result == 0)
		result = end_loss(replay, event, &taken.loss);
	if (result == 0 && event->kind == VMSI_RECORDED_MAPPING) {
		result = tell_gain(replay, event, &taken);
		if (result == 0)
			result = add_life(replay, &life);
	}
	return result;
}

static int replay_call(struct replay *replay, const struct vmsi_recorded_event *event)
{
	struct vmsi_change change = {
		.time = event->time,
		.kind = event->error ? VMSI_CHANGE_REFUSED : VMSI_CHANGE_GRANTED,
		.process = event->process,
		.owner = event->owner,
		.event = (uint32_t)(event - replay->recording->events),
		.start = event->start,
		.stop = event->end,
		.size = (int64_t)event->size,
		.commit = (int64_t)event->commit,
	};

	return vmsi_changes_add(replay->lives, change);
}

/* End what a process still has when it ends. */
static void end_process(struct replay *replay, uint32_t number)
{
	struct vmsi_by_start *living = &replay->processes[number].living;
	struct vmsi_by_start_place place = { 0 };
	const struct vmsi_start *range;

	for (; (range = vmsi_by_start_at(living, place)) != NULL;
	     vmsi_by_start_next(living, &place))
		replay->lives->list[range->number].end =
			replay->recording->processes[number].end;
	vmsi_by_start_free(living);
}

static void end_processes(struct replay *replay, uint64_t time)
{
	for (; replay->ended < replay->end_count; replay->ended++) {
		uint32_t number = replay->ends[replay->ended];

		if (replay->recording->processes[number].end > time)
			return;
		end_process(replay, number);
	}
}

static int replay_event(struct replay *replay, const struct vmsi_recorded_event *event)
{
	const struct vmsi_recorded_process *process;

	if (event->kind == VMSI_RECORDED_CALL)
		return replay_call(replay, event);
	if (event->kind != VMSI_RECORDED_MAPPING &&
	    event->kind != VMSI_RECORDED_UNMAPPED)
		return 0;
	/* An ended process has nothing, whatever a late look has told. */
	process = &replay->recording->processes[event->process];
	if (event->start >= event->end ||
	    (process->is_ended && event->time >= process->end))
		return 0;
	return replay_mapping(replay, event);
}

static int replay_events(struct replay *replay)
{
	const struct vmsi_recording *recording = replay->recording;

	for (size_t i = 0; i < recording->event_count; i++) {
		const struct vmsi_recorded_event *event = &recording->events[i];
		int result;

		if (i > 0 && event->time != event[-1].time) {
			vmsi_changes_pair(replay->lives, replay->look,
					  replay->places);
			replay->look = replay->lives->change_count;
		}
		end_processes(replay, event->time);
		vmsi_progress_show(i);
		result = replay_event(replay, event);
		if (result < 0)
			return result;
	}
	vmsi_changes_pair(replay->lives, replay->look, replay->places);
	end_processes(replay, VMSI_NO_END);
	return 0;
}

static int compare_ends(const void *left, const void *right, void *processes)
{
	const struct vmsi_recorded_process *table = processes;
	uint64_t a = table[*(const uint32_t *)left].end;
	uint64_t b = table[*(const uint32_t *)right].end;

	return (a > b) - (a < b);
}

static int prepare(struct replay *replay)
{
	const struct vmsi_recording *recording = replay->recording;

	replay->processes = calloc(recording->process_count + 1,
				   sizeof(*replay->processes));
	replay->places = calloc(recording->owner_count + 1, sizeof(*replay->places));
	replay->ends = calloc(recording->process_count + 1, sizeof(*replay->ends));
	if (!replay->processes || !replay->places || !replay->ends)
		return -ENOMEM;
	for (size_t i = 0; i < recording->owner_count; i++)
		replay->places[i] = VMSI_NOBODY;
	for (size_t i = 0; i < recording->process_count; i++) {
		replay->processes[i].first = VMSI_NO_END;
		if (recording->processes[i].is_ended)
			replay->ends[replay->end_count++] = (uint32_t)i;
	}
	qsort_r(replay->ends, replay->end_count, sizeof(*replay->ends), compare_ends,
		recording->processes);
	return 0;
}

int vmsi_lives_make(struct vmsi_lives *lives, const struct vmsi_recording *recording)
{
	struct replay replay = { .lives = lives, .recording = recording };
	int result;

	*lives = (struct vmsi_lives){ 0 };
	result = prepare(&replay);
	vmsi_progress_begin("events", recording->event_count, EVENTS_SHOWN);
	if (result == 0)
		result = replay_events(&replay);
	vmsi_progress_end();
	for (size_t i = 0; replay.processes && i < recording->process_count; i++)
		vmsi_by_start_free(&replay.processes[i].living);
	free(replay.processes);
	free(replay.places);
	free(replay.ends);
	return result;
}

void vmsi_lives_free(struct vmsi_lives *lives)
{
	free(lives->list);
	free(lives->changes);
	*lives = (struct vmsi_lives){ 0 };
}
