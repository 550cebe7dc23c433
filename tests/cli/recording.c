/* SPDX-License-Identifier: MIT */
#include <errno.h>
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

#include "cli/recording/format.h"
#include "cli/recording/read.h"
#include "cli/recording/replay.h"
#include "cli/recording/write.h"

/* What is written is read again; what is damaged is left, and nothing is made up. */

#define PAGE UINT64_C(65536) /* of another machine than most */

static const struct vmsi_recording head = {
	.program = (char *)"./program \033[2J", .machine = (char *)"Linux 6.18 aarch64",
	.began = UINT64_C(1796000000000000), .page_size = PAGE,
};

struct written {
	unsigned char *bytes;
	size_t size;
	size_t events[16], ends[16]; /* how many there are at the end of which frame */
	size_t frames;
};

static struct vmsi_recorded_event mapping(uint32_t process, uint32_t owner,
					  uintptr_t start, uint64_t pages,
					  uint64_t anonymous)
{
	return (struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_MAPPING, .process = process, .owner = owner,
		.stack = VMSI_NOBODY, .prot = PROT_READ | PROT_WRITE,
		.has_pages = true, .start = start, .end = start + pages * PAGE,
		.commit = pages * PAGE, .anonymous = anonymous * PAGE, .file = PAGE,
	};
}

static void flush(struct vmsi_recorder *recorder, struct written *written,
		  size_t events)
{
	assert_int_equal(vmsi_recorder_flush(recorder), 0);
	written->events[written->frames] = events;
	written->ends[written->frames++] = recorder->place;
}

static void write_calls(struct vmsi_recorder *recorder)
{
	const uint32_t stack = vmsi_recorder_stack(recorder,
						   "malloc (libc.so.6)\nmain\n");

	vmsi_recorder_event(recorder, &(struct vmsi_recorded_event){
		.time = UINT64_MAX,
		.kind = VMSI_RECORDED_CALL, .process = 1, .stack = stack,
		.call = "mremap", .error = ENOMEM, .size = 12345678,
	});
	vmsi_recorder_event(recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_CALL, .process = VMSI_NOBODY, .count = 1,
		.stack = VMSI_NOBODY, .call = "fork", .size = 1, .time = 1000001,
	});
	vmsi_recorder_event(recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_CALL, .process = 0, .stack = stack,
		.call = "shmget", .size = UINT64_MAX, .commit = PAGE, .count = 300,
		.first = 7, .time = 1000001,
	});
	vmsi_recorder_event(recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_LIMIT, .size = PAGE, .commit = 7,
	});
}

/* Figures of another page size than the machine's, as of huge pages, stay exact. */
static void write_odd(struct vmsi_recorder *recorder)
{
	struct vmsi_recorded_event odd = mapping(0, 0, 0x7000, 1, 0);

	odd.end = odd.start + 4096;
	odd.commit = 5;
	odd.swapped = UINT64_MAX;
	odd.is_shared = true;
	odd.prot = PROT_EXEC;
	vmsi_recorder_event(recorder, &odd);
	odd = mapping(0, 0, (uintptr_t)0x7fff << 32, 9, 9);
	odd.has_pages = false;
	odd.anonymous = odd.file = 0;
	odd.commit = 0;
	vmsi_recorder_event(recorder, &odd);
}

