/* SPDX-License-Identifier: MIT */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/report/page.h"
#include "made_recording.h"

/*
 * Write the page of a recording that is made by hand, and what was in the recording as
 * lines, from which tests compute figures on their own.
 *
 * usage: pages KIND PAGE LINES
 */

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define SECOND ((uint64_t)1000000)
#define HEAP 0x55d0c4a00000
#define MAPS 0x7f3a10000000
#define STACK 0x7ffd5e200000

/* --- a program that loads, sorts and runs into its limit ------------------------- */

struct story {
	struct made *made;
	uint32_t shell, python, sort;
	uint32_t heap, arenas, buffer, rows, library, stack, sort_heap, sort_file;
	uint32_t load_stack, sort_stack;
};

static void add_library(struct made *made, uint32_t owner, uintptr_t start)
{
	struct vmsi_recorded_event *text = made_mapping(made, owner, start, 2 * MIB, 0);
	struct vmsi_recorded_event *data;

	text->commit = 0;
	text->file = 1500 * KIB;
	text->prot = PROT_READ | PROT_EXEC;
	data = made_mapping(made, owner, start + 2 * MIB, 64 * KIB, 48 * KIB);
	data->file = 8 * KIB;
}

static void begin_process(struct story *story, uint32_t process, const char *library)
{
	struct made *made = story->made;
	uint32_t owner = made_owner(made, process, VMSI_OWNER_FILE, library);

	add_library(made, owner, MAPS + 0x5000000000);
	owner = made_owner(made, process, VMSI_OWNER_STACK, "stack");
	made_mapping(made, owner, STACK, 132 * KIB, 40 * KIB);
	owner = made_owner(made, process, VMSI_OWNER_RESERVED, "reserved");
	made_mapping(made, owner, MAPS + 0x1000000000, 1024 * MIB, 0)->commit = 0;
}

static void begin_story(struct story *story)
{
	static const char *const load[] = {
		"mmap (libc.so.6) at mmap64.c:58",
		"sysmalloc (libc.so.6) at malloc.c:2435",
		"malloc (libc.so.6) at malloc.c:3315",
		"list_resize (python3.11) at listobject.c:72",
		"read_rows (ingest.py) at ingest.py:41",
		"main (ingest.py) at ingest.py:88",
	};
	static const char *const sort[] = {
		"mremap (libc.so.6)",
		"vmsi_buffer_grow (libvmspace.so.1) at buffer.c:204",
		"sort_chunk (sort) at chunk.cc:118",
	};
	struct made *made = story->made;

	story->shell = made_process(made, VMSI_NOBODY, 4100, "sh");
	begin_process(story, story->shell, "/usr/lib/x86_64-linux-gnu/libc.so.6");
	made->now = 300000;
	story->python = made_process(made, story->shell, 4101, "python3");
	begin_process(story, story->python, "/usr/lib/x86_64-linux-gnu/libc.so.6");
	story->heap = made_owner(made, story->python, VMSI_OWNER_HEAP, "heap");
	story->arenas = made_owner(made, story->python, VMSI_OWNER_ARENAS, "malloc arenas");
	story->buffer = made_owner(made, story->python, VMSI_OWNER_NAMED, "buffer \"index\"");
	story->rows = made_owner(made, story->python, VMSI_OWNER_NAMED, "space \"rows\"");
	story->load_stack = made_stack(made, 6, load);
	story->sort_stack = made_stack(made, 3, sort);
}

static void add_call(struct story *story, uint32_t process, const char *name,
		     uint64_t size, int error, uint32_t stack)
{
	struct vmsi_recorded_event *event = made_event(story->made, VMSI_RECORDED_CALL);

	event->process = process;
	event->call = name;
	event->size = size;
	event->error = error;
	event->stack = stack;
	event->commit = error ? 0 : size;
}

