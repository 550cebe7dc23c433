/* SPDX-License-Identifier: MIT */
#include "cli/recording/items.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/recording/calls.h"
#include "cli/recording/format.h"

/* --- bytes ---------------------------------------------------------------- */

static uint64_t damage(struct vmsi_bytes *bytes)
{
	bytes->is_damaged = true;
	bytes->at = bytes->end;
	return 0;
}

uint64_t vmsi_bytes_number(struct vmsi_bytes *bytes)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		unsigned byte;

		if (bytes->at == bytes->end)
			return damage(bytes);
		byte = *bytes->at++;
		/* The tenth byte has one bit. */
		if (shift == 63 && byte > 1)
			return damage(bytes);
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	return damage(bytes);
}

/* A number that must not be larger than most. */
static uint64_t number_up_to(struct vmsi_bytes *bytes, uint64_t most)
{
	const uint64_t number = vmsi_bytes_number(bytes);

	return number <= most ? number : damage(bytes);
}

/* An index of a table that has count rows. */
static uint32_t index_in(struct vmsi_bytes *bytes, size_t count)
{
	const uint64_t number = vmsi_bytes_number(bytes);

	return (uint32_t)(number < count ? number : damage(bytes));
}

/* The same, where 0 is nobody. */
static uint32_t index_or_nobody(struct vmsi_bytes *bytes, size_t count)
{
	const uint64_t number = number_up_to(bytes, count);

	return number ? (uint32_t)(number - 1) : VMSI_NOBODY;
}

char *vmsi_bytes_text(struct vmsi_bytes *bytes)
{
	const uint64_t length = number_up_to(bytes, VMSI_RECORDED_TEXT_MOST);
	const unsigned char *text = bytes->at;

	if (bytes->is_damaged || length > (size_t)(bytes->end - text) ||
	    memchr(text, 0, length)) {
		damage(bytes);
		return NULL;
	}
	bytes->at += length;
	return strndup((const char *)text, length);
}

static int error_of(const struct vmsi_bytes *bytes)
{
	return bytes->is_damaged ? -EPROTO : 0;
}

/* What made a text NULL. */
static int error_of_text(const struct vmsi_bytes *bytes, const char *text)
{
	return bytes->is_damaged ? -EPROTO : text ? 0 : -ENOMEM;
}

/* --- tables --------------------------------------------------------------- */

static int read_process(struct vmsi_reader *reader, struct vmsi_bytes *bytes)
{
	struct vmsi_recording *recording = reader->recording;
	struct vmsi_recorded_process process = { .begin = reader->time };
	struct vmsi_recorded_process *list;
	int error;

	process.pid = (pid_t)number_up_to(bytes, INT_MAX);
	process.parent = index_or_nobody(bytes, recording->process_count);
	process.name = vmsi_bytes_text(bytes);
	error = error_of_text(bytes, process.name);
	list = error ? NULL :
		vmsi_with_capacity(recording->processes, recording->process_count,
				   &reader->process_capacity, sizeof(*list));
	if (!list) {
		free(process.name);
		return error ? error : -ENOMEM;
	}
	recording->processes = list;
	reader->process = (uint32_t)recording->process_count;
	reader->position = 0;
	list[recording->process_count++] = process;
	return 0;
}

static int read_ended(struct vmsi_reader *reader, struct vmsi_bytes *bytes)
{
	struct vmsi_recording *recording = reader->recording;
	const uint32_t number = index_in(bytes, recording->process_count);
	const bool is_known = number_up_to(bytes, 1) != 0;
	const uint64_t status = is_known ? number_up_to(bytes, UINT32_MAX) : 0;
	struct vmsi_recorded_process *process;

	if (bytes->is_damaged)
		return -EPROTO;
	process = &recording->processes[number];
	if (process->is_ended)
		return -EPROTO;
	process->is_ended = true;
	process->end = reader->time;
	process->is_status_known = is_known;
	process->status = (int)(uint32_t)status;
	return 0;
}

/* The numbers of kinds are in files: they stay, and new ones come behind them. */
_Static_assert(VMSI_OWNER_FILE == 0 && VMSI_OWNER_RESERVED == 9 &&
	       VMSI_OWNER_SPACE == 10 && VMSI_OWNER_POOL == 18,
	       "the kinds of owners have the numbers of vmspace-trace(5)");

/* One that a later version knows is memory with a name. */
static enum vmsi_owner_kind read_kind(struct vmsi_bytes *bytes)
{
	const uint64_t kind = vmsi_bytes_number(bytes);

	return kind < VMSI_OWNER_KINDS ? (enum vmsi_owner_kind)kind :
					 VMSI_OWNER_NAMED;
}

