/* SPDX-License-Identifier: MIT */
/*
 * Records what a pool and a log that is written ahead of it write, and makes of it the
 * disks that a machine may be left with when it stops. On each, no part of a page may
 * have a change that the log has not, and each must have all that was flushed.
 *
 *	PROGRAM [--images N] [--seed N] [--no-steal] [--must-find]
 *
 * A page consists of sectors that each tell the number of their change (lsn), so that one
 * that was written in part is seen for what it is.
 *
 * --no-steal: the log is durable when the workload commits, and not before; so most pages
 * are aside, and none may be in the file before its commit is in the log.
 *
 * --must-find: the workload says that its log is durable before it is, and the program is
 * right if it finds a disk that shows it.
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
#include "replay.h"

#define PAGE 4096u
#define SECTOR 512u
#define SECTORS (PAGE / SECTOR)
#define PAGES 96u
#define STEPS 400
#define CHANGES_MOST 4096u
#define FLUSHES_MOST 512u

/* The beginning of a sector; the rest of it is made of that. Zeros: never written. */
struct sector {
	uint64_t page, lsn;
	uint64_t rest[(SECTOR - 16) / 8];
};

/* A record of the log: change lsn is at lsn - 1 records from the beginning. */
struct record {
	uint64_t lsn, page, sum;
};

/* What a flush has made durable. */
struct flushed {
	uint64_t lsns[PAGES];
};

static struct {
	uint64_t seed, round;
	size_t images, done, flushes_seen, evictions;
	bool lies, no_steal;
	char home_path[128], log_path[128];
	/* The workload. */
	struct random random;
	vms_pool *pool;
	int home, log;
	uint64_t written, end;        /* records in the log, and that there are */
	uint64_t lsns[PAGES];         /* of the last change of each page */
	struct record records[CHANGES_MOST];
	struct flushed flushes[FLUSHES_MOST];
	size_t flush_count;
	/* The disks. */
	struct memory_arena base, arena;
	struct memory_disk crashed;
	size_t acknowledged;          /* flushes, by their number plus one */
	const char *found;
} run;

static void must(bool right, const char *what)
{
	if (right)
		return;
	(void)printf("# the workload: %s; errno %d\n", what, errno);
	(void)fflush(stdout);
	abort();
}

/* --- pages and records ------------------------------------------------------------------- */

static uint64_t rest_of(uint64_t page, uint64_t lsn, size_t sector, size_t i)
{
	return random_mix(page * SECTORS + sector, lsn * 64 + i);
}

static void fill_page(struct sector *sectors, uint64_t page, uint64_t lsn)
{
	for (size_t i = 0; i < SECTORS; i++) {
		sectors[i].page = page;
		sectors[i].lsn = lsn;
		for (size_t j = 0; j < sizeof(sectors->rest) / 8; j++)
			sectors[i].rest[j] = rest_of(page, lsn, i, j);
	}
}

static bool is_whole(const struct sector *sector, uint64_t page, size_t number)
{
	static const struct sector never;

	if (memcmp(sector, &never, SECTOR) == 0)
		return true;
	for (size_t j = 0; j < sizeof(sector->rest) / 8; j++)
		if (sector->rest[j] != rest_of(page, sector->lsn, number, j))
			return false;
	return sector->page == page;
}

static struct record record_of(uint64_t lsn, uint64_t page)
{
	return (struct record){ lsn, page, random_mix(lsn, page) };
}

/* --- the log of the workload --------------------------------------------------------------- */

/* All that is not known to be durable is written again, whatever became of it before. */
static int make_durable(void *context, uint64_t lsn)
{
	const uint64_t end = run.end;
	const size_t length = (size_t)(end - run.written) * sizeof(struct record);

	(void)context;
	if (lsn <= run.written || run.lies)
		return 0;
	if (vmsi_host.pwrite(run.log, &run.records[run.written], length,
			     run.written * sizeof(struct record)) != (long)length ||
	    vmsi_host.fdatasync(run.log) != 0)
		return -1;
	run.written = end;
	return 0;
}

/* --- the workload ---------------------------------------------------------------------------- */

static int no_ring(struct vmsi_uring *ring, unsigned entries)
{
	(void)ring;
	(void)entries;
	return -ENOSYS;
}

