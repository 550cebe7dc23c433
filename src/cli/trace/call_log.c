/* SPDX-License-Identifier: MIT */
#include "cli/trace/call_log.h"

#include <string.h>

#define SECOND INT64_C(1000000)

void vmsi_call_log_begin(struct vmsi_call_log *log, struct vmsi_recorder *recorder)
{
	*log = (struct vmsi_call_log){
		.recorder = recorder, .bytes = VMSI_CALL_BYTES_FIRST,
	};
}

void vmsi_call_log_free(struct vmsi_call_log *log)
{
	vmsi_stack_numbers_free(&log->stacks);
}

/* --- the allowance -------------------------------------------------------- */

static void advance(struct vmsi_call_log *log, uint64_t now)
{
	/* It is full by then, and the product fits. */
	const int64_t most = VMSI_CALL_BYTES_FIRST / VMSI_CALL_BYTES_A_SECOND * SECOND;
	const int64_t passed = now - log->now < (uint64_t)most ?
		(int64_t)(now - log->now) : most;

	log->now = now;
	log->bytes += passed * VMSI_CALL_BYTES_A_SECOND / SECOND;
	if (log->bytes > VMSI_CALL_BYTES_FIRST)
		log->bytes = VMSI_CALL_BYTES_FIRST;
}

/* What has been written, and what waits to be. */
static uint64_t told(const struct vmsi_call_log *log)
{
	return log->recorder->place + log->recorder->used;
}

static void tell(struct vmsi_call_log *log, const struct vmsi_recorded_event *event)
{
	const uint64_t before = told(log);

	vmsi_recorder_time(log->recorder, log->now);
	vmsi_recorder_event(log->recorder, event);
	log->bytes -= (int64_t)(told(log) - before);
}

/* A new stack is told where that is allowed; a call is without one else. */
static uint32_t number_of(struct vmsi_call_log *log, const char *lines,
			  bool is_refused)
{
	const uint64_t before = told(log);
	uint32_t number;

	if (!lines || (!is_refused && log->bytes <= 0 &&
		       !vmsi_stack_is_known(&log->stacks, lines)))
		return VMSI_NOBODY;
	number = vmsi_stack_number(&log->stacks, log->recorder, lines);
	log->bytes -= (int64_t)(told(log) - before);
	return number;
}

/* --- sums ----------------------------------------------------------------- */

static void add_to(struct vmsi_recorded_event *sum,
		   const struct vmsi_recorded_event *event)
{
	const uint64_t first = sum->count && sum->first < event->first ?
		sum->first : event->first;
	const uint64_t time = sum->count && sum->time > event->time ?
		sum->time : event->time;

	if (sum->count == 0) {
		*sum = *event;
		return;
	}
	sum->first = first;
	sum->time = time;
	sum->count += event->count;
	sum->size += event->size;
	sum->commit += event->commit;
}

static bool is_of(const struct vmsi_recorded_event *sum,
		  const struct vmsi_recorded_event *event)
{
	return sum->process == event->process && sum->stack == event->stack &&
		sum->call == event->call;
}

/* The sum of a call's place, or the free one where it belongs; NULL: all are taken. */
static struct vmsi_recorded_event *find_sum(struct vmsi_call_log *log,
					    const struct vmsi_recorded_event *event)
{
	size_t at = (event->process * UINT64_C(0x9e3779b1) ^ event->stack) *
		UINT64_C(0x9e3779b97f4a7c15) >> 32;

	for (size_t i = 0; i < VMSI_CALL_SUMS; i++) {
		struct vmsi_recorded_event *sum =
			&log->sums[(at + i) % VMSI_CALL_SUMS];

		if (sum->count == 0)
			return log->sum_count < VMSI_CALL_SUMS / 2 ? sum : NULL;
		if (is_of(sum, event))
			return sum;
	}
	return NULL;
}

static size_t call_number(const char *call)
{
	size_t i = 0;

	while (i + 1 < VMSI_RECORDED_CALLS && call != vmsi_recorded_calls[i])
		i++;
	return i;
}

static void add_sum(struct vmsi_call_log *log, struct vmsi_recorded_event *event)
{
	struct vmsi_recorded_event *sum = find_sum(log, event);

	if (!sum) {
		sum = &log->rest[call_number(event->call)];
		event->process = event->stack = VMSI_NOBODY;
	} else if (sum->count == 0) {
		log->sum_count++;
	}
	add_to(sum, event);
}

static void tell_sums(struct vmsi_call_log *log, struct vmsi_recorded_event *sums,
		      size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (sums[i].count)
			tell(log, &sums[i]);
		sums[i].count = 0;
	}
}

static void tell_all_sums(struct vmsi_call_log *log)
{
	tell_sums(log, log->sums, VMSI_CALL_SUMS);
	tell_sums(log, log->rest, VMSI_RECORDED_CALLS);
	log->sum_count = 0;
}

/* --- calls ---------------------------------------------------------------- */

void vmsi_call_log_add(struct vmsi_call_log *log, struct vmsi_recorded_event *event,
		       const char *lines, uint64_t now)
{
	advance(log, now);
	event->stack = number_of(log, lines, event->error != 0);
	if (event->error || log->bytes > VMSI_CALL_BYTES_KEPT)
		tell(log, event);
	else
		add_sum(log, event);
}

void vmsi_call_log_look(struct vmsi_call_log *log, uint64_t now)
{
	advance(log, now);
	if (log->bytes > 0)
		tell_all_sums(log);
}

void vmsi_call_log_end(struct vmsi_call_log *log)
{
	tell_all_sums(log);
}
