/* SPDX-License-Identifier: MIT */
/*
 * Records what workloads write, makes of it the disks that a machine may be left with
 * when it stops, and recovers each. After that the file must be exactly one of its
 * commits, and none older than the latest that was acknowledged.
 *
 *	PROGRAM [--workload journal|file] [--images N] [--seed N] [--must-find]
 *
 * --must-find: the program was built with something broken, and is right if it finds
 * a disk from which the file does not come back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file/journal.h"
#include "host/host.h"
#include "images.h"
#include "real_disk.h"
#include "replay.h"
#include "workload.h"

static struct {
	uint64_t seed;
	const struct workload *workload;
	struct workload_files files;
	size_t images, done, twice, read, real;
	struct history history;
	/* Of the log that is replayed, of a disk that comes of it, of what its
	 * recovery writes, and of a disk where that has stopped. */
	struct memory_arena base, arena, recovered, again_base, again_arena;
	struct memory_disk crashed, second;
	/* The candidates at this stop. */
	size_t acknowledged, begun;
	uint64_t round;
	const char *found;     /* what is wrong */
} run;

/* --- what the file may be ----------------------------------------------------------------------- */

static uint64_t room_for(uint64_t size)
{
	const uint64_t page = vmsi_page_size();

	return (size + page - 1) / page * page;
}

size_t history_add(struct history *history, const uint8_t *bytes, uint64_t size)
{
	struct content *content;

	if (history->count == history->room) {
		history->room = history->room ? 2 * history->room : 64;
		history->contents = realloc(history->contents,
					    history->room * sizeof(*content));
		if (!history->contents)
			abort();
	}
	content = &history->contents[history->count];
	content->size = size;
	content->bytes = calloc(1, room_for(size) + 1);
	if (!content->bytes)
		abort();
	if (size)
		memcpy(content->bytes, bytes, size);
	return history->count++;
}

void history_free(struct history *history)
{
	for (size_t i = 0; i < history->count; i++)
		free(history->contents[i].bytes);
	free(history->contents);
	*history = (struct history){ 0 };
}

static bool is_a_commit(const uint8_t *bytes, uint64_t size)
{
	for (size_t i = run.acknowledged; i <= run.begun; i++) {
		const struct content *content = &run.history.contents[i];

		if (content->size == size &&
		    memcmp(content->bytes, bytes, size) == 0)
			return true;
	}
	return false;
}

/* The file as a buffer; room for what the sizes of a torn one may come to. */
#define HOME_MOST ((size_t)2 << 20)
static uint8_t home_bytes[HOME_MOST];

static bool disk_has_a_commit(const struct memory_disk *disk)
{
	const uint64_t size = disk->files[MEMORY_HOME].size;

	if (size > HOME_MOST)
		return false;
	(void)memory_read(disk, MEMORY_HOME, home_bytes, size, 0);
	return is_a_commit(home_bytes, size);
}

/* --- recovery ------------------------------------------------------------------------------------- */

static void wrong(const char *what)
{
	if (!run.found)
		run.found = what;
}

/* Open for writing, which recovers, and look at the file. */
static void recover(struct memory_disk *disk)
{
	struct vmsi_journal journal;
	const char *problem = NULL;
	const int error = vmsi_journal_open(&journal, memory_disk_home(),
					    MEMORY_JOURNAL_PATH,
					    VMSI_JOURNAL_WRITE, &problem);

	if (error) {
		wrong(problem ? problem : "recovery fails");
		return;
	}
	if (!disk_has_a_commit(disk))
		wrong("what recovery leaves is no commit, or an old one");
	if (vmsi_journal_close(&journal) != 0)
		wrong("the recovered journal cannot be closed");
}

/* --- as a reader sees it ---------------------------------------------------------------------------- */

static uint64_t overlay_size;

static int overlay(void *context, struct vmsi_image image,
		   struct vmsi_sizes sizes)
{
	const size_t page = vmsi_page_size();

	(void)context;
	if (!image.bytes) {
		for (uint64_t at = sizes.smallest; at < overlay_size; at++)
			home_bytes[at] = 0;
		for (uint64_t at = overlay_size; at < sizes.size; at++)
			home_bytes[at] = 0;
		overlay_size = sizes.size;
		return 0;
	}
	if (image.page * page < sizes.size)
		memcpy(home_bytes + image.page * page, image.bytes,
		       vmsi_min(page, sizes.size - image.page * page));
	return 0;
}

static void read_only(const struct memory_disk *disk)
{
	struct vmsi_journal journal;
	const char *problem = NULL;
	const int error = vmsi_journal_open(&journal, memory_disk_home(),
					    MEMORY_JOURNAL_PATH,
					    VMSI_JOURNAL_READ, &problem);

	if (error) {
		wrong(problem ? problem : "reading fails");
		return;
	}
	overlay_size = disk->files[MEMORY_HOME].size;
	(void)memory_read(disk, MEMORY_HOME, home_bytes, overlay_size, 0);
	if (vmsi_journal_each_page(&journal, overlay, NULL) != 0 ||
	    !is_a_commit(home_bytes, overlay_size))
		wrong("what a reader sees is no commit, or an old one");
	if (vmsi_journal_close(&journal) != 0 || memory_disk_changes() != 0)
		wrong("a reader has written");
	run.read++;
}

/* --- images ----------------------------------------------------------------------------------------- */

/* The machine stops again, while it recovers. */
static void crash_again(const struct log *log, const struct memory_disk *before,
			struct random *random)
{
	static struct replay replay;
	const size_t stop = random_below(random, log->count + 1);

