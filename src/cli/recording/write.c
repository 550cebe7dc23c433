/* SPDX-License-Identifier: MIT */
#include "cli/recording/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/recording/calls.h"
#include "cli/recording/format.h"

/* A frame is written when it has so much. */
#define FULL ((size_t)64 << 10)
/* The largest item: a stack. */
#define ITEM_MOST (VMSI_FRAME_MOST - FULL)

/* --- bytes ---------------------------------------------------------------- */

static void put_byte(struct vmsi_recorder *recorder, unsigned byte)
{
	recorder->frame[recorder->used++] = (unsigned char)byte;
}

static void put(struct vmsi_recorder *recorder, uint64_t number)
{
	while (number >= 0x80) {
		put_byte(recorder, (unsigned)(number & 0x7f) | 0x80);
		number >>= 7;
	}
	put_byte(recorder, (unsigned)number);
}

static void put_bytes(struct vmsi_recorder *recorder, const char *text,
		      size_t length)
{
	if (length > VMSI_RECORDED_TEXT_MOST)
		length = VMSI_RECORDED_TEXT_MOST;
	put(recorder, length);
	memcpy(recorder->frame + recorder->used, text, length);
	recorder->used += length;
}

static void put_text(struct vmsi_recorder *recorder, const char *text)
{
	put_bytes(recorder, text, strlen(text));
}

/* --- frames --------------------------------------------------------------- */

