/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/recording/read.h"
#include "cli/recording/replay.h"
#include "cli/trace/known.h"
#include "cli/trace/pace.h"

#define PAGE UINT64_C(4096)
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

/* --- changes: what is told makes of what was before what is now ---------------------- */

#define PLACES 40
#define ROUNDS 300

struct list {
	struct vmsi_recorded_event mappings[PLACES];
	size_t count;
};

/* Many mappings stay as they were, as in programs. */
static struct list make_list(const struct list *before)
{
	struct list list = { .count = 0 };
	uintptr_t at = PAGE;

	for (size_t i = 0; i < before->count; i++)
		if (rand() % 3 && before->mappings[i].start >= at) {
			list.mappings[list.count++] = before->mappings[i];
			at = before->mappings[i].end;
		} else if (list.count < PLACES / 2) {
			struct vmsi_recorded_event event = {
				.kind = VMSI_RECORDED_MAPPING, .has_pages = true,
				.owner = (uint32_t)rand() % 2, .stack = VMSI_NOBODY,
				.prot = rand() % 2 ? PROT_READ : PROT_NONE,
			};

			event.start = at + (uintptr_t)rand() % 3 * PAGE;
			event.end = event.start + (1 + (uintptr_t)rand() % 4) * PAGE;
			event.anonymous = (uintptr_t)rand() % 4 * PAGE;
			at = event.end;
			list.mappings[list.count++] = event;
		}
	return list;
}

struct comparison {
	const struct list *list;
	size_t at;
};

static void compare(void *context, const struct vmsi_recorded_event *have)
{
	struct comparison *comparison = context;
	const struct vmsi_recorded_event *want;

	assert_true(comparison->at < comparison->list->count);
	want = &comparison->list->mappings[comparison->at++];
	assert_int_equal(have->start, want->start);
	assert_int_equal(have->end, want->end);
	assert_int_equal(have->owner, want->owner);
	assert_int_equal(have->prot, want->prot);
	assert_int_equal(have->anonymous, want->anonymous);
}

static void expect_lists(const char *path, const struct list *lists)
{
	struct vmsi_recording recording;
	struct vmsi_replay replay;

	assert_int_equal(vmsi_recording_read_file(&recording, path), 0);
	assert_false(recording.is_cut);
	assert_int_equal(vmsi_replay_open(&replay, &recording), 0);
	for (size_t i = 0; i < ROUNDS; i++) {
		struct comparison comparison = { .list = &lists[i] };

		assert_int_equal(vmsi_replay_to(&replay, i), 0);
		vmsi_replay_each(&replay, 0, compare, &comparison);
		assert_int_equal(comparison.at, lists[i].count);
		assert_int_equal(replay.total.mappings, lists[i].count);
	}
	vmsi_replay_close(&replay);
	vmsi_recording_free(&recording);
}

static void changes_make_of_what_was_what_is(void **state)
{
	const struct vmsi_recording head = {
		.program = (char *)"p", .machine = (char *)"m", .page_size = PAGE,
	};
	struct list *lists = calloc(ROUNDS, sizeof(*lists));
	struct list nothing = { .count = PLACES / 2 };
	struct vmsi_recorder recorder;
	char path[] = "/tmp/vmspace-tracing-XXXXXX";
	const int file = mkstemp(path);

	(void)state;
	assert_non_null(lists);
	assert_true(file >= 0);
	srand(11);
	assert_int_equal(vmsi_recorder_open(&recorder, file, &head), 0);
	vmsi_recorder_process(&recorder, 1, VMSI_NOBODY, "p");
	vmsi_recorder_owner(&recorder, 0, VMSI_OWNER_HEAP, "a");
	vmsi_recorder_owner(&recorder, 0, VMSI_OWNER_FILE, "b");
	for (size_t i = 0; i < ROUNDS; i++) {
		const struct list *before = i ? &lists[i - 1] : &nothing;

		lists[i] = make_list(before->count > 4 ? before : &nothing);
		vmsi_recorder_time(&recorder, i);
		vmsi_known_tell_changes(&recorder, before->mappings,
					i ? before->count : 0, lists[i].mappings,
					lists[i].count);
	}
	assert_int_equal(vmsi_recorder_finish(&recorder), 0);
	vmsi_recorder_close(&recorder);
	expect_lists(path, lists);
	free(lists);
	close(file);
	unlink(path);
}

static void what_stays_is_not_told(void **state)
{
	const struct vmsi_recording head = {
		.program = (char *)"p", .machine = (char *)"m", .page_size = PAGE,
	};
	struct list nothing = { .count = PLACES / 2 }, list;
	struct vmsi_recorder recorder;
	FILE *file = tmpfile();
	size_t used;

	(void)state;
	srand(5);
	list = make_list(&nothing);
	assert_true(list.count > 4);
	assert_int_equal(vmsi_recorder_open(&recorder, fileno(file), &head), 0);
	vmsi_known_tell_changes(&recorder, NULL, 0, list.mappings, list.count);
	used = recorder.used;
	vmsi_known_tell_changes(&recorder, list.mappings, list.count, list.mappings,
				list.count);
	assert_int_equal(recorder.used, used);
	list.mappings[2].anonymous++;
	vmsi_known_tell_changes(&recorder, NULL, 0, list.mappings + 2, 1);
	assert_true(recorder.used > used && recorder.used < used + 40);
	vmsi_recorder_close(&recorder);
	fclose(file);
}

