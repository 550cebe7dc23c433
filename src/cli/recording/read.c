/* SPDX-License-Identifier: MIT */
#include "cli/recording/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/output/progress.h"
#include "cli/recording/format.h"
#include "cli/recording/items.h"

/* Pages of any machine; larger ones would be a mistake. */
#define PAGE_LEAST 4096u
#define PAGE_MOST ((uint64_t)1 << 20)

/* Find the payload of the next frame. False: there is no whole one. */
static bool next_frame(struct vmsi_bytes *file, const unsigned char *begin,
		       struct vmsi_bytes *payload)
{
	const size_t left = (size_t)(file->end - file->at);
	size_t length;

	if (left < VMSI_FRAME_HEAD)
		return false;
	length = vmsi_get_u32(file->at);
	if (length == 0 || length > VMSI_FRAME_MOST ||
	    length > left - VMSI_FRAME_HEAD ||
	    vmsi_frame_sum(file->at + VMSI_FRAME_HEAD, length,
			   (uint64_t)(file->at - begin)) !=
	    vmsi_get_u32(file->at + 4))
		return false;
	payload->at = file->at + VMSI_FRAME_HEAD;
	payload->end = payload->at + length;
	payload->is_damaged = false;
	file->at = payload->end;
	return true;
}

/* The head may have more at its end, in a later version. */
static int read_head(struct vmsi_recording *recording, struct vmsi_bytes *payload)
{
	const uint64_t version = vmsi_bytes_number(payload);
	uint64_t order;

	if (payload->is_damaged)
		return -EPROTO;
	if (version < VMSI_RECORDING_VERSION_LEAST ||
	    version > VMSI_RECORDING_VERSION)
		return -ENOTSUP;
	order = vmsi_bytes_number(payload);
	recording->page_size = vmsi_bytes_number(payload);
	recording->began = vmsi_bytes_number(payload);
	recording->program = vmsi_bytes_text(payload);
	recording->machine = vmsi_bytes_text(payload);
	if (payload->is_damaged || (order != 'l' && order != 'b') ||
	    recording->page_size < PAGE_LEAST ||
	    recording->page_size > PAGE_MOST ||
	    (recording->page_size & (recording->page_size - 1)))
		return -EPROTO;
	return recording->program && recording->machine ? 0 : -ENOMEM;
}

/* Of a frame that is not understood to its end nothing happened. */
static int read_frame(struct vmsi_reader *reader, struct vmsi_bytes *payload)
{
	const size_t events = reader->recording->event_count;
	int error = 0;

	while (!error && payload->at < payload->end)
		error = vmsi_item_read(reader, payload);
	if (error)
		reader->recording->event_count = events;
	return error;
}

/* Merge two neighbouring runs of events that are each in the order of time. */
static void merge(const struct vmsi_recorded_event *from,
		  struct vmsi_recorded_event *to, size_t begin, size_t middle,
		  size_t end)
{
	size_t left = begin, right = middle;

	for (size_t i = begin; i < end; i++)
		to[i] = left < middle && (right >= end ||
					  from[left].time <= from[right].time) ?
			from[left++] : from[right++];
}

/* Events of one time stay in the order in which they were told. */
static int order_events(struct vmsi_recording *recording)
{
	const size_t count = recording->event_count;
	struct vmsi_recorded_event *from = recording->events;
	struct vmsi_recorded_event *to = reallocarray(NULL, count, sizeof(*to));

	if (!to)
		return -ENOMEM;
	for (size_t run = 1; run < count; run *= 2) {
		struct vmsi_recorded_event *merged = to;

		for (size_t i = 0; i < count; i += 2 * run)
			merge(from, to, i, i + run < count ? i + run : count,
			      i + 2 * run < count ? i + 2 * run : count);
		to = from;
		from = merged;
	}
	free(to);
	recording->events = from;
	return 0;
}