/* The least RAM that a pool can do with, so that pages leave it all the time. */
static void open_pool(void)
{
	struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_NO_WRITER | (random_percent(&run.random, 30) ?
					       VMS_POOL_ADDRESSED : 0),
		.make_durable = run.no_steal ? NULL : make_durable,
	};

	if (run.no_steal) {
		options.flags |= VMS_POOL_NO_STEAL;
		options.swap_path = ".";
	}

	do {
		options.ram += 4 * PAGE;
		run.pool = vms_pool_open(run.home, &options);
	} while (!run.pool && errno == EINVAL);
	must(run.pool, "open the pool");
}

static void note_evictions(void)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };

	must(vms_pool_get_stats(run.pool, &stats) == 0, "stats");
	run.evictions += run.no_steal ? stats.pages_aside : stats.evictions;
}

static void change_to(uint64_t page, uint64_t lsn, void *at)
{
	fill_page(at, page, lsn);
	must(vms_pool_dirty(run.pool, page, lsn) == 0, "dirty");
	must(vms_pool_unfix(run.pool, page) == 0, "unfix");
}

static void change(void)
{
	const uint64_t page = random_below(&run.random, PAGES);
	void *at;

	if (run.end == CHANGES_MOST)
		return;
	at = vms_pool_fix(run.pool, page, VMS_POOL_WRITE);
	/* Where pages go aside there is always room for one more. */
	must(at || !run.no_steal, "fix to change");
	if (!at)
		return;
	run.records[run.end] = record_of(run.end + 1, page);
	run.lsns[page] = ++run.end;
	change_to(page, run.end, at);
}

static void look(void)
{
	const uint64_t page = random_below(&run.random, PAGES);
	const struct sector *at = vms_pool_fix(run.pool, page, VMS_POOL_READ);

	if (!at)
		return;
	for (size_t i = 0; i < SECTORS; i++)
		must(at[i].lsn == run.lsns[page] && is_whole(&at[i], page, i),
		     "a page is not what it was made");
	must(vms_pool_unfix(run.pool, page) == 0, "unfix");
}

static void make_log_durable(void)
{
	if (make_durable(NULL, run.end) == 0)
		must(vms_pool_durable(run.pool, run.end) == 0, "durable");
}

/*
 * A file that could not be synced has lost nobody knows what. All that was changed since
 * the last flush is changed again, as a recovery does.
 */
static void open_again(void)
{
	const uint64_t *good = run.flush_count ?
		run.flushes[run.flush_count - 1].lsns : NULL;

	recorder_fail((struct failures){ 0 });
	note_evictions();
	must(vms_pool_close(run.pool) == 0, "close");
	open_pool();
	for (uint64_t page = 0; page < PAGES; page++) {
		void *at;

		if (run.lsns[page] <= (good ? good[page] : 0))
			continue;
		at = vms_pool_fix(run.pool, page, VMS_POOL_WRITE);
		must(at, "fix to recover");
		change_to(page, run.lsns[page], at);
	}
	recorder_fail((struct failures){ .sync = 3, .write = 3 });
}

static void flush(void)
{
	struct flushed *flushed = &run.flushes[run.flush_count];

	if (run.flush_count == FLUSHES_MOST)
		return;
	if (run.no_steal)
		make_log_durable();
	memcpy(flushed->lsns, run.lsns, sizeof(run.lsns));
	if (vms_pool_flush(run.pool, VMS_POOL_ALL, NULL, NULL) == 0)
		recorder_note_acknowledged(++run.flush_count);
	else
		open_again();
}

/* Seldom, where that is to commit: so that pages which are not are more than the RAM. */
static void make_durable_at_times(void)
{
	if (!run.no_steal || random_percent(&run.random, 10))
		make_log_durable();
}

static void step(void)
{
	static void (*const steps[])(void) = {
		change, change, change, change, change, change, look, look, look,
		make_durable_at_times,
	};

	if (random_percent(&run.random, run.no_steal ? 1 : 4))
		flush();
	else if (random_percent(&run.random, 1))
		open_again();
	else
		steps[random_below(&run.random, sizeof(steps) / sizeof(*steps))]();
}