static int read_owner(struct vmsi_reader *reader, struct vmsi_bytes *bytes)
{
	struct vmsi_recording *recording = reader->recording;
	struct vmsi_recorded_owner owner = {
		.process = index_in(bytes, recording->process_count),
		.kind = read_kind(bytes),
		.name = vmsi_bytes_text(bytes),
	};
	const int error = error_of_text(bytes, owner.name);
	struct vmsi_recorded_owner *list = error ? NULL :
		vmsi_with_capacity(recording->owners, recording->owner_count,
				   &reader->owner_capacity, sizeof(*list));

	if (!list) {
		free(owner.name);
		return error ? error : -ENOMEM;
	}
	recording->owners = list;
	list[recording->owner_count++] = owner;
	return 0;
}

static int read_frames(struct vmsi_recorded_stack *stack,
		       struct vmsi_bytes *bytes, uint32_t count)
{
	for (; stack->count < count; stack->count++) {
		char *text = vmsi_bytes_text(bytes);

		if (!text)
			return error_of_text(bytes, text);
		stack->frames[stack->count] = text;
	}
	return 0;
}

/* The stack is in the table at once, so that it is freed with it. */
static int read_stack(struct vmsi_reader *reader, struct vmsi_bytes *bytes)
{
	struct vmsi_recording *recording = reader->recording;
	const uint32_t count = (uint32_t)
		number_up_to(bytes, VMSI_RECORDED_FRAMES_MOST);
	struct vmsi_recorded_stack *list, *stack;

	if (bytes->is_damaged)
		return -EPROTO;
	list = vmsi_with_capacity(recording->stacks, recording->stack_count,
				  &reader->stack_capacity, sizeof(*list));
	if (!list)
		return -ENOMEM;
	recording->stacks = list;
	stack = &list[recording->stack_count];
	*stack = (struct vmsi_recorded_stack){
		.frames = calloc(count ? count : 1, sizeof(*stack->frames)),
	};
	if (!stack->frames)
		return -ENOMEM;
	recording->stack_count++;
	return read_frames(stack, bytes, count);
}

/* --- events --------------------------------------------------------------- */

/* ago: by how long it is told late. */
static int add_late_event(struct vmsi_reader *reader,
			  const struct vmsi_bytes *bytes,
			  const struct vmsi_recorded_event *event, uint64_t ago)
{
	struct vmsi_recording *recording = reader->recording;
	struct vmsi_recorded_event *list;

	if (bytes->is_damaged)
		return -EPROTO;
	list = vmsi_with_capacity(recording->events, recording->event_count,
				  &reader->event_capacity, sizeof(*list));
	if (!list)
		return -ENOMEM;
	recording->events = list;
	list[recording->event_count] = *event;
	list[recording->event_count++].time = reader->time - ago;
	reader->is_unordered |= ago > 0;
	return 0;
}

static int add_event(struct vmsi_reader *reader, const struct vmsi_bytes *bytes,
		     const struct vmsi_recorded_event *event)
{
	return add_late_event(reader, bytes, event, 0);
}

/* A number of units, in bytes. */
static uint64_t size_in(struct vmsi_bytes *bytes, uint64_t unit)
{
	return number_up_to(bytes, UINT64_MAX / unit) * unit;
}

static void read_place(struct vmsi_reader *reader, struct vmsi_bytes *bytes,
		       uint64_t unit, struct vmsi_recorded_event *event)
{
	const uint64_t from = reader->position / unit;
	const uint64_t start = vmsi_unzigzag(from, vmsi_bytes_number(bytes));
	const uint64_t length = vmsi_bytes_number(bytes);

	if (reader->process == VMSI_NOBODY || reader->position % unit ||
	    start > UINTPTR_MAX / unit || length == 0 ||
	    length > UINTPTR_MAX / unit - start) {
		damage(bytes);
		return;
	}
	event->process = reader->process;
	event->start = (uintptr_t)(start * unit);
	event->end = (uintptr_t)((start + length) * unit);
	reader->position = event->end;
}

static uint64_t unit_of(const struct vmsi_reader *reader, uint64_t flags)
{
	return flags & VMSI_MAPPED_BYTES ? 1 : reader->recording->page_size;
}

static int read_mapping(struct vmsi_reader *reader, struct vmsi_bytes *bytes)
{
	const struct vmsi_recording *recording = reader->recording;
	const uint64_t flags = number_up_to(bytes, 0x7f);
	const uint64_t unit = unit_of(reader, flags);
	struct vmsi_recorded_event event = {
		.kind = VMSI_RECORDED_MAPPING, .stack = VMSI_NOBODY,
		.prot = (int)(flags & 7u),
		.is_shared = (flags & VMSI_MAPPED_SHARED) != 0,
		.has_pages = (flags & VMSI_MAPPED_PAGES) != 0,
	};

	event.owner = index_in(bytes, recording->owner_count);
	read_place(reader, bytes, unit, &event);
	event.commit = flags & VMSI_MAPPED_ALL_COMMIT ?
		event.end - event.start : size_in(bytes, unit);
	if (event.has_pages) {
		event.anonymous = size_in(bytes, unit);
		event.file = size_in(bytes, unit);
		event.swapped = size_in(bytes, unit);
	}
	/* An owner is one of a process. */
	if (!bytes->is_damaged &&
	    recording->owners[event.owner].process != event.process)
		damage(bytes);
	return add_event(reader, bytes, &event);
}

