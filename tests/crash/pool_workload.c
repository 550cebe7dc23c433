/* SPDX-License-Identifier: MIT */
#include "pool_workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include <vmspace/pool.h>
#include <vmspace/pool_plain.h>
#include <vmspace/pool_stats.h>

#include "host/host.h"
#include "pool/pool.h"
#include "../unit/no_ring.h"

#define STEPS 400
#define CHANGES_BESIDE 24

struct pool_workload workload;

static struct {
	vms_pool *pool;
	int home, log, area;
	bool is_flushing;         /* changes may be made when the file is synced */
	size_t ram[3];            /* that is enough for frames, addresses, plain pointers */
	bool is_running;
} run;

void workload_must(bool right, const char *what)
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

bool workload_sector_is_whole(const struct sector *sector, uint64_t page, size_t number)
{
	static const struct sector never;

	if (memcmp(sector, &never, SECTOR) == 0)
		return true;
	for (size_t j = 0; j < sizeof(sector->rest) / 8; j++)
		if (sector->rest[j] != rest_of(page, sector->lsn, number, j))
			return false;
	return sector->page == page;
}

struct record workload_record(uint64_t lsn, uint64_t page)
{
	return (struct record){ lsn, page, random_mix(lsn, page) };
}

/* --- the log of the workload --------------------------------------------------------------- */

/* All that is not known to be durable is written again, whatever became of it before. */
static int make_durable(void *context, uint64_t lsn)
{
	const uint64_t end = workload.end;
	const size_t length = (size_t)(end - workload.written) * sizeof(struct record);

	(void)context;
	if (lsn <= workload.written || workload.lie == LIE_LOG)
		return 0;
	if (vmsi_host.pwrite(run.log, &workload.records[workload.written], length,
			     workload.written * sizeof(struct record)) != (long)length ||
	    vmsi_host.fdatasync(run.log) != 0)
		return -1;
	workload.written = end;
	return 0;
}

/* --- what is not true --------------------------------------------------------------------------- */

static long (*open_recorded)(const char *path, int flags, mode_t mode);
static long (*sync_recorded)(int fd);

static long open_noted(const char *path, int flags, mode_t mode)
{
	const long fd = open_recorded(path, flags, mode);

	if (fd >= 0 && strcmp(path, workload.area_path) == 0)
		run.area = (int)fd;
	return fd;
}

static long sync_all_but_the_area(int fd)
{
	return fd == run.area ? 0 : sync_recorded(fd);
}

static void begin_to_lie(void)
{
	run.area = -1;
	open_recorded = vmsi_host.open_file;
	sync_recorded = vmsi_host.fdatasync;
	vmsi_host.open_file = open_noted;
	vmsi_host.fdatasync = sync_all_but_the_area;
}

/* --- pages that leave while the file is synced -------------------------------------------------- */

/* Batches that may be written to make room for one page. */
#define BATCHES_OF_A_CHANGE 2u

static void change(void);

static bool has_room_in_area(void)
{
	const struct vmsi_area *area = &run.pool->area;

	return area->sequence - area->settled + 1 + BATCHES_OF_A_CHANGE <
		area->header.places;
}

/*
 * The file was synced, and the pool does not know it yet: pages are changed, as by another
 * thread, and others leave for them.
 */
static long sync_beside_changes(int fd)
{
	const long error = sync_recorded(fd);
	uint64_t sequence;

	if (error || !run.is_flushing || fd != run.pool->store.fd)
		return error;
	run.is_flushing = false;
	sequence = run.pool->area.sequence;
	for (unsigned i = 0; i < CHANGES_BESIDE && has_room_in_area(); i++)
		change();
	workload.beside += run.pool->area.sequence - sequence;
	return 0;
}

static void begin_to_change_beside(void)
{
	sync_recorded = vmsi_host.fdatasync;
	vmsi_host.fdatasync = sync_beside_changes;
}

/* --- plain pointers ------------------------------------------------------------------------------ */

