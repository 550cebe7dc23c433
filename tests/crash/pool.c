/* SPDX-License-Identifier: MIT */
/*
 * Records what a pool and a log that is written ahead of it write, and makes of it the
 * disks that a machine may be left with when it stops. On each, no part of a page may
 * have a change that the log has not, and each must have all that was flushed.
 *
 *	PROGRAM [--images N] [--seed N] [--whole] [--no-steal] [--plain]
 *		[--must-find log|sync|area|settled]
 *
 * --whole: the pool has an area, and is opened with it on each disk. Then no page may be
 * torn, also where the first one that opens it is stopped, too.
 *
 * --no-steal: the log is durable when the workload commits, and not before; so most pages
 * are aside, and none may be in the file before its commit is in the log.
 *
 * --plain: the pool is used by plain pointers, too.
 *
 * --must-find: something is not as it should be, and the program is right if it finds a
 * disk that shows it: the log is said to be durable before it is; fdatasync does nothing
 * for the area; the pool is opened without its area after the stop; or what the area got
 * while the file was synced is taken for synced.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/pool.h>
#include <vmspace/pool_stats.h>

#include "host/host.h"
#include "host/uring.h"
#include "images.h"
#include "pool_workload.h"
#include "replay.h"

#define ROUNDS_LEAST 20

static struct {
	uint64_t seed, round;
	size_t images, done, flushes_seen;
	uint64_t mended;              /* pages of all disks */
	bool must_find;
	struct memory_arena base, arena;
	struct memory_disk crashed;
	size_t acknowledged;          /* flushes, by their number plus one */
	struct random random;
	const char *found;
} run;

static void wrong(const char *what)
{
	if (!run.found)
		run.found = what;
}

/* --- files of a disk ----------------------------------------------------------------------- */

/* The same file each time: a pool knows its file again by the inode. */
static int write_file(const char *path, const struct memory_file *file)
{
	const size_t page = vmsi_page_size();
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	workload_must(fd >= 0 && ftruncate(fd, 0) == 0, "make a file");
	for (size_t i = 0; i < file->page_count; i++)
		if (file->pages[i])
			workload_must(pwrite(fd, file->pages[i], page,
					     (off_t)(i * page)) == (ssize_t)page,
				      "write a page");
	workload_must(ftruncate(fd, (off_t)file->size) == 0, "set a size");
	return fd;
}

/* --- a stop while the area is read ------------------------------------------------------------ */

static unsigned writes_left;
static long (*real_pwrite)(int fd, const void *bytes, size_t length, uint64_t offset);

/* A part of the last one is written. */
static long stopping_pwrite(int fd, const void *bytes, size_t length, uint64_t offset)
{
	if (writes_left == 0)
		return -EIO;
	if (--writes_left == 0)
		(void)real_pwrite(fd, bytes, length / 2, offset);
	return writes_left ? real_pwrite(fd, bytes, length, offset) : -EIO;
}

static void stop_while_opening(int home)
{
	vms_pool *pool;

	writes_left = 1 + (unsigned)random_below(&run.random, 20);
	real_pwrite = vmsi_host.pwrite;
	vmsi_host.pwrite = stopping_pwrite;
	pool = workload_open(home, true);
	vmsi_host.pwrite = real_pwrite;
	if (pool)
		workload_must(vms_pool_close(pool) == 0, "close");
}

/* --- what is on a disk ------------------------------------------------------------------------- */

/* How many records the log has from the beginning on. */
static uint64_t log_of(const struct memory_disk *disk)
{
	struct record record, right;
	uint64_t lsn = 0;

	if (disk->journal < 0 && disk->made <= LOG_FILE)
		return 0;
	do {
		right = workload_record(lsn + 1, lsn < workload.end ?
					workload.records[lsn].page : 0);
		if (memory_read(disk, LOG_FILE, &record, sizeof(record),
				lsn * sizeof(record)) != sizeof(record))
			return lsn;
	} while (memcmp(&record, &right, sizeof(record)) == 0 && ++lsn);
	return lsn;
}

static void look_at_page(const struct sector *sectors, uint64_t page, uint64_t log,
			 uint64_t least)
{
	for (size_t i = 0; i < SECTORS; i++) {
		if (!workload_sector_is_whole(&sectors[i], page, i))
			wrong("a sector has what was never stored");
		if (sectors[i].lsn > log)
			wrong("a page is ahead of its log");
		if (sectors[i].lsn < least)
			wrong("a page that was flushed is older");
		if (workload.is_whole && sectors[i].lsn != sectors[0].lsn)
			wrong("a page is torn");
	}
}

/* Open the pool as after a stop. */
static void mend(int home)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };
	vms_pool *pool;

	if (random_percent(&run.random, 20))
		stop_while_opening(home);
	pool = workload_open(home, true);
	if (!pool) {
		wrong("the pool cannot be opened");
		return;
	}
	workload_must(vms_pool_get_stats(pool, &stats) == 0, "stats");
	run.mended += stats.area_mended;
	workload_must(vms_pool_close(pool) == 0, "close");
}

static void look_at_files(const struct memory_disk *disk, uint64_t log, const uint64_t *least)
{
	static struct sector pages[PAGES][SECTORS];
	const int home = write_file(workload.home_path, &disk->files[MEMORY_HOME]);

	(void)close(write_file(workload.area_path, &disk->files[AREA_FILE]));
	if (workload.lie != LIE_AREA)
		mend(home);
	workload_must(pread(home, pages, sizeof(pages), 0) == (ssize_t)sizeof(pages),
		      "read the file");
	for (uint64_t page = 0; page < PAGES; page++)
		look_at_page(pages[page], page, log, least[page]);
	(void)close(home);
}