static void write_program(struct vmsi_recorder *recorder, struct written *written)
{
	const int status = 9;
	struct vmsi_recorded_event event;

	flush(recorder, written, 0);
	assert_int_equal(vmsi_recorder_process(recorder, 77, VMSI_NOBODY, "a\nb"), 0);
	assert_int_equal(vmsi_recorder_owner(recorder, 0, VMSI_OWNER_HEAP, "[heap]"), 0);
	event = mapping(0, 0, 16 * PAGE, 100, 3);
	vmsi_recorder_event(recorder, &event);
	event = mapping(0, 0, 2 * PAGE, 1, 1);
	vmsi_recorder_event(recorder, &event);
	flush(recorder, written, 2);
	vmsi_recorder_time(recorder, 1000000);
	assert_int_equal(vmsi_recorder_process(recorder, 78, 0, ""), 1);
	assert_int_equal(vmsi_recorder_owner(recorder, 1, VMSI_OWNER_FILE, "/x"), 1);
	event = mapping(1, 1, 3 * PAGE, 1, 1);
	vmsi_recorder_event(recorder, &event);
	event = mapping(0, 0, 50 * PAGE, 1, 1);
	event.kind = VMSI_RECORDED_UNMAPPED;
	vmsi_recorder_event(recorder, &event);
	flush(recorder, written, 4);
	vmsi_recorder_time(recorder, 1000001);
	write_calls(recorder);
	flush(recorder, written, 8);
	vmsi_recorder_time(recorder, 0); /* it does not go back */
	write_odd(recorder);
	vmsi_recorder_ended(recorder, 1, &status);
	vmsi_recorder_event(recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_MACHINE, .size = 1, .commit = 2, .file = 3,
	});
	flush(recorder, written, 11);
}

static struct written write_it(void)
{
	struct written written = { 0 };
	struct vmsi_recorder recorder;
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(vmsi_recorder_open(&recorder, fileno(file), &head), 0);
	write_program(&recorder, &written);
	assert_int_equal(vmsi_recorder_finish(&recorder), 0);
	written.size = recorder.place;
	vmsi_recorder_close(&recorder);
	written.bytes = malloc(written.size);
	assert_int_equal(pread(fileno(file), written.bytes, written.size, 0),
			 written.size);
	fclose(file);
	return written;
}

static void expect_same(const struct vmsi_recorded_event *have,
			const struct vmsi_recorded_event *want)
{
	assert_int_equal(have->kind, want->kind);
	assert_int_equal(have->process, want->process);
	assert_int_equal(have->owner, want->owner);
	assert_int_equal(have->stack, want->stack);
	assert_int_equal(have->time, want->time);
	assert_int_equal(have->start, want->start);
	assert_int_equal(have->end, want->end);
	assert_int_equal(have->prot, want->prot);
	assert_int_equal(have->is_shared, want->is_shared);
	assert_int_equal(have->has_pages, want->has_pages);
	assert_int_equal(have->error, want->error);
	assert_int_equal(have->size, want->size);
	assert_int_equal(have->count, want->count);
	assert_int_equal(have->first, want->first);
	assert_int_equal(have->commit, want->commit);
	assert_int_equal(have->anonymous, want->anonymous);
	assert_int_equal(have->file, want->file);
	assert_int_equal(have->swapped, want->swapped);
	assert_true(have->call == want->call);
}

/* --- cases ---------------------------------------------------------------- */

static void expect_tables(const struct vmsi_recording *recording)
{
	assert_string_equal(recording->program, head.program);
	assert_string_equal(recording->machine, head.machine);
	assert_int_equal(recording->began, head.began);
	assert_int_equal(recording->page_size, PAGE);
	assert_int_equal(recording->length, 1000001);
	assert_int_equal(recording->process_count, 2);
	assert_string_equal(recording->processes[0].name, "a\nb");
	assert_int_equal(recording->processes[0].parent, VMSI_NOBODY);
	assert_false(recording->processes[0].is_ended);
	assert_int_equal(recording->processes[0].end, 1000001);
	assert_int_equal(recording->processes[1].pid, 78);
	assert_int_equal(recording->processes[1].begin, 1000000);
	assert_true(recording->processes[1].is_status_known);
	assert_int_equal(recording->processes[1].status, 9);
	assert_int_equal(recording->owner_count, 2);
	assert_int_equal(recording->owners[1].kind, VMSI_OWNER_FILE);
	assert_int_equal(recording->stack_count, 1);
	assert_int_equal(recording->stacks[0].count, 2);
	assert_string_equal(recording->stacks[0].frames[1], "main");
}