	replay_begin(&replay, log, before, &run.again_base, random_next(random));
	while (replay.next < stop)
		replay_step(&replay);
	replay_crash(&replay, &run.second, &run.again_arena);
	memory_disk_enter(&run.second);
	recover(&run.second);
	memory_disk_leave();
	replay_end(&replay);
	run.twice++;
}

/* The same disk, as files that are mapped. */
static void try_files(void)
{
	const char *found = real_disk_try(&run.crashed, &run.files, is_a_commit);

	if (found)
		wrong(found);
	run.real++;
}

static void try_image(struct random *random)
{
	static struct memory_disk before;
	const bool twice = random_percent(random, 20);
	struct log log = { 0 };

	if (random_percent(random, 20))
		try_files();
	if (random_percent(random, 10)) {
		memory_disk_enter(&run.crashed);
		read_only(&run.crashed);
		memory_disk_leave();
	}
	memory_disk_copy(&before, &run.crashed, &run.arena);
	memory_disk_enter(&run.crashed);
	recorder_begin(memory_disk_home(), "", MEMORY_JOURNAL_PATH,
		       run.crashed.journal, run.crashed.made,
		       random_next(random));
	/* Pages of the first disk stay as they are: the arena is another one. */
	run.crashed.arena = &run.recovered;
	run.recovered.used = 0;
	recover(&run.crashed);
	log = recorder_end();
	memory_disk_leave();
	if (twice && !run.found)
		crash_again(&log, &before, random);
	log_free(&log);
	run.done++;
}

/* All stops of a log, each with some disks. */
static void try_log(const struct log *log, uint64_t seed)
{
	static struct memory_disk empty;
	static struct replay replay;
	struct random random = { seed };

	memory_disk_init(&empty, &run.arena);
	run.acknowledged = run.begun = 0;
	replay_begin(&replay, log, &empty, &run.base, random_next(&random));
	for (;;) {
		for (int i = 0; i < IMAGES_AT_A_STOP && !run.found; i++) {
			replay_crash(&replay, &run.crashed, &run.arena);
			try_image(&random);
		}
		if (replay.next == log->count || run.found)
			break;
		if (log->operations[replay.next].kind == OPERATION_BEGIN)
			run.begun = log->operations[replay.next].offset;
		if (log->operations[replay.next].kind == OPERATION_ACKNOWLEDGE)
			run.acknowledged = log->operations[replay.next].offset;
		replay_step(&replay);
	}
	if (run.found)
		(void)printf("# behind operation %zu of %zu\n", replay.next,
			     log->count);
	replay_end(&replay);
}

static void try_workload(const struct workload *workload)
{
	struct random random = { random_mix(run.seed, run.round) };
	struct log log;

	workload->run(&run.files, &random, &run.history);
	log = recorder_end();
	try_log(&log, random_next(&random));
	log_free(&log);
	history_free(&run.history);
}

/* --- the program -------------------------------------------------------------------------------------- */

static const struct workload *find_workload(const char *name)
{
	static const struct workload *const workloads[] = {
		&workload_journal, &workload_commit,
	};

	for (size_t i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		if (strcmp(workloads[i]->name, name) == 0)
			return workloads[i];
	return NULL;
}

static bool read_arguments(int argc, char **argv, bool *must_find)
{
	run.images = IMAGES_DEFAULT;
	run.workload = &workload_journal;
	run.seed = images_seed();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--must-find") == 0)
			*must_find = true;
		else if (strcmp(argv[i], "--workload") == 0 && i + 1 < argc)
			run.workload = find_workload(argv[++i]);
		else if (strcmp(argv[i], "--images") == 0 && i + 1 < argc)
			run.images = strtoull(argv[++i], NULL, 0);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			run.seed = strtoull(argv[++i], NULL, 0);
		else
			return false;
	}
	return run.workload != NULL;
}

static void try_all(const char *directory)
{
	char home[128], journal[128];

	(void)snprintf(home, sizeof(home), "%s/home", directory);
	(void)snprintf(journal, sizeof(journal), "%s/journal", directory);
	run.files = (struct workload_files){ home, journal };
	while (run.done < run.images && !run.found) {
		try_workload(run.workload);
		run.round++;
	}
	(void)printf("# %zu disks, %zu of them stopped again, %zu read only, "
		     "%zu as files, %llu workloads\n", run.done, run.twice,
		     run.read, run.real, (unsigned long long)run.round);
	if (run.found)
		(void)printf("# %s\n", run.found);
}

int main(int argc, char **argv)
{
	char directory[] = IMAGES_DIRECTORY;
	bool must_find = false;

	if (!read_arguments(argc, argv, &must_find) || !images_make_directory(directory))
		return 2;
	(void)printf("1..1\n# --workload %s --seed %llu --images %zu\n",
		     run.workload->name, (unsigned long long)run.seed,
		     run.images);
	(void)fflush(stdout);
	memory_arena_open(&run.arena, IMAGE_ARENA);
	memory_arena_open(&run.base, IMAGE_ARENA);
	memory_arena_open(&run.recovered, IMAGE_ARENA);
	memory_arena_open(&run.again_base, IMAGE_ARENA);
	memory_arena_open(&run.again_arena, IMAGE_ARENA);
	try_all(directory);
	(void)rmdir(directory);
	(void)printf("%sok 1 - %s\n", (run.found != NULL) == must_find ? "" : "not ",
		     must_find ? "the broken checksum is found out" :
				 "each disk gives a commit");
	return (run.found != NULL) == must_find ? 0 : 1;
}
