/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/recording/read.h"
#include "cli/trace/call_log.h"

/* Calls are recorded within an allowance, and none is lost or counted twice. */

#define SECOND UINT64_C(1000000)

struct fixture {
	struct vmsi_recorder recorder;
	struct vmsi_call_log *log;
	struct vmsi_recording recording;
	FILE *file;
	uint64_t begun; /* bytes of the head */
};

static int begin(void **state)
{
	const struct vmsi_recording head = {
		.program = (char *)"p", .machine = (char *)"m", .page_size = 4096,
	};
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->log = calloc(1, sizeof(*fixture->log));
	fixture->file = tmpfile();
	assert_non_null(fixture->log);
	assert_non_null(fixture->file);
	assert_int_equal(vmsi_recorder_open(&fixture->recorder,
					    fileno(fixture->file), &head), 0);
	for (int i = 0; i < 4000; i++)
		vmsi_recorder_process(&fixture->recorder, i + 1, VMSI_NOBODY, "p");
	vmsi_call_log_begin(fixture->log, &fixture->recorder);
	fixture->begun = fixture->recorder.place + fixture->recorder.used;
	*state = fixture;
	return 0;
}

static int end(void **state)
{
	struct fixture *fixture = *state;

	vmsi_recording_free(&fixture->recording);
	vmsi_call_log_free(fixture->log);
	vmsi_recorder_close(&fixture->recorder);
	fclose(fixture->file);
	free(fixture->log);
	free(fixture);
	return 0;
}

static uint64_t bytes_of(const struct fixture *fixture)
{
	return fixture->recorder.place + fixture->recorder.used - fixture->begun;
}

static void add(struct fixture *fixture, uint64_t time, uint32_t process, int error,
		const char *lines)
{
	struct vmsi_recorded_event event = {
		.kind = VMSI_RECORDED_CALL, .time = time, .first = time,
		.process = process, .owner = VMSI_NOBODY, .error = error,
		.call = vmsi_recorded_calls[process % 2], .count = 1,
		.size = 4096, .commit = error ? 0 : 1000,
	};

	vmsi_call_log_add(fixture->log, &event, lines, time);
}

/* Returns how many events there are, which make up so many calls. */
static size_t expect_calls(struct fixture *fixture, uint64_t calls)
{
	struct vmsi_recording *recording = &fixture->recording;
	uint64_t count = 0, size = 0, commit = 0;
	unsigned char *bytes;
	size_t length;

	vmsi_call_log_end(fixture->log);
	assert_int_equal(vmsi_recorder_finish(&fixture->recorder), 0);
	length = fixture->recorder.place;
	bytes = malloc(length);
	assert_int_equal(pread(fileno(fixture->file), bytes, length, 0), length);
	assert_int_equal(vmsi_recording_read(recording, bytes, length), 0);
	free(bytes);
	assert_false(recording->is_cut);
	for (size_t i = 0; i < recording->event_count; i++) {
		const struct vmsi_recorded_event *event = &recording->events[i];

		count += event->count;
		size += event->size;
		commit += event->commit;
		assert_true(event->first <= event->time);
		assert_true(event->error == 0 || event->count == 1);
	}
	assert_int_equal(count, calls);
	assert_int_equal(size, calls * 4096);
	assert_true(commit <= calls * 1000);
	return recording->event_count;
}

static void a_few_are_events_of_their_own(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t i = 0; i < 1000; i++)
		add(fixture, i, (uint32_t)i % 3, 0, i % 2 ? "_ZN1a1bEv (x)\nmain\n" :
						    "c (x)\nmain\n");
	assert_int_equal(expect_calls(fixture, 1000), 1000);
	assert_int_equal(fixture->recording.stack_count, 2);
	assert_string_equal(fixture->recording.stacks[0].frames[0], "c (x)");
	assert_string_equal(fixture->recording.stacks[1].frames[0], "a::b() (x)");
	assert_int_equal(fixture->recording.events[7].stack, 1);
	assert_int_equal(fixture->recording.events[7].process, 1);
}

static void many_are_summed_within_the_allowance(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t seconds = 20, a_second = 20000;
	size_t events;

	for (uint64_t i = 0; i < seconds * a_second; i++) {
		add(fixture, i * SECOND / a_second, (uint32_t)(i / 7) % 5, 0,
		    i % 3 ? "a\n" : NULL);
		if (i % (a_second / 4) == 0)
			vmsi_call_log_look(fixture->log, i * SECOND / a_second);
	}
	assert_true(bytes_of(fixture) <
		    (uint64_t)(VMSI_CALL_BYTES_FIRST +
			       VMSI_CALL_BYTES_A_SECOND * 20 + 65536));
	events = expect_calls(fixture, seconds * a_second);
	assert_true(events > 10000 && events < seconds * a_second / 4);
}

/* As many places as there may be: what comes from more of them is summed by call. */
static void places_without_end_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	char lines[4096];
	int length;

	memset(lines, 'x', sizeof(lines));
	for (int i = 0; i < 40000; i++) {
		length = snprintf(lines, 16, "%d", i % 20000);
		lines[length] = 'x';
		lines[sizeof(lines) - 1] = '\0';
		add(fixture, (uint64_t)i, (uint32_t)i % 4000, 0, lines);
		if (i % 1000 == 0)
			vmsi_call_log_look(fixture->log, (uint64_t)i);
	}
	assert_true(bytes_of(fixture) <
		    (uint64_t)VMSI_CALL_BYTES_FIRST + 65536);
	(void)expect_calls(fixture, 40000);
	assert_true(fixture->recording.stack_count < 300);
}

/* Whatever was told before. */
static void refusals_are_never_summed(void **state)
{
	struct fixture *fixture = *state;
	size_t refused = 0;

	for (uint64_t i = 0; i < 300000; i++)
		add(fixture, 1, 2, i % 1000 ? 0 : ENOMEM, i % 1000 ? "a\n" : "b\n");
	(void)expect_calls(fixture, 300000);
	for (size_t i = 0; i < fixture->recording.event_count; i++)
		if (fixture->recording.events[i].error) {
			refused++;
			assert_int_equal(fixture->recording.events[i].stack, 0);
		}
	assert_int_equal(refused, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_few_are_events_of_their_own,
						begin, end),
		cmocka_unit_test_setup_teardown(
			many_are_summed_within_the_allowance, begin, end),
		cmocka_unit_test_setup_teardown(places_without_end_are_bounded,
						begin, end),
		cmocka_unit_test_setup_teardown(refusals_are_never_summed, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