static int read_unmapped(struct vmsi_reader *reader, struct vmsi_bytes *bytes)
{
	const uint64_t flags = number_up_to(bytes, 0x7f);
	struct vmsi_recorded_event event = {
		.kind = VMSI_RECORDED_UNMAPPED, .owner = VMSI_NOBODY,
		.stack = VMSI_NOBODY,
	};

	read_place(reader, bytes, unit_of(reader, flags), &event);
	return add_event(reader, bytes, &event);
}

static int read_call(struct vmsi_reader *reader, struct vmsi_bytes *bytes)
{
	const struct vmsi_recording *recording = reader->recording;
	struct vmsi_recorded_event event = {
		.kind = VMSI_RECORDED_CALL, .owner = VMSI_NOBODY, .count = 1,
	};
	uint64_t ago;

	ago = number_up_to(bytes, reader->time);
	event.first = reader->time - ago;
	event.process = index_or_nobody(bytes, recording->process_count);
	event.call = vmsi_recorded_calls[index_in(bytes, VMSI_RECORDED_CALLS)];
	event.error = (int)number_up_to(bytes, INT_MAX);
	event.stack = index_or_nobody(bytes, recording->stack_count);
	event.size = vmsi_bytes_number(bytes);
	return add_late_event(reader, bytes, &event, ago);
}

static int read_granted(struct vmsi_reader *reader, struct vmsi_bytes *bytes)
{
	const struct vmsi_recording *recording = reader->recording;
	struct vmsi_recorded_event event = {
		.kind = VMSI_RECORDED_CALL, .owner = VMSI_NOBODY,
	};
	uint64_t ago;

	ago = number_up_to(bytes, reader->time);
	event.first = reader->time - ago;
	event.first -= number_up_to(bytes, event.first);
	event.process = index_or_nobody(bytes, recording->process_count);
	event.call = vmsi_recorded_calls[index_in(bytes, VMSI_RECORDED_CALLS)];
	event.stack = index_or_nobody(bytes, recording->stack_count);
	event.count = vmsi_bytes_number(bytes);
	event.size = vmsi_bytes_number(bytes);
	event.commit = vmsi_bytes_number(bytes);
	if (event.count == 0)
		damage(bytes);
	return add_late_event(reader, bytes, &event, ago);
}

static int read_sizes(struct vmsi_reader *reader, struct vmsi_bytes *bytes,
		      enum vmsi_recorded_kind kind)
{
	struct vmsi_recorded_event event = {
		.kind = kind, .process = VMSI_NOBODY, .owner = VMSI_NOBODY,
		.stack = VMSI_NOBODY,
	};

	event.size = vmsi_bytes_number(bytes);
	event.commit = vmsi_bytes_number(bytes);
	if (kind == VMSI_RECORDED_MACHINE)
		event.file = vmsi_bytes_number(bytes);
	return add_event(reader, bytes, &event);
}

/* --- an item -------------------------------------------------------------- */

static int read_time(struct vmsi_reader *reader, struct vmsi_bytes *bytes)
{
	/* So that sums of times do not overflow. */
	reader->time += number_up_to(bytes, (UINT64_MAX >> 2) - reader->time);
	return error_of(bytes);
}

int vmsi_item_read(struct vmsi_reader *reader, struct vmsi_bytes *bytes)
{
	switch (vmsi_bytes_number(bytes)) {
	case VMSI_ITEM_TIME:
		return read_time(reader, bytes);
	case VMSI_ITEM_PROCESS:
		return read_process(reader, bytes);
	case VMSI_ITEM_ENDED:
		return read_ended(reader, bytes);
	case VMSI_ITEM_OWNER:
		return read_owner(reader, bytes);
	case VMSI_ITEM_STACK:
		return read_stack(reader, bytes);
	case VMSI_ITEM_OF:
		reader->process = index_in(bytes, reader->recording->process_count);
		reader->position = 0;
		return error_of(bytes);
	case VMSI_ITEM_MAPPING:
		return read_mapping(reader, bytes);
	case VMSI_ITEM_UNMAPPED:
		return read_unmapped(reader, bytes);
	case VMSI_ITEM_CALL:
		return read_call(reader, bytes);
	case VMSI_ITEM_GRANTED:
		return read_granted(reader, bytes);
	case VMSI_ITEM_LIMIT:
		return read_sizes(reader, bytes, VMSI_RECORDED_LIMIT);
	case VMSI_ITEM_MACHINE:
		return read_sizes(reader, bytes, VMSI_RECORDED_MACHINE);
	case VMSI_ITEM_END:
		reader->is_finished = true;
		return error_of(bytes);
	default:
		return -EPROTO;
	}
}
