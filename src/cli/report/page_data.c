/* SPDX-License-Identifier: MIT */
#include "cli/report/page_data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* Put numbers in their order, each once. Returns how many there are then. */
static size_t arrange(uint64_t *list, size_t count)
{
	size_t kept = 0;

	qsort(list, count, sizeof(*list), compare);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || list[i] != list[kept - 1])
			list[kept++] = list[i];
	return kept;
}

static uint32_t number_of(uint64_t value, const uint64_t *list, size_t count)
{
	const uint64_t *found = bsearch(&value, list, count, sizeof(value), compare);

	return (uint32_t)(found - list);
}

/* All times of events and of ends of processes. */
static int gather_times(struct vmsi_page_data *data)
{
	const struct vmsi_recording *recording = data->recording;
	size_t count = 0;

	data->times = reallocarray(NULL, recording->event_count +
				   recording->process_count + 1, sizeof(*data->times));
	if (!data->times)
		return -ENOMEM;
	for (size_t i = 0; i < recording->event_count; i++)
		if (i == 0 || recording->events[i].time != data->times[count - 1])
			data->times[count++] = recording->events[i].time;
	for (size_t i = 0; i < recording->process_count; i++)
		data->times[count++] = recording->processes[i].end;
	data->time_count = arrange(data->times, count);
	return 0;
}

static int gather_starts(struct vmsi_page_data *data)
{
	const struct vmsi_lives *lives = &data->lives;

	data->starts = reallocarray(NULL, lives->count + 1, sizeof(*data->starts));
	if (!data->starts)
		return -ENOMEM;
	for (size_t i = 0; i < lives->count; i++)
		data->starts[i] = lives->list[i].start;
	data->start_count = arrange(data->starts, lives->count);
	return 0;
}

static void drop_stillborn(struct vmsi_lives *lives)
{
	size_t kept = 0;

	for (size_t i = 0; i < lives->count; i++)
		if (lives->list[i].begin < lives->list[i].end)
			lives->list[kept++] = lives->list[i];
	lives->count = kept;
}

static int number_lives(struct vmsi_page_data *data)
{
	size_t count = data->lives.count, time = 0;

	data->begins = reallocarray(NULL, count + 1, sizeof(uint32_t));
	data->spans = reallocarray(NULL, count + 1, sizeof(uint32_t));
	data->places = reallocarray(NULL, count + 1, sizeof(uint32_t));
	if (!data->begins || !data->spans || !data->places)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct vmsi_life *life = &data->lives.list[i];

		while (data->times[time] < life->begin)
			time++;
		data->begins[i] = (uint32_t)time;
		data->spans[i] = life->end == VMSI_NO_END ? 0 :
			number_of(life->end, data->times, data->time_count) -
				data->begins[i];
		data->places[i] = number_of(life->start, data->starts,
					    data->start_count);
	}
	return 0;
}

size_t vmsi_page_call_number(const struct vmsi_page_data *data, const char *call)
{
	size_t i = 0;

	while (i < data->calls.count && call && strcmp(data->calls.list[i], call) != 0)
		i++;
	return i;
}

static void note_call(struct vmsi_page_data *data, const char *call)
{
	struct vmsi_page_calls *calls = &data->calls;

	if (call && calls->count < VMSI_PAGE_CALLS &&
	    vmsi_page_call_number(data, call) == calls->count)
		calls->list[calls->count++] = call;
}

static int gather_others(struct vmsi_page_data *data)
{
	const struct vmsi_recording *recording = data->recording;

	data->limits = reallocarray(NULL, recording->event_count + 1, sizeof(uint32_t));
	data->machines = reallocarray(NULL, recording->event_count + 1,
				      sizeof(uint32_t));
	if (!data->limits || !data->machines)
		return -ENOMEM;
	for (size_t i = 0; i < recording->event_count; i++) {
		const struct vmsi_recorded_event *event = &recording->events[i];

		if (event->kind == VMSI_RECORDED_CALL)
			note_call(data, event->call);
		else if (event->kind == VMSI_RECORDED_LIMIT)
			data->limits[data->limit_count++] = (uint32_t)i;
		else if (event->kind == VMSI_RECORDED_MACHINE)
			data->machines[data->machine_count++] = (uint32_t)i;
	}
	return 0;
}

int vmsi_page_data_gather(struct vmsi_page_data *data,
			  const struct vmsi_recording *recording)
{
	int result;

	*data = (struct vmsi_page_data){ .recording = recording };
	result = vmsi_lives_make(&data->lives, recording);
	drop_stillborn(&data->lives);
	if (result == 0)
		result = gather_times(data);
	if (result == 0)
		result = gather_starts(data);
	if (result == 0)
		result = number_lives(data);
	if (result == 0)
		result = gather_others(data);
	return result;
}

void vmsi_page_data_free(struct vmsi_page_data *data)
{
	vmsi_lives_free(&data->lives);
	free(data->times);
	free(data->starts);
	free(data->begins);
	free(data->spans);
	free(data->places);
	free(data->limits);
	free(data->machines);
}