static void finish(const struct vmsi_reader *reader)
{
	struct vmsi_recording *recording = reader->recording;

	recording->is_cut = !reader->is_finished;
	recording->length = reader->time;
	for (size_t i = 0; i < recording->process_count; i++)
		if (!recording->processes[i].is_ended)
			recording->processes[i].end = reader->time;
}

/* What is shown of a long recording while it is read: parts of so many bytes. */
#define PART ((size_t)64 << 10)
#define PARTS_SHOWN 64

static size_t parts(const unsigned char *begin, const unsigned char *end)
{
	return (size_t)(end - begin) / PART;
}

static int read_frames(struct vmsi_recording *recording, struct vmsi_bytes *file,
		       const unsigned char *begin)
{
	struct vmsi_reader reader = {
		.recording = recording, .process = VMSI_NOBODY,
	};
	struct vmsi_bytes payload;
	int error = 0;

	vmsi_progress_begin("parts read", parts(begin, file->end), PARTS_SHOWN);
	while (!error && !reader.is_finished &&
	       next_frame(file, begin, &payload)) {
		vmsi_progress_show(parts(begin, file->at));
		error = read_frame(&reader, &payload);
	}
	vmsi_progress_end();
	if (error == -ENOMEM)
		return error;
	finish(&reader);
	return reader.is_unordered && recording->event_count ?
		order_events(recording) : 0;
}

int vmsi_recording_read(struct vmsi_recording *recording, const void *bytes,
			size_t size)
{
	const unsigned char *begin = bytes;
	struct vmsi_bytes file = { begin, begin + size, false }, payload;
	int error = -EPROTO;

	*recording = (struct vmsi_recording){ 0 };
	if (size < VMSI_RECORDING_MAGIC_BYTES ||
	    memcmp(bytes, VMSI_RECORDING_MAGIC, VMSI_RECORDING_MAGIC_BYTES) != 0)
		return error;
	file.at += VMSI_RECORDING_MAGIC_BYTES;
	if (next_frame(&file, begin, &payload))
		error = read_head(recording, &payload);
	if (!error)
		error = read_frames(recording, &file, begin);
	if (error)
		vmsi_recording_free(recording);
	return error;
}

/* --- a file --------------------------------------------------------------- */

/* Read all of a file, a pipe too. Returns malloc's bytes, or NULL with errno. */
static unsigned char *read_all(int file, size_t *size)
{
	size_t capacity = 0;
	unsigned char *bytes = NULL;
	ssize_t got = 1;

	*size = 0;
	while (got > 0) {
		if (*size == capacity) {
			unsigned char *more;

			capacity = capacity ? 2 * capacity : 1 << 16;
			more = realloc(bytes, capacity);
			if (!more)
				break;
			bytes = more;
		}
		do
			got = read(file, bytes + *size, capacity - *size);
		while (got < 0 && errno == EINTR);
		*size += got > 0 ? (size_t)got : 0;
	}
	if (got == 0)
		return bytes;
	free(bytes);
	return NULL;
}

int vmsi_recording_read_file(struct vmsi_recording *recording, const char *path)
{
	const int file = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *bytes;
	size_t size;
	int error;

	if (file < 0)
		return -errno;
	bytes = read_all(file, &size);
	error = bytes ? vmsi_recording_read(recording, bytes, size) : -errno;
	free(bytes);
	close(file);
	return error;
}

void vmsi_recording_free(struct vmsi_recording *recording)
{
	for (size_t i = 0; i < recording->process_count; i++)
		free(recording->processes[i].name);
	for (size_t i = 0; i < recording->owner_count; i++)
		free(recording->owners[i].name);
	for (size_t i = 0; i < recording->stack_count; i++) {
		for (uint32_t j = 0; j < recording->stacks[i].count; j++)
			free(recording->stacks[i].frames[j]);
		free(recording->stacks[i].frames);
	}
	free(recording->processes);
	free(recording->owners);
	free(recording->stacks);
	free(recording->events);
	free(recording->program);
	free(recording->machine);
	*recording = (struct vmsi_recording){ 0 };
}