/* What python has at a tenth of a second: rows are loaded, an index is built. */
static void tell_python(struct story *story, unsigned tick)
{
	struct made *made = story->made;
	uint64_t heap = tick < 60 ? 2 + tick / 12 : 7, index = 0;

	if (tick % 12 == 0 && tick <= 60)
		made_mapping(made, story->heap, HEAP, heap * MIB, (heap - 1) * MIB);
	if (tick % 5 == 0 && tick >= 40 && tick <= 260) {
		uint64_t rows = 16 + (tick - 40) * 310 / 220;

		made_mapping(made, story->rows, MAPS, rows * MIB, rows * MIB - MIB / 2)
			->prot = PROT_READ | PROT_WRITE;
		add_call(story, story->python, "mmap", 7 * MIB, 0, story->load_stack);
	}
	if (tick % 20 == 0 && tick >= 100 && tick < 300) {
		uint64_t arenas = 12 + tick % 60;

		made_mapping(made, story->arenas, MAPS + 0x800000000, 64 * MIB,
			     arenas * MIB / 2)->commit = arenas * MIB;
	}
	/* It moves each time that it doubles. */
	if (tick == 120 || tick == 180 || tick == 240)
		index = (uint64_t)8 << (tick - 120) / 60;
	if (index > 8)
		made_unmapped(made, story->python, MAPS + 0x2000000000 +
			      (uint64_t)tick * 0x10000000 - 60 * 0x10000000ULL,
			      index / 2 * MIB);
	if (index > 0)
		made_mapping(made, story->buffer, MAPS + 0x2000000000 +
			     (uint64_t)tick * 0x10000000, index * MIB, index * MIB);
}

static void tell_sort(struct story *story, unsigned tick)
{
	struct made *made = story->made;

	if (tick == 300) {
		story->sort = made_process(made, story->python, 4107, "sort");
		begin_process(story, story->sort, "/usr/lib/x86_64-linux-gnu/libc.so.6");
		story->sort_heap = made_owner(made, story->sort, VMSI_OWNER_HEAP, "heap");
		story->sort_file = made_owner(made, story->sort, VMSI_OWNER_FILE,
					      "/data/rows.bin");
		made_mapping(made, story->sort_heap, HEAP, MIB, MIB);
	}
	if (tick % 4 == 0 && tick > 300 && tick < 380) {
		uint64_t size = 1 + (tick - 300) * 2;
		struct vmsi_recorded_event *file;

		made_mapping(made, story->sort_heap, HEAP, size * MIB, size * MIB);
		file = made_mapping(made, story->sort_file, MAPS, 256 * MIB, 0);
		file->commit = 0;
		file->prot = PROT_READ;
		file->is_shared = true;
		file->file = (tick - 300) * 3 * MIB;
	}
	if (tick % 8 == 0 && tick >= 380 && tick < 440)
		add_call(story, story->sort, "mremap", 64 * MIB, ENOMEM,
			 story->sort_stack);
	if (tick == 450)
		made_end(made, story->sort, 1 << 8);
}

static void make_story(struct made *made)
{
	struct story story = { .made = made };
	struct vmsi_recorded_event *limit = made_event(made, VMSI_RECORDED_LIMIT);

	limit->size = 640 * MIB;
	begin_story(&story);
	for (unsigned tick = 4; tick < 600; tick++) {
		made->now = tick * SECOND / 10;
		if (tick < 560)
			tell_python(&story, tick);
		tell_sort(&story, tick);
		if (tick == 520)
			made_unmapped(made, story.python, MAPS, 326 * MIB);
		if (tick == 560)
			made_end(made, story.python, 0);
		if (tick % 10 == 0) {
			struct vmsi_recorded_event *machine =
				made_event(made, VMSI_RECORDED_MACHINE);

			machine->commit = (3000 + tick % 70) * MIB;
			machine->size = 12288 * MIB;
			machine->file = (9000 - tick) * MIB;
		}
	}
	made->now = 60 * SECOND;
	made->recording.program = made_text("sh -c 'python3 ingest.py --rows 4000000 && sort'");
}

/* --- others ------------------------------------------------------------------------ */

static void make_one(struct made *made)
{
	uint32_t process = made_process(made, VMSI_NOBODY, 1, "one");

	made_mapping(made, made_owner(made, process, VMSI_OWNER_HEAP, "heap"), HEAP,
		     4 * KIB, 4 * KIB)->has_pages = false;
	made->now = 1;
	made->recording.program = made_text("one");
}