static void what_is_written_is_read(void **state)
{
	const struct written written = write_it();
	struct vmsi_recorded_event want = mapping(0, 0, 16 * PAGE, 100, 3);
	struct vmsi_recording recording;

	(void)state;
	assert_int_equal(vmsi_recording_read(&recording, written.bytes,
					     written.size), 0);
	assert_false(recording.is_cut);
	expect_tables(&recording);
	assert_int_equal(recording.event_count, 11);
	expect_same(&recording.events[0], &want);
	want = mapping(1, 1, 3 * PAGE, 1, 1);
	want.time = 1000000;
	expect_same(&recording.events[2], &want);
	assert_int_equal(recording.events[3].start, 50 * PAGE);
	assert_int_equal(recording.events[3].end, 51 * PAGE);
	assert_string_equal(recording.events[4].call, "mremap");
	assert_int_equal(recording.events[4].error, ENOMEM);
	assert_int_equal(recording.events[4].size, 12345678);
	assert_int_equal(recording.events[5].process, VMSI_NOBODY);
	assert_int_equal(recording.events[5].count, 1);
	assert_string_equal(recording.events[6].call, "shmget");
	assert_int_equal(recording.events[6].first, 7);
	assert_int_equal(recording.events[6].count, 300);
	assert_int_equal(recording.events[6].size, UINT64_MAX);
	assert_int_equal(recording.events[6].commit, PAGE);
	assert_int_equal(recording.events[8].start, 0x7000);
	assert_int_equal(recording.events[8].end, 0x8000);
	assert_int_equal(recording.events[8].commit, 5);
	assert_int_equal(recording.events[8].file, PAGE);
	assert_int_equal(recording.events[8].swapped, UINT64_MAX);
	assert_true(recording.events[8].is_shared);
	assert_int_equal(recording.events[9].start, (uintptr_t)0x7fff << 32);
	assert_false(recording.events[9].has_pages);
	assert_int_equal(recording.events[10].file, 3);
	vmsi_recording_free(&recording);
	free(written.bytes);
}

/* The bytes end where an array of exactly so many does, so that a sanitizer sees more. */
static int read_cut(struct vmsi_recording *recording,
		    const struct written *written, size_t size)
{
	unsigned char *bytes = malloc(size ? size : 1);
	int error;

	assert_non_null(bytes);
	memcpy(bytes, written->bytes, size);
	error = vmsi_recording_read(recording, bytes, size);
	free(bytes);
	return error;
}

static size_t whole_events(const struct written *written, size_t size)
{
	size_t events = 0;

	for (size_t i = 0; i < written->frames; i++)
		if (written->ends[i] <= size)
			events = written->events[i];
	return events;
}

static void expect_beginning(const struct vmsi_recording *all,
			     const struct vmsi_recording *recording, size_t events)
{
	assert_true(recording->is_cut);
	assert_int_equal(recording->event_count, events);
	for (size_t i = 0; i < events; i++)
		expect_same(&recording->events[i], &all->events[i]);
}

static void of_one_that_is_cut_all_whole_frames_are_read(void **state)
{
	const struct written written = write_it();
	struct vmsi_recording all, recording;

	(void)state;
	assert_int_equal(vmsi_recording_read(&all, written.bytes, written.size), 0);
	for (size_t size = 0; size < written.size; size++) {
		const int error = read_cut(&recording, &written, size);

		assert_int_equal(error, size < written.ends[0] ? -EPROTO : 0);
		if (error)
			continue;
		expect_beginning(&all, &recording, whole_events(&written, size));
		vmsi_recording_free(&recording);
	}
	vmsi_recording_free(&all);
	free(written.bytes);
}