static void look_at_disk(const struct memory_disk *disk)
{
	static const uint64_t none[PAGES];
	const uint64_t *least = run.acknowledged ?
		workload.flushes[run.acknowledged - 1].lsns : none;
	const uint64_t log = log_of(disk);
	struct sector sectors[SECTORS];

	if (workload.is_whole)
		look_at_files(disk, log, least);
	for (uint64_t page = 0; page < PAGES && !workload.is_whole; page++) {
		memset(sectors, 0, sizeof(sectors));
		(void)memory_read(disk, MEMORY_HOME, sectors, PAGE, page * PAGE);
		look_at_page(sectors, page, log, least[page]);
	}
	run.done++;
}

/* All stops of a log, each with some disks. The file has its size from the beginning. */
static void try_log(const struct log *log)
{
	static struct memory_disk empty;
	static struct replay replay;

	memory_disk_init(&empty, &run.arena);
	if (workload.is_whole) {
		empty.made = AREA_FILE + 1;
		empty.journal = LOG_FILE;
	}
	memory_set_size(&empty, MEMORY_HOME, PAGES * PAGE);
	run.acknowledged = 0;
	replay_begin(&replay, log, &empty, &run.base, random_next(&run.random));
	for (;;) {
		for (int i = 0; i < IMAGES_AT_A_STOP && !run.found; i++) {
			replay_crash(&replay, &run.crashed, &run.arena);
			look_at_disk(&run.crashed);
		}
		if (replay.next == log->count || run.found)
			break;
		if (log->operations[replay.next].kind == OPERATION_ACKNOWLEDGE)
			run.acknowledged = log->operations[replay.next].offset;
		replay_step(&replay);
	}
	if (run.found)
		(void)printf("# behind operation %zu of %zu\n", replay.next, log->count);
	run.flushes_seen += run.acknowledged;
	replay_end(&replay);
}

/* --- the program ------------------------------------------------------------------------------- */

static bool read_lie(const char *name)
{
	static const char *const names[] = { [LIE_LOG] = "log", [LIE_SYNC] = "sync",
					     [LIE_AREA] = "area",
					     [LIE_SETTLED] = "settled" };

	for (int i = LIE_LOG; i <= LIE_SETTLED; i++)
		if (strcmp(name, names[i]) == 0)
			workload.lie = (enum lie)i;
	workload.is_whole |= workload.lie > LIE_LOG;
	run.must_find = true;
	return workload.lie != NO_LIE;
}

static bool read_arguments(int argc, char **argv)
{
	run.images = IMAGES_DEFAULT;
	run.seed = images_seed();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--whole") == 0)
			workload.is_whole = true;
		else if (strcmp(argv[i], "--no-steal") == 0)
			workload.is_no_steal = true;
		else if (strcmp(argv[i], "--plain") == 0)
			workload.is_plain = true;
		else if (i + 1 == argc)
			return false;
		else if (strcmp(argv[i], "--images") == 0)
			run.images = strtoull(argv[++i], NULL, 0);
		else if (strcmp(argv[i], "--seed") == 0)
			run.seed = strtoull(argv[++i], NULL, 0);
		else if (strcmp(argv[i], "--must-find") != 0 || !read_lie(argv[++i]))
			return false;
	}
	return true;
}

/* One of few workloads may have no flush by chance. */
static bool goes_on(void)
{
	return run.done < run.images || (run.flushes_seen == 0 && run.round < ROUNDS_LEAST);
}

static void try_all(void)
{
	while (goes_on() && !run.found) {
		struct log log;

		workload.random.state = random_mix(run.seed, run.round++);
		run.random.state = random_mix(workload.random.state, 1);
		workload_run();
		log = recorder_end();
		try_log(&log);
		log_free(&log);
	}
	(void)printf("# %zu disks, %zu flushes, %zu evictions, %zu batches, %zu beside a sync, "
		     "%llu pages mended, %llu workloads\n", run.done, run.flushes_seen,
		     workload.evictions, workload.batches, workload.beside,
		     (unsigned long long)run.mended,
		     (unsigned long long)run.round);
	if (run.found)
		(void)printf("# %s\n", run.found);
}

static bool is_right(void)
{
	if (run.must_find)
		return run.found != NULL;
	return !run.found && run.flushes_seen > 0 && workload.evictions > 0 &&
		(!workload.is_whole || run.mended > 0) &&
		(!workload.is_whole || workload.is_no_steal || workload.beside > 0);
}

static const char *title(void)
{
	if (run.must_find)
		return "what is not as it should be is found out";
	return workload.is_whole ?
		"no page is torn or ahead of its log, and what was flushed is there" :
		"no page is ahead of its log, and what was flushed is there";
}

static void make_path(char *path, const char *directory, const char *name)
{
	(void)snprintf(path, sizeof(workload.home_path), "%s/%s", directory, name);
}

int main(int argc, char **argv)
{
	char directory[] = IMAGES_DIRECTORY;

	if (!read_arguments(argc, argv) || !images_make_directory(directory))
		return 2;
	make_path(workload.home_path, directory, "home");
	make_path(workload.log_path, directory, "log");
	make_path(workload.area_path, directory, "area");
	(void)printf("1..1\n# --seed %llu --images %zu\n", (unsigned long long)run.seed,
		     run.images);
	(void)fflush(stdout);
	memory_arena_open(&run.arena, IMAGE_ARENA);
	memory_arena_open(&run.base, IMAGE_ARENA);
	try_all();
	(void)unlink(workload.home_path);
	(void)unlink(workload.log_path);
	(void)unlink(workload.area_path);
	(void)rmdir(directory);
	(void)printf("%sok 1 - %s\n", is_right() ? "" : "not ", title());
	return is_right() ? 0 : 1;
}
