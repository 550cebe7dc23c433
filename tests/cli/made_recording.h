/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MADE_RECORDING_H
#define TESTS_MADE_RECORDING_H

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/recording/recording.h"

/* Recordings that are made by hand. What there is no memory for ends the program. */

struct made {
	struct vmsi_recording recording;
	uint64_t now; /* of events that are added */
};

static inline void *made_grown(void *list, size_t count, size_t size)
{
	/* At each power of two. */
	if ((count & (count - 1)) == 0)
		list = reallocarray(list, count ? 2 * count : 1, size);
	if (!list)
		errx(1, "no memory");
	return list;
}

static inline char *made_text(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		errx(1, "no memory");
	return copy;
}

static inline uint32_t made_process(struct made *made, uint32_t parent, pid_t pid,
				    const char *name)
{
	struct vmsi_recording *all = &made->recording;

	all->processes = made_grown(all->processes, all->process_count,
				    sizeof(*all->processes));
	all->processes[all->process_count] = (struct vmsi_recorded_process){
		.pid = pid, .parent = parent, .begin = made->now,
		.name = made_text(name),
	};
	return (uint32_t)all->process_count++;
}

static inline void made_end(struct made *made, uint32_t process, int status)
{
	struct vmsi_recorded_process *row = &made->recording.processes[process];

	row->is_ended = row->is_status_known = true;
	row->status = status;
	row->end = made->now;
}

static inline uint32_t made_owner(struct made *made, uint32_t process,
				  enum vmsi_owner_kind kind, const char *name)
{
	struct vmsi_recording *all = &made->recording;

	all->owners = made_grown(all->owners, all->owner_count, sizeof(*all->owners));
	all->owners[all->owner_count] = (struct vmsi_recorded_owner){
		process, kind, made_text(name),
	};
	return (uint32_t)all->owner_count++;
}

static inline uint32_t made_stack(struct made *made, uint32_t count,
				  const char *const *frames)
{
	struct vmsi_recording *all = &made->recording;
	struct vmsi_recorded_stack *row;

	all->stacks = made_grown(all->stacks, all->stack_count, sizeof(*all->stacks));
	row = &all->stacks[all->stack_count];
	row->count = count;
	row->frames = calloc(count + 1, sizeof(*row->frames));
	if (!row->frames)
		errx(1, "no memory");
	for (uint32_t i = 0; i < count; i++)
		row->frames[i] = made_text(frames[i]);
	return (uint32_t)all->stack_count++;
}

static inline struct vmsi_recorded_event *made_event(struct made *made,
						     enum vmsi_recorded_kind kind)
{
	struct vmsi_recording *all = &made->recording;

	all->events = made_grown(all->events, all->event_count, sizeof(*all->events));
	all->events[all->event_count] = (struct vmsi_recorded_event){
		.time = made->now, .kind = kind, .process = VMSI_NOBODY,
		.count = kind == VMSI_RECORDED_CALL,
		.owner = VMSI_NOBODY, .stack = VMSI_NOBODY,
	};
	return &all->events[all->event_count++];
}

/* All of it is committed, and so much of it in memory. */
static inline struct vmsi_recorded_event *made_mapping(struct made *made,
	uint32_t owner, uintptr_t start, uint64_t size, uint64_t anonymous)
{
	struct vmsi_recorded_event *event = made_event(made, VMSI_RECORDED_MAPPING);

	event->process = made->recording.owners[owner].process;
	event->owner = owner;
	event->start = start;
	event->end = start + size;
	event->commit = size;
	event->anonymous = anonymous;
	event->has_pages = true;
	event->prot = PROT_READ | PROT_WRITE;
	return event;
}

static inline void made_unmapped(struct made *made, uint32_t process,
				 uintptr_t start, uint64_t size)
{
	struct vmsi_recorded_event *event = made_event(made, VMSI_RECORDED_UNMAPPED);

	event->process = process;
	event->start = start;
	event->end = start + size;
}

static inline void made_free(struct made *made)
{
	struct vmsi_recording *all = &made->recording;

	for (size_t i = 0; i < all->process_count; i++)
		free(all->processes[i].name);
	for (size_t i = 0; i < all->owner_count; i++)
		free(all->owners[i].name);
	for (size_t i = 0; i < all->stack_count; i++) {
		for (uint32_t k = 0; k < all->stacks[i].count; k++)
			free(all->stacks[i].frames[k]);
		free(all->stacks[i].frames);
	}
	free(all->processes);
	free(all->owners);
	free(all->stacks);
	free(all->events);
	*made = (struct made){ 0 };
}

#endif
