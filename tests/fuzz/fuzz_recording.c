/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a recording. The first byte says whether they are a file as it is (even), or
 * the payload of a frame behind a good head, so that the reading of items is reached
 * (odd). Whatever is read can be replayed, and names nobody that is not in its tables.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/recording/format.h"
#include "cli/recording/read.h"
#include "cli/recording/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t head_payload[] = {
	VMSI_RECORDING_VERSION, 'l', 0x80, 0x20, 0x05, 1, 'p', 1, 'm',
};

static void require(int condition)
{
	if (!condition)
		abort();
}

static size_t put_frame(uint8_t *file, size_t place, const uint8_t *payload,
			size_t length)
{
	vmsi_put_u32(file + place, (uint32_t)length);
	vmsi_put_u32(file + place + 4, vmsi_frame_sum(payload, length, place));
	memcpy(file + place + VMSI_FRAME_HEAD, payload, length);
	return place + VMSI_FRAME_HEAD + length;
}

static uint8_t *make_file(const uint8_t *payload, size_t length, size_t *size)
{
	uint8_t *file = malloc(VMSI_RECORDING_MAGIC_BYTES + 2 * VMSI_FRAME_HEAD +
			       sizeof(head_payload) + length);
	size_t place = VMSI_RECORDING_MAGIC_BYTES;

	require(file != NULL);
	memcpy(file, VMSI_RECORDING_MAGIC, place);
	place = put_frame(file, place, head_payload, sizeof(head_payload));
	*size = put_frame(file, place, payload, length);
	return file;
}

static void require_events(const struct vmsi_recording *recording)
{
	uint64_t time = 0;

	for (size_t i = 0; i < recording->event_count; i++) {
		const struct vmsi_recorded_event *event = &recording->events[i];

		require(event->time >= time && event->time <= recording->length);
		time = event->time;
		require(event->process == VMSI_NOBODY ||
			event->process < recording->process_count);
		require(event->owner == VMSI_NOBODY ||
			event->owner < recording->owner_count);
		require(event->stack == VMSI_NOBODY ||
			event->stack < recording->stack_count);
		require(event->kind != VMSI_RECORDED_CALL ||
			(event->call && event->count > 0 &&
			 event->first <= event->time));
		require(event->kind != VMSI_RECORDED_MAPPING ||
			(event->start < event->end &&
			 event->owner != VMSI_NOBODY));
	}
}

static void require_tables(const struct vmsi_recording *recording)
{
	for (size_t i = 0; i < recording->process_count; i++)
		require(recording->processes[i].begin <=
			recording->processes[i].end &&
			(recording->processes[i].parent == VMSI_NOBODY ||
			 recording->processes[i].parent < i));
	for (size_t i = 0; i < recording->owner_count; i++)
		require(recording->owners[i].process < recording->process_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmsi_recording recording;
	struct vmsi_replay replay;
	uint8_t *file = NULL;

	if (size == 0 || size > VMSI_FRAME_MOST)
		return 0;
	if (data[0] & 1)
		data = file = make_file(data + 1, size - 1, &size);
	else
		data++, size--;
	if (vmsi_recording_read(&recording, data, size) == 0) {
		require_tables(&recording);
		require_events(&recording);
		require(vmsi_replay_open(&replay, &recording) == 0);
		require(vmsi_replay_to(&replay, UINT64_MAX) == 0);
		vmsi_replay_close(&replay);
		vmsi_recording_free(&recording);
	}
	free(file);
	return 0;
}