/* Names that would end elements, control terminals, hide or turn what is beside them. */
static void make_hostile(struct made *made)
{
	static const char *const names[] = {
		"</script><script>alert(1)</script>", "<!--<script>", "<img src=x onerror=alert(1)>",
		"\033[31mred\033[0m", "two\nlines\tand tabs", "\377\376 no \303 UTF-8",
		"a\342\200\256txt.exe", "zero\342\200\213width", "back\\slash", "\"quotes' & amp;",
		"]]> ${x} `y`", "caf\303\251 \346\227\245\346\234\254 \360\237\231\202", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "",
	};
	size_t count = sizeof(names) / sizeof(names[0]);
	uint32_t stack = made_stack(made, (uint32_t)count, names);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t process = made_process(made, i ? 0 : VMSI_NOBODY, (pid_t)(100 + i), names[i]);
		struct vmsi_recorded_event *call;

		made_mapping(made, made_owner(made, process, VMSI_OWNER_NAMED, names[i]),
			     MAPS, (count - i) * MIB, MIB);
		/* Of another byte order, from the end of the addresses, and from none. */
		made_mapping(made, made_owner(made, process, VMSI_OWNER_KERNEL, "[vsyscall]"),
			     0xffffffffff600000, 4 * KIB, 0)->commit = 0;
		made->now += SECOND;
		call = made_event(made, VMSI_RECORDED_CALL);
		call->process = process;
		call->call = i % 2 ? "mmap" : "</script>";
		call->error = i % 3 ? ENOMEM : 0;
		call->size = UINT64_MAX / 4;
		call->stack = stack;
	}
	made->recording.program = made_text(names[0]);
}

static void make_many(struct made *made, uint32_t count)
{
	uint32_t owners[64];

	for (uint32_t i = 0; i < 64; i++) {
		char name[32];

		if (i % 16 == 0)
			made_process(made, i ? 0 : VMSI_NOBODY, (pid_t)(200 + i), "worker");
		snprintf(name, sizeof(name), "arena %u", i);
		owners[i] = made_owner(made, i / 16, VMSI_OWNER_NAMED, name);
	}
	for (uint32_t i = 0; i < count; i++) {
		uint64_t place = (uint64_t)i * 2654435761U >> 7;
		uint64_t owner = place % 64, slot = place / 64 % 900;
		uint64_t size = (1 + (place >> 3) % 16) * 64 * KIB;

		made->now = (uint64_t)i * 60;
		made_mapping(made, owners[owner], MAPS + owner * 0x40000000 + slot * MIB, size,
			     size / 2 / (4 * KIB) * 4 * KIB);
	}
	made->recording.program = made_text("many events");
}

static void make_million(struct made *made)
{
	make_many(made, 1000000);
}

static void make_quarter(struct made *made)
{
	make_many(made, 250000);
}

/* Memory that is not accounted, far apart, as the heap of V8 lies. */
static void make_spread(struct made *made)
{
	uint32_t process = made_process(made, VMSI_NOBODY, 300, "spread");
	uint32_t memory = made_owner(made, process, VMSI_OWNER_ANONYMOUS, "[anon]");
	struct vmsi_recorded_event *machine = made_event(made, VMSI_RECORDED_MACHINE);

	machine->commit = 900 * MIB;
	machine->file = 9000 * MIB;
	made_mapping(made, made_owner(made, process, VMSI_OWNER_HEAP, "[heap]"), HEAP,
		     MIB, MIB);
	for (uint64_t second = 1; second <= 2; second++) {
		made->now = second * SECOND;
		for (uint64_t i = 0; i < 200; i++)
			made_mapping(made, memory, (i + 1) * (i % 20 ? 70 : 71) << 33,
				     256 * KIB, second * 128 * KIB)->commit = 0;
	}
	made->recording.program = made_text("spread");
}

static uint32_t run_compiler(struct made *made, pid_t pid, uint64_t begin, uint64_t size)
{
	uint32_t process;

	made->now = begin;
	process = made_process(made, 0, pid, "cc");
	made_mapping(made, made_owner(made, process, VMSI_OWNER_ANONYMOUS, "[anon]"),
		     MAPS, size, size / 2);
	made->now += SECOND;
	made_end(made, process, 0);
	return process;
}