/* Each bit; what lies before the frame that has it is read. */
static void a_flipped_bit_ends_the_recording(void **state)
{
	const struct written written = write_it();
	struct vmsi_recording all, recording;

	(void)state;
	assert_int_equal(vmsi_recording_read(&all, written.bytes, written.size), 0);
	for (size_t bit = 0; bit < 8 * written.size; bit++) {
		int error;

		written.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
		error = read_cut(&recording, &written, written.size);
		assert_int_equal(error, bit / 8 < written.ends[0] ? -EPROTO : 0);
		if (!error) {
			expect_beginning(&all, &recording,
					 whole_events(&written, bit / 8));
			vmsi_recording_free(&recording);
		}
		written.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	vmsi_recording_free(&all);
	free(written.bytes);
}

static void a_frame_of_another_place_is_damage(void **state)
{
	const struct written written = write_it();
	const size_t begin = written.ends[1], end = written.ends[2];
	unsigned char *twice = malloc(written.size + end - begin);
	struct vmsi_recording recording;

	(void)state;
	memcpy(twice, written.bytes, end);
	memcpy(twice + end, written.bytes + begin, written.size - begin);
	assert_int_equal(vmsi_recording_read(&recording, twice,
					     written.size + end - begin), 0);
	assert_true(recording.is_cut);
	assert_int_equal(recording.event_count, 4);
	vmsi_recording_free(&recording);
	free(twice);
	free(written.bytes);
}

static void a_later_version_is_refused(void **state)
{
	unsigned char bytes[17] = VMSI_RECORDING_MAGIC;
	struct vmsi_recording recording;

	(void)state;
	vmsi_put_u32(bytes + 8, 1);
	bytes[16] = VMSI_RECORDING_VERSION + 1;
	vmsi_put_u32(bytes + 12, vmsi_frame_sum(bytes + 16, 1, 8));
	assert_int_equal(vmsi_recording_read(&recording, bytes, sizeof(bytes)),
			 -ENOTSUP);
}

static void what_a_former_version_has_written_is_read(void **state)
{
	const struct written written = write_it();
	unsigned char *frame = written.bytes + VMSI_RECORDING_MAGIC_BYTES;
	struct vmsi_recording recording;

	(void)state;
	frame[VMSI_FRAME_HEAD] = VMSI_RECORDING_VERSION_LEAST;
	vmsi_put_u32(frame + 4, vmsi_frame_sum(frame + VMSI_FRAME_HEAD,
					       vmsi_get_u32(frame),
					       VMSI_RECORDING_MAGIC_BYTES));
	assert_int_equal(vmsi_recording_read(&recording, written.bytes,
					     written.size), 0);
	assert_false(recording.is_cut);
	assert_int_equal(recording.event_count, 11);
	vmsi_recording_free(&recording);
	free(written.bytes);
}

static void after_an_error_no_more_is_written(void **state)
{
	struct vmsi_recorder recorder;
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full)
		skip();
	assert_int_equal(vmsi_recorder_open(&recorder, fileno(full), &head), -ENOSPC);
	fclose(full);
}

static void long_texts_and_stacks_are_cut_off(void **state)
{
	const size_t length = (size_t)2 << 20;
	char *text = malloc(length + 1);
	struct vmsi_recording recording;
	struct vmsi_recorder recorder;
	char path[] = "/tmp/vmspace-recording-XXXXXX";
	const int file = mkstemp(path);

	(void)state;
	assert_true(file >= 0);
	memset(text, 'x', length);
	text[length] = '\0';
	for (size_t i = 100; i < length; i += 5000)
		text[i] = '\n';
	assert_int_equal(vmsi_recorder_open(&recorder, file, &head), 0);
	vmsi_recorder_process(&recorder, 1, VMSI_NOBODY, text);
	for (int i = 0; i < 3; i++)
		vmsi_recorder_stack(&recorder, text);
	assert_int_equal(vmsi_recorder_finish(&recorder), 0);
	vmsi_recorder_close(&recorder);
	assert_int_equal(vmsi_recording_read_file(&recording, path), 0);
	assert_false(recording.is_cut);
	assert_int_equal(strlen(recording.processes[0].name), VMSI_RECORDED_TEXT_MOST);
	assert_int_equal(recording.stack_count, 3);
	assert_int_equal(recording.stacks[2].count, VMSI_RECORDED_FRAMES_MOST);
	assert_int_equal(strlen(recording.stacks[2].frames[0]), 100);
	vmsi_recording_free(&recording);
	free(text);
	close(file);
	unlink(path);
}