/* --- replay, against a model: a page each ---------------------------------------------- */

#define MODEL_PAGES 64
#define MODEL_EVENTS 4000

static void expect_model(const struct vmsi_replay *replay, const unsigned *model)
{
	uint64_t sizes[2] = { 0 }, anonymous[2] = { 0 };

	for (size_t i = 0; i < MODEL_PAGES; i++)
		if (model[i]) {
			sizes[model[i] - 1] += PAGE;
			anonymous[model[i] - 1] += PAGE;
		}
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(replay->sums[i].size, sizes[i]);
		assert_int_equal(replay->sums[i].anonymous, anonymous[i]);
	}
	assert_int_equal(replay->total.size, sizes[0] + sizes[1]);
}

static struct vmsi_recorded_event page_mapping(uint32_t owner, size_t from,
					       size_t count)
{
	return (struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_MAPPING, .owner = owner, .stack = VMSI_NOBODY,
		.prot = PROT_READ, .has_pages = true, .start = from * PAGE,
		.end = (from + count) * PAGE, .anonymous = count * PAGE,
	};
}

static void replay_is_as_a_table_of_pages(void **state)
{
	struct vmsi_recorded_event *events = calloc(MODEL_EVENTS, sizeof(*events));
	struct vmsi_recorded_process process = { .pid = 1 };
	struct vmsi_recorded_owner owners[2] = { { 0 } };
	const struct vmsi_recording recording = {
		.page_size = PAGE, .processes = &process, .process_count = 1,
		.owners = owners, .owner_count = 2, .events = events,
		.event_count = MODEL_EVENTS,
	};
	unsigned model[MODEL_PAGES] = { 0 };
	struct vmsi_replay replay;

	(void)state;
	srand(7);
	assert_int_equal(vmsi_replay_open(&replay, &recording), 0);
	for (size_t i = 0; i < MODEL_EVENTS; i++) {
		const size_t from = (size_t)rand() % MODEL_PAGES;
		const size_t count = 1 + (size_t)rand() % (MODEL_PAGES - from);
		const unsigned owner = (unsigned)rand() % 3;

		events[i] = page_mapping(owner ? owner - 1 : 0, from, count);
		if (!owner)
			events[i].kind = VMSI_RECORDED_UNMAPPED;
		for (size_t page = from; page < from + count; page++)
			model[page] = owner;
		assert_int_equal(vmsi_replay_next(&replay), 0);
		expect_model(&replay, model);
	}
	assert_int_equal(vmsi_replay_next(&replay), 0);
	vmsi_replay_close(&replay);
	free(events);
}

/* --- pace ------------------------------------------------------------------------------ */

/* Work of so much time and bytes, whenever it may be done. Returns how often it was. */
static uint64_t work(struct vmsi_pace *pace, uint64_t until, uint64_t time,
		     uint64_t bytes)
{
	uint64_t now = pace->now, count = 0;

	while (now < until) {
		vmsi_pace_advance(pace, now);
		if (vmsi_pace_allows(pace)) {
			vmsi_pace_spend(pace, time, bytes);
			count++;
		}
		now += vmsi_pace_wait(pace) + time;
	}
	return count;
}

static void work_takes_a_hundredth_of_the_time(void **state)
{
	static const uint64_t times[] = { MS / 100, MS, 20 * MS, 700 * MS };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct vmsi_pace pace = vmsi_pace_begin(0);
		const uint64_t count = work(&pace, 120 * SECOND, times[i], 0);

		assert_true(count > 1);
		/* The last piece may just have been begun. */
		assert_true((count - 1) * times[i] <= 120 * SECOND / 50);
	}
}

static void a_steady_program_makes_less_than_a_mib_a_minute(void **state)
{
	struct vmsi_pace pace = vmsi_pace_begin(0);

	(void)state;
	/* What begins may have a MiB at once. */
	(void)work(&pace, 60 * SECOND, MS / 10, 100000);
	for (int i = 2; i < 10; i++)
		assert_true(work(&pace, (uint64_t)i * 60 * SECOND, MS / 10, 100000) *
			    100000 < (1 << 20));
}

static void it_looks_less_often_with_age(void **state)
{
	struct vmsi_pace pace = vmsi_pace_begin(0), asked = vmsi_pace_begin(20 * MS);
	const uint64_t first = work(&pace, SECOND, 1, 1);
	const uint64_t tenth = work(&pace, 10 * SECOND, 1, 1);
	const uint64_t late = work(&pace, 1000 * SECOND, 1, 1);

	(void)state;
	assert_true(first > 200);
	assert_true(tenth > 300 && tenth < 9 * first);
	assert_true(late > 990 * 4 - 10 && late < 990 * 40);
	assert_int_equal(work(&asked, 2 * SECOND, 0, 0), 100);
	/* Also one that slept through an hour. */
	vmsi_pace_advance(&pace, UINT64_C(1) << 40);
	vmsi_pace_advance(&pace, UINT64_MAX >> 1);
	assert_true(vmsi_pace_allows(&pace));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_make_of_what_was_what_is),
		cmocka_unit_test(what_stays_is_not_told),
		cmocka_unit_test(replay_is_as_a_table_of_pages),
		cmocka_unit_test(work_takes_a_hundredth_of_the_time),
		cmocka_unit_test(a_steady_program_makes_less_than_a_mib_a_minute),
		cmocka_unit_test(it_looks_less_often_with_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