/* Processes that come and go; one was not looked at before its end. */
static void make_build(struct made *made)
{
	uint32_t process = made_process(made, VMSI_NOBODY, 501, "make");

	made_mapping(made, made_owner(made, process, VMSI_OWNER_HEAP, "[heap]"), HEAP,
		     MIB, MIB);
	made->now = SECOND / 2;
	made_mapping(made, made_owner(made, process, VMSI_OWNER_ANONYMOUS, "[anon]"),
		     MAPS, 4 * KIB, 4 * KIB);
	run_compiler(made, 502, SECOND, 95 * MIB);
	process = made_process(made, 0, 503, "true");
	made->now += SECOND / 10;
	made_end(made, process, 0);
	run_compiler(made, 504, 3 * SECOND, 100 * MIB);
	made->now = 5 * SECOND;
	made->recording.program = made_text("make");
}

static void make_cut(struct made *made)
{
	made_free(made);
	make_story(made);
	made->recording.event_count /= 3;
	made->now = made->recording.events[made->recording.event_count - 1].time;
	for (size_t i = 0; i < made->recording.process_count; i++)
		made->recording.processes[i].is_ended &=
			made->recording.processes[i].end <= made->now;
	made->recording.is_cut = true;
}

static void make_empty(struct made *made)
{
	made->recording.program = made_text("");
}

/* --- what was in it, in lines --------------------------------------------------------- */

static void write_lines(FILE *stream, const struct vmsi_recording *recording)
{
	fprintf(stream, "length %llu\n", (unsigned long long)recording->length);
	for (size_t i = 0; i < recording->process_count; i++)
		fprintf(stream, "process %llu %d\n",
			(unsigned long long)recording->processes[i].end,
			recording->processes[i].is_ended);
	for (size_t i = 0; i < recording->owner_count; i++)
		fprintf(stream, "owner %u %s\n", recording->owners[i].process,
			recording->owners[i].name);
	for (size_t i = 0; i < recording->event_count; i++) {
		const struct vmsi_recorded_event *event = &recording->events[i];

		fprintf(stream, "event %llu %u %u %u %llu %llu %llu %llu %d\n",
			(unsigned long long)event->time, event->kind, event->process,
			event->owner, (unsigned long long)event->start,
			(unsigned long long)event->end, (unsigned long long)event->commit,
			(unsigned long long)(event->anonymous + event->file), event->error);
	}
}

static void finish(struct made *made)
{
	struct vmsi_recording *recording = &made->recording;

	recording->length = made->now;
	recording->machine = made_text("Linux 6.18.5 x86_64");
	recording->began = 1796040000 * SECOND;
	recording->page_size = 4 * KIB;
	for (size_t i = 0; i < recording->process_count; i++)
		if (!recording->processes[i].is_ended)
			recording->processes[i].end = recording->length;
}

static FILE *opened(const char *path)
{
	FILE *stream = fopen(path, "w");

	if (!stream)
		err(1, "%s", path);
	return stream;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*make)(struct made *made);
	} kinds[] = {
		{ "story", make_story }, { "empty", make_empty }, { "one", make_one },
		{ "hostile", make_hostile }, { "million", make_million }, { "cut", make_cut },
		{ "spread", make_spread }, { "build", make_build }, { "quarter", make_quarter },
	};
	struct made made = { 0 };
	FILE *page, *lines;
	int result;

	for (size_t i = 0; argc == 4 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			kinds[i].make(&made);
	if (!made.recording.program)
		errx(2, "usage: pages KIND PAGE LINES");
	finish(&made);
	page = opened(argv[2]);
	result = vmsi_page_write(page, &made.recording);
	if (result < 0)
		errx(1, "%s: %s", argv[2], strerror(-result));
	lines = opened(argv[3]);
	write_lines(lines, &made.recording);
	if (fclose(lines) != 0 || fclose(page) != 0)
		err(1, "close");
	free(made.recording.program);
	free(made.recording.machine);
	made_free(&made);
	return 0;
}