static void run_workload(void)
{
	memset(run.lsns, 0, sizeof(run.lsns));
	run.written = run.end = run.flush_count = 0;
	run.home = open(run.home_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(run.home >= 0 && ftruncate(run.home, PAGES * (off_t)PAGE) == 0, "setup");
	recorder_begin(run.home, run.home_path, run.log_path, -1, 1,
		       random_next(&run.random));
	vmsi_uring.open = no_ring;
	run.log = (int)vmsi_host.open_file(run.log_path, O_RDWR | O_CREAT, 0600);
	must(run.log >= 0, "open the log");
	open_pool();
	recorder_fail((struct failures){ .sync = 3, .write = 3 });
	for (int i = 0; i < STEPS; i++)
		step();
	recorder_fail((struct failures){ 0 });
	note_evictions();
	must(vms_pool_close(run.pool) == 0, "close");
	(void)vmsi_host.close(run.log);
	(void)close(run.home);
	(void)unlink(run.home_path);
	(void)unlink(run.log_path);
}

/* --- the disks --------------------------------------------------------------------------------- */

static void wrong(const char *what)
{
	if (!run.found)
		run.found = what;
}

/* How many records the log has from the beginning on. */
static uint64_t log_of(const struct memory_disk *disk)
{
	struct record record, right;
	uint64_t lsn = 0;

	if (disk->journal < 0 && disk->made < 2)
		return 0;
	do {
		right = record_of(lsn + 1, lsn < run.end ? run.records[lsn].page : 0);
		if (memory_read(disk, 1, &record, sizeof(record),
				lsn * sizeof(record)) != sizeof(record))
			return lsn;
	} while (memcmp(&record, &right, sizeof(record)) == 0 && ++lsn);
	return lsn;
}

static void look_at_page(const struct memory_disk *disk, uint64_t page, uint64_t log,
			 uint64_t least)
{
	struct sector sectors[SECTORS];

	memset(sectors, 0, sizeof(sectors));
	(void)memory_read(disk, MEMORY_HOME, sectors, PAGE, page * PAGE);
	for (size_t i = 0; i < SECTORS; i++) {
		if (!is_whole(&sectors[i], page, i))
			wrong("a sector has what was never stored");
		if (sectors[i].lsn > log)
			wrong("a page is ahead of its log");
		if (sectors[i].lsn < least)
			wrong("a page that was flushed is older");
	}
}

static void look_at_disk(const struct memory_disk *disk)
{
	const uint64_t log = log_of(disk);

	for (uint64_t page = 0; page < PAGES; page++)
		look_at_page(disk, page, log, run.acknowledged ?
			     run.flushes[run.acknowledged - 1].lsns[page] : 0);
	run.done++;
}

/* All stops of a log, each with some disks. The file has its size from the beginning. */
static void try_log(const struct log *log)
{
	static struct memory_disk empty;
	static struct replay replay;

	memory_disk_init(&empty, &run.arena);
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

static bool read_arguments(int argc, char **argv)
{
	run.images = IMAGES_DEFAULT;
	run.seed = images_seed();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--must-find") == 0)
			run.lies = true;
		else if (strcmp(argv[i], "--no-steal") == 0)
			run.no_steal = true;
		else if (strcmp(argv[i], "--images") == 0 && i + 1 < argc)
			run.images = strtoull(argv[++i], NULL, 0);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			run.seed = strtoull(argv[++i], NULL, 0);
		else
			return false;
	}
	return true;
}

static void try_all(void)
{
	while (run.done < run.images && !run.found) {
		struct log log;

		run.random.state = random_mix(run.seed, run.round++);
		run_workload();
		log = recorder_end();
		try_log(&log);
		log_free(&log);
	}
	(void)printf("# %zu disks, %zu flushes, %zu evictions, %llu workloads\n", run.done,
		     run.flushes_seen, run.evictions, (unsigned long long)run.round);
	if (run.found)
		(void)printf("# %s\n", run.found);
}

int main(int argc, char **argv)
{
	char directory[] = IMAGES_DIRECTORY;
	bool is_right;

	if (!read_arguments(argc, argv) || !images_make_directory(directory))
		return 2;
	(void)snprintf(run.home_path, sizeof(run.home_path), "%s/home", directory);
	(void)snprintf(run.log_path, sizeof(run.log_path), "%s/log", directory);
	(void)printf("1..1\n# --seed %llu --images %zu\n", (unsigned long long)run.seed,
		     run.images);
	(void)fflush(stdout);
	memory_arena_open(&run.arena, IMAGE_ARENA);
	memory_arena_open(&run.base, IMAGE_ARENA);
	try_all();
	(void)rmdir(directory);
	is_right = (run.found != NULL) == run.lies && (run.lies || (run.flushes_seen > 0 && run.evictions > 0));
	(void)printf("%sok 1 - %s\n", is_right ? "" : "not ",
		     run.lies ? "a page ahead of its log is found out" :
				"no page is ahead of its log, and what was flushed is there");
	return is_right ? 0 : 1;
}