/* All is done by one thread, so that a seed repeats it. */
static long start_nothing(pthread_t *thread, size_t stack, void *(*body)(void *), void *argument)
{
	(void)thread;
	(void)stack;
	(void)body;
	(void)argument;
	return 0;
}

static void join_nothing(pthread_t thread)
{
	(void)thread;
}

static void begin_without_threads(void)
{
	vmsi_host.start_thread = start_nothing;
	vmsi_host.join_thread = join_nothing;
}

/* --- the workload ---------------------------------------------------------------------------- */

/* The least RAM that a pool can do with, so that pages leave it all the time. */
vms_pool *workload_open(int home, bool is_whole)
{
	const bool is_addressed = random_percent(&workload.random, 30);
	const bool is_plain = workload.is_plain && run.is_running;
	const unsigned kind = is_plain ? VMS_POOL_TRANSPARENT :
		VMS_POOL_NO_WRITER | (is_addressed ? VMS_POOL_ADDRESSED : 0);
	size_t *ram = &run.ram[is_plain ? 2 : is_addressed];
	struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = kind | (is_whole ? VMS_POOL_WHOLE_PAGES : 0) |
			(workload.is_no_steal ? VMS_POOL_NO_STEAL : 0),
		.make_durable = workload.is_no_steal ? NULL : make_durable,
		.area = is_whole ? workload.area_path : NULL,
		.swap_path = workload.is_no_steal ? "." : NULL,
	};
	vms_pool *pool;

	options.ram = *ram ? *ram : 4 * PAGE;
	do {
		pool = vms_pool_open(home, &options);
		if (!pool)
			options.ram += 4 * PAGE;
	} while (!pool && errno == EINVAL);
	*ram = options.ram;
	return pool;
}

static void open_pool(void)
{
	run.pool = workload_open(run.home, workload.is_whole);
	workload_must(run.pool, "open the pool");
}

static void note_evictions(void)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };

	workload_must(vms_pool_get_stats(run.pool, &stats) == 0, "stats");
	workload.evictions += workload.is_no_steal ? stats.pages_aside : stats.evictions;
	workload.batches += stats.area_batches;
}

static void change_to(uint64_t page, uint64_t lsn, void *at)
{
	fill_page(at, page, lsn);
	workload_must(vms_pool_dirty(run.pool, page, lsn) == 0, "dirty");
	workload_must(vms_pool_unfix(run.pool, page) == 0, "unfix");
}

static void change(void)
{
	const uint64_t page = random_below(&workload.random, PAGES);
	void *at;

	if (workload.end == CHANGES_MOST)
		return;
	at = vms_pool_fix(run.pool, page, VMS_POOL_WRITE);
	/* Where pages go aside there is always room for one more. */
	workload_must(at || !workload.is_no_steal, "fix to change");
	if (!at)
		return;
	workload.records[workload.end] = workload_record(workload.end + 1, page);
	workload.lsns[page] = ++workload.end;
	change_to(page, workload.end, at);
}

/* No number is given to a plain store, so that its log must be durable before. */
static void change_plain(void)
{
	const uint64_t page = random_below(&workload.random, PAGES);
	char *base = vms_pool_base(run.pool);

	if (workload.end == CHANGES_MOST)
		return;
	workload.records[workload.end] = workload_record(workload.end + 1, page);
	workload.end++;
	if (make_durable(NULL, workload.end) != 0)
		return;
	/* A fault asks for no log: where no page that is clean can go, it finds room by this. */
	workload_must(vms_pool_durable(run.pool, workload.end) == 0, "durable");
	workload.lsns[page] = workload.end;
	fill_page((struct sector *)(base + page * PAGE), page, workload.end);
}

static void change_somehow(void)
{
	if (workload.is_plain && random_percent(&workload.random, 50))
		change_plain();
	else
		change();
}

static void look(void)
{
	const uint64_t page = random_below(&workload.random, PAGES);
	const struct sector *at = vms_pool_fix(run.pool, page, VMS_POOL_READ);

	if (!at)
		return;
	for (size_t i = 0; i < SECTORS; i++)
		workload_must(at[i].lsn == workload.lsns[page] &&
			      workload_sector_is_whole(&at[i], page, i),
			      "a page is not what it was made");
	workload_must(vms_pool_unfix(run.pool, page) == 0, "unfix");
}