static int write_all(int file, const unsigned char *bytes, size_t length)
{
	while (length > 0) {
		const ssize_t done = write(file, bytes, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		bytes += done;
		length -= (size_t)done;
	}
	return 0;
}

int vmsi_recorder_flush(struct vmsi_recorder *recorder)
{
	unsigned char *frame = recorder->frame;
	const size_t length = recorder->used - VMSI_FRAME_HEAD;

	if (length == 0 || recorder->error) {
		recorder->used = VMSI_FRAME_HEAD;
		return recorder->error;
	}
	vmsi_put_u32(frame, (uint32_t)length);
	vmsi_put_u32(frame + 4, vmsi_frame_sum(frame + VMSI_FRAME_HEAD, length,
					       recorder->place));
	recorder->error = write_all(recorder->file, frame, recorder->used);
	if (recorder->error)
		/* A part of a frame is of no use; a pipe keeps it. */
		(void)!ftruncate(recorder->file, (off_t)recorder->place);
	else
		recorder->place += recorder->used;
	recorder->used = VMSI_FRAME_HEAD;
	return recorder->error;
}

/* Begin an item, for which there is room then. */
static void begin(struct vmsi_recorder *recorder, enum vmsi_item item)
{
	if (recorder->used >= FULL)
		(void)vmsi_recorder_flush(recorder);
	put_byte(recorder, item);
}

static unsigned byte_order(void)
{
	const uint16_t one = 1;

	return *(const unsigned char *)&one ? 'l' : 'b';
}

int vmsi_recorder_open(struct vmsi_recorder *recorder, int file,
		       const struct vmsi_recording *head)
{
	int error;

	*recorder = (struct vmsi_recorder){
		.file = file, .page_size = head->page_size,
		.process = VMSI_NOBODY, .used = VMSI_FRAME_HEAD,
		.place = VMSI_RECORDING_MAGIC_BYTES,
		.frame = malloc(VMSI_FRAME_HEAD + FULL + ITEM_MOST),
	};
	if (!recorder->frame)
		return -ENOMEM;
	put(recorder, VMSI_RECORDING_VERSION);
	put_byte(recorder, byte_order());
	put(recorder, head->page_size);
	put(recorder, head->began);
	put_text(recorder, head->program);
	put_text(recorder, head->machine);
	error = write_all(file, (const unsigned char *)VMSI_RECORDING_MAGIC,
			  VMSI_RECORDING_MAGIC_BYTES);
	if (!error)
		error = vmsi_recorder_flush(recorder);
	if (error)
		vmsi_recorder_close(recorder);
	return error;
}

void vmsi_recorder_close(struct vmsi_recorder *recorder)
{
	free(recorder->frame);
	recorder->frame = NULL;
}

int vmsi_recorder_finish(struct vmsi_recorder *recorder)
{
	begin(recorder, VMSI_ITEM_END);
	return vmsi_recorder_flush(recorder);
}

/* --- tables --------------------------------------------------------------- */

void vmsi_recorder_time(struct vmsi_recorder *recorder, uint64_t time)
{
	if (time <= recorder->time)
		return;
	begin(recorder, VMSI_ITEM_TIME);
	put(recorder, time - recorder->time);
	recorder->time = time;
}

static void speak_of(struct vmsi_recorder *recorder, uint32_t process)
{
	recorder->process = process;
	recorder->position = 0;
}

uint32_t vmsi_recorder_process(struct vmsi_recorder *recorder, pid_t pid,
			       uint32_t parent, const char *name)
{
	begin(recorder, VMSI_ITEM_PROCESS);
	put(recorder, (uint64_t)pid);
	put(recorder, parent == VMSI_NOBODY ? 0 : (uint64_t)parent + 1);
	put_text(recorder, name);
	speak_of(recorder, recorder->process_count);
	return recorder->process_count++;
}

void vmsi_recorder_ended(struct vmsi_recorder *recorder, uint32_t process,
			 const int *status)
{
	begin(recorder, VMSI_ITEM_ENDED);
	put(recorder, process);
	put(recorder, status != NULL);
	if (status)
		put(recorder, (uint32_t)*status);
}

uint32_t vmsi_recorder_owner(struct vmsi_recorder *recorder, uint32_t process,
			     enum vmsi_owner_kind kind, const char *name)
{
	begin(recorder, VMSI_ITEM_OWNER);
	put(recorder, process);
	put(recorder, kind);
	put_text(recorder, name);
	return recorder->owner_count++;
}

static uint32_t count_lines(const char *lines)
{
	uint32_t count = 0;

	for (; *lines && count < VMSI_RECORDED_FRAMES_MOST; count++) {
		lines += strcspn(lines, "\n");
		lines += *lines == '\n';
	}
	return count;
}

/* Frames share what room there is, so that the innermost ones are whole. */
uint32_t vmsi_recorder_stack(struct vmsi_recorder *recorder, const char *lines)
{
	const uint32_t count = count_lines(lines);
	size_t left = ITEM_MOST - 64 - (size_t)count * VMSI_NUMBER_MOST;

	begin(recorder, VMSI_ITEM_STACK);
	put(recorder, count);
	for (uint32_t i = 0; i < count; i++) {
		const size_t whole = strcspn(lines, "\n");
		size_t length = whole < left ? whole : left;

		if (length > VMSI_RECORDED_TEXT_MOST)
			length = VMSI_RECORDED_TEXT_MOST;
		put_bytes(recorder, lines, length);
		left -= length;
		lines += whole + (lines[whole] == '\n');
	}
	return recorder->stack_count++;
}

/* --- events --------------------------------------------------------------- */

static bool are_pages(const struct vmsi_recorder *recorder,
		      const struct vmsi_recorded_event *event)
{
	return (event->start | event->end | event->commit | event->anonymous |
		event->file | event->swapped) % recorder->page_size == 0;
}

static void put_place(struct vmsi_recorder *recorder,
		      const struct vmsi_recorded_event *event, uint64_t unit)
{
	put(recorder, vmsi_zigzag(recorder->position / unit,
				  event->start / unit));
	put(recorder, (event->end - event->start) / unit);
	recorder->position = event->end;
}

/* The unit of its sizes is chosen so that they and the place before fit. */
static uint64_t unit_of(const struct vmsi_recorder *recorder,
			const struct vmsi_recorded_event *event)
{
	return are_pages(recorder, event) &&
		recorder->position % recorder->page_size == 0 ?
		recorder->page_size : 1;
}

static void put_mapping(struct vmsi_recorder *recorder,
			const struct vmsi_recorded_event *event)
{
	const uint64_t unit = unit_of(recorder, event);
	const bool is_all = event->commit == event->end - event->start;

	begin(recorder, VMSI_ITEM_MAPPING);
	put(recorder, ((unsigned)event->prot & 7u) |
		      (event->is_shared ? VMSI_MAPPED_SHARED : 0) |
		      (event->has_pages ? VMSI_MAPPED_PAGES : 0) |
		      (is_all ? VMSI_MAPPED_ALL_COMMIT : 0) |
		      (unit == 1 ? VMSI_MAPPED_BYTES : 0));
	put(recorder, event->owner);
	put_place(recorder, event, unit);
	if (!is_all)
		put(recorder, event->commit / unit);
	if (!event->has_pages)
		return;
	put(recorder, event->anonymous / unit);
	put(recorder, event->file / unit);
	put(recorder, event->swapped / unit);
}

static void put_unmapped(struct vmsi_recorder *recorder,
			 const struct vmsi_recorded_event *event)
{
	const uint64_t unit = unit_of(recorder, event);

	begin(recorder, VMSI_ITEM_UNMAPPED);
	put(recorder, unit == 1 ? VMSI_MAPPED_BYTES : 0);
	put_place(recorder, event, unit);
}

static unsigned number_of(const char *call)
{
	unsigned i = 0;

	while (i + 1 < VMSI_RECORDED_CALLS &&
	       strcmp(call, vmsi_recorded_calls[i]) != 0)
		i++;
	return i;
}

static void put_or_nobody(struct vmsi_recorder *recorder, uint32_t number)
{
	put(recorder, number == VMSI_NOBODY ? 0 : (uint64_t)number + 1);
}

static void put_refused(struct vmsi_recorder *recorder,
			const struct vmsi_recorded_event *event, uint64_t ago)
{
	begin(recorder, VMSI_ITEM_CALL);
	put(recorder, ago);
	put_or_nobody(recorder, event->process);
	put(recorder, number_of(event->call));
	put(recorder, (unsigned)event->error);
	put_or_nobody(recorder, event->stack);
	put(recorder, event->size);
}

static void put_granted(struct vmsi_recorder *recorder,
			const struct vmsi_recorded_event *event, uint64_t ago)
{
	const uint64_t time = recorder->time - ago;

	begin(recorder, VMSI_ITEM_GRANTED);
	put(recorder, ago);
	put(recorder, event->count > 1 && event->first < time ?
	    time - event->first : 0);
	put_or_nobody(recorder, event->process);
	put(recorder, number_of(event->call));
	put_or_nobody(recorder, event->stack);
	put(recorder, event->count);
	put(recorder, event->size);
	put(recorder, event->commit);
}

static void put_calls(struct vmsi_recorder *recorder,
		      const struct vmsi_recorded_event *event)
{
	const uint64_t ago = event->time < recorder->time ?
		recorder->time - event->time : 0;

	if (event->error)
		put_refused(recorder, event, ago);
	else
		put_granted(recorder, event, ago);
}

static void put_of(struct vmsi_recorder *recorder, uint32_t process)
{
	if (process == recorder->process)
		return;
	begin(recorder, VMSI_ITEM_OF);
	put(recorder, process);
	speak_of(recorder, process);
}

void vmsi_recorder_event(struct vmsi_recorder *recorder,
			 const struct vmsi_recorded_event *event)
{
	switch (event->kind) {
	case VMSI_RECORDED_MAPPING:
		put_of(recorder, event->process);
		put_mapping(recorder, event);
		break;
	case VMSI_RECORDED_UNMAPPED:
		put_of(recorder, event->process);
		put_unmapped(recorder, event);
		break;
	case VMSI_RECORDED_CALL:
		put_calls(recorder, event);
		break;
	case VMSI_RECORDED_LIMIT:
		begin(recorder, VMSI_ITEM_LIMIT);
		put(recorder, event->size);
		put(recorder, event->commit);
		break;
	case VMSI_RECORDED_MACHINE:
		begin(recorder, VMSI_ITEM_MACHINE);
		put(recorder, event->size);
		put(recorder, event->commit);
		put(recorder, event->file);
		break;
	case VMSI_RECORDED_KINDS:
		break;
	}
}