/* A refusal is told when it is known that it stands. */
static void what_is_told_late_is_put_in_its_place(void **state)
{
	struct vmsi_recorded_event event = {
		.kind = VMSI_RECORDED_CALL, .process = VMSI_NOBODY,
		.stack = VMSI_NOBODY, .call = "brk", .count = 1,
	};
	const uint64_t order[] = { 0, 3, 4, 4, 5, 8, 9 };
	const uint64_t sizes[] = { 0, 1, 2, 6, 4, 3, 5 };
	struct vmsi_recording recording;
	struct vmsi_recorder recorder;
	char path[] = "/tmp/vmspace-recording-XXXXXX";
	const int file = mkstemp(path);

	(void)state;
	assert_int_equal(vmsi_recorder_open(&recorder, file, &head), 0);
	for (size_t i = 0; i < 7; i++) {
		static const uint64_t told[] = { 0, 3, 4, 8, 9, 9, 9 };
		static const uint64_t times[] = { 0, 3, 4, 8, 5, 9, 4 };

		vmsi_recorder_time(&recorder, told[i]);
		event.time = times[i];
		event.size = i;
		vmsi_recorder_event(&recorder, &event);
	}
	assert_int_equal(vmsi_recorder_finish(&recorder), 0);
	vmsi_recorder_close(&recorder);
	assert_int_equal(vmsi_recording_read_file(&recording, path), 0);
	assert_int_equal(recording.event_count, 7);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(recording.events[i].time, order[i]);
		assert_int_equal(recording.events[i].size, sizes[i]);
	}
	assert_int_equal(recording.length, 9);
	vmsi_recording_free(&recording);
	close(file);
	unlink(path);
}

/* --- replay --------------------------------------------------------------- */

static void replay_keeps_the_sums_of_owners(void **state)
{
	const struct written written = write_it();
	struct vmsi_recording recording;
	struct vmsi_replay replay;

	(void)state;
	assert_int_equal(vmsi_recording_read(&recording, written.bytes,
					     written.size), 0);
	assert_int_equal(vmsi_replay_open(&replay, &recording), 0);
	assert_int_equal(vmsi_replay_to(&replay, 0), 0);
	assert_int_equal(replay.sums[0].size, 101 * PAGE);
	assert_int_equal(replay.sums[0].anonymous, 4 * PAGE);
	assert_int_equal(replay.sums[0].mappings, 2);
	assert_int_equal(vmsi_replay_to(&replay, 1000000), 0);
	/* One page of a hundred has gone, and a hundredth of what was in them. */
	assert_int_equal(replay.sums[0].size, 100 * PAGE);
	assert_int_equal(replay.sums[0].mappings, 3);
	assert_true(replay.sums[0].anonymous < 4 * PAGE);
	assert_true(replay.sums[0].anonymous > 3 * PAGE);
	assert_int_equal(replay.sums[1].size, PAGE);
	assert_int_equal(replay.total.size, 101 * PAGE);
	vmsi_replay_close(&replay);
	vmsi_recording_free(&recording);
	free(written.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(of_one_that_is_cut_all_whole_frames_are_read),
		cmocka_unit_test(a_flipped_bit_ends_the_recording),
		cmocka_unit_test(a_frame_of_another_place_is_damage),
		cmocka_unit_test(a_later_version_is_refused),
		cmocka_unit_test(what_a_former_version_has_written_is_read),
		cmocka_unit_test(after_an_error_no_more_is_written),
		cmocka_unit_test(long_texts_and_stacks_are_cut_off),
		cmocka_unit_test(what_is_told_late_is_put_in_its_place),
		cmocka_unit_test(replay_keeps_the_sums_of_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