static void make_log_durable(void)
{
	if (make_durable(NULL, workload.end) == 0)
		workload_must(vms_pool_durable(run.pool, workload.end) == 0, "durable");
}

/*
 * A file that could not be synced has lost nobody knows what. All that was changed since
 * the last flush is changed again, as a recovery does.
 */
static void open_again(void)
{
	const uint64_t *good = workload.flush_count ?
		workload.flushes[workload.flush_count - 1].lsns : NULL;

	recorder_fail((struct failures){ 0 });
	note_evictions();
	workload_must(vms_pool_close(run.pool) == 0, "close");
	open_pool();
	for (uint64_t page = 0; page < PAGES; page++) {
		void *at;

		if (workload.lsns[page] <= (good ? good[page] : 0))
			continue;
		at = vms_pool_fix(run.pool, page, VMS_POOL_WRITE);
		workload_must(at, "fix to recover");
		change_to(page, workload.lsns[page], at);
	}
	recorder_fail((struct failures){ .sync = 3, .write = 3 });
}

static void flush(void)
{
	struct flushed *flushed = &workload.flushes[workload.flush_count];
	int error;

	if (workload.flush_count == FLUSHES_MOST)
		return;
	if (workload.is_no_steal)
		make_log_durable();
	memcpy(flushed->lsns, workload.lsns, sizeof(workload.lsns));
	run.is_flushing = true;
	error = vms_pool_flush(run.pool, VMS_POOL_ALL, NULL, NULL);
	run.is_flushing = false;
	if (workload.lie == LIE_SETTLED && !error)
		run.pool->area.settled = run.pool->area.sequence;
	if (error)
		open_again();
	else
		recorder_note_acknowledged(++workload.flush_count);
}

/* Seldom, where that is to commit: so that pages which are not are more than the RAM. */
static void make_durable_at_times(void)
{
	if (!workload.is_no_steal || random_percent(&workload.random, 10))
		make_log_durable();
}

static void step(void)
{
	static void (*const steps[])(void) = {
		change_somehow, change_somehow, change_somehow, change_somehow,
		change_somehow, change_somehow, look, look, look,
		make_durable_at_times,
	};

	if (random_percent(&workload.random, workload.is_no_steal ? 1 : 4))
		flush();
	else if (random_percent(&workload.random, 1))
		open_again();
	else
		steps[random_below(&workload.random, sizeof(steps) / sizeof(*steps))]();
}

void workload_run(void)
{
	memset(workload.lsns, 0, sizeof(workload.lsns));
	workload.written = workload.end = workload.flush_count = 0;
	run.home = open(workload.home_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	workload_must(run.home >= 0 && ftruncate(run.home, PAGES * (off_t)PAGE) == 0, "setup");
	recorder_begin(run.home, workload.home_path, workload.log_path,
		       workload.is_whole ? LOG_FILE : -1,
		       workload.is_whole ? AREA_FILE + 1 : LOG_FILE,
		       random_next(&workload.random));
	if (workload.is_whole)
		recorder_follow(workload.area_path, AREA_FILE);
	if (workload.lie == LIE_SYNC)
		begin_to_lie();
	else if (workload.is_whole)
		begin_to_change_beside();
	if (workload.is_plain)
		begin_without_threads();
	vmsi_uring.open = no_ring;
	run.log = (int)vmsi_host.open_file(workload.log_path, O_RDWR | O_CREAT | O_TRUNC,
					   0600);
	workload_must(run.log >= 0, "open the log");
	run.is_running = true;
	open_pool();
	recorder_fail((struct failures){ .sync = 3, .write = 3 });
	for (int i = 0; i < STEPS; i++)
		step();
	recorder_fail((struct failures){ 0 });
	note_evictions();
	workload_must(vms_pool_close(run.pool) == 0, "close");
	run.is_running = false;
	(void)vmsi_host.close(run.log);
	(void)close(run.home);
}

