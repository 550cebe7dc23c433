/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/pool.h>

#include "sustained.h"

/*
 * A pool with a log that is written ahead: each change of a page is a record with all of
 * its new contents, as large as a page, so that the log goes past the page cache. The log
 * is a file of fixed size that is gone round; before a part of it is used again, a
 * checkpoint has what it tells in place. Threads commit in groups: one writes and syncs
 * what all have added until then. Pages of one transaction are read together.
 */

#define RECORD_BYTES (PAGE_BYTES - 96)

/* A checkpoint begins when so much of the log is in use. */
#define LOG_BYTES ((uint64_t)64 << 20)
#define CHECKPOINT_BYTES (LOG_BYTES / 2)

/* What is added and not written, at most. */
#define BUFFER_BYTES ((size_t)8 << 20)

struct record {
	uint64_t sum, lsn, page, bytes;
	char contents[RECORD_BYTES];
	char rest[PAGE_BYTES - RECORD_BYTES - 4 * sizeof(uint64_t)];
};

_Static_assert(sizeof(struct record) == PAGE_BYTES, "the log is written by pages");

static struct {
	vms_pool *pool;
	int home, log;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t end, written, kept;     /* bytes from the beginning of time */
	bool is_writing, is_ending;
	char *buffer;                    /* where byte n is at n modulo its size */
	pthread_t checkpointer;
} run;

/* FNV-1a, by words, in four lanes: enough to tell a record from what is none. */
static uint64_t sum_of(const void *bytes, size_t length)
{
	uint64_t lanes[4] = { 1, 2, 3, 4 }, words[4];

	for (size_t i = 0; i + sizeof(words) <= length; i += sizeof(words)) {
		memcpy(words, (const char *)bytes + i, sizeof(words));
		for (size_t j = 0; j < 4; j++)
			lanes[j] = (lanes[j] ^ words[j]) * 0x100000001b3u;
	}
	return lanes[0] ^ lanes[1] ^ lanes[2] ^ lanes[3];
}

/* --- the log ----------------------------------------------------------------------------- */

/* Write what was added between two places; neither the buffer nor the file ends within. */
static void write_piece(uint64_t from, uint64_t to)
{
	const char *bytes = run.buffer + from % BUFFER_BYTES;

	if (pwrite(run.log, bytes, to - from, (off_t)(from % LOG_BYTES)) !=
	    (ssize_t)(to - from))
		bench_fail("write the log");
}

static uint64_t next_stop(uint64_t from, uint64_t to)
{
	const uint64_t stop = (from / BUFFER_BYTES + 1) * BUFFER_BYTES;

	return stop < to ? stop : to;
}

/* The file's size is a multiple of the buffer's. With the lock, which is let go of. */
static void write_log(void)
{
	const uint64_t from = run.written, to = run.end;

	run.is_writing = true;
	pthread_mutex_unlock(&run.lock);
	for (uint64_t at = from; at < to; at = next_stop(at, to))
		write_piece(at, next_stop(at, to));
	if (fdatasync(run.log) != 0)
		bench_fail("sync the log");
	(void)vms_pool_durable(run.pool, to);
	pthread_mutex_lock(&run.lock);
	run.written = to;
	run.is_writing = false;
	pthread_cond_broadcast(&run.changed);
}

/* With the lock. */
static void wait_until_written(uint64_t lsn)
{
	while (run.written < lsn)
		if (run.is_writing)
			pthread_cond_wait(&run.changed, &run.lock);
		else
			write_log();
}

static int make_durable(void *context, uint64_t lsn)
{
	(void)context;
	pthread_mutex_lock(&run.lock);
	wait_until_written(lsn);
	pthread_mutex_unlock(&run.lock);
	return 0;
}

/* Returns the number of the change. Nobody has a page for whom there may be no room. */
static uint64_t log_change(uint32_t page, const char *contents)
{
	struct record record = { .page = page, .bytes = RECORD_BYTES };
	uint64_t lsn;

	memcpy(record.contents, contents, RECORD_BYTES);
	record.sum = sum_of(&record.page, sizeof(record) - offsetof(struct record, page));
	pthread_mutex_lock(&run.lock);
	record.lsn = run.end;
	memcpy(run.buffer + run.end % BUFFER_BYTES, &record, sizeof(record));
	run.end += sizeof(record);
	lsn = run.end;
	pthread_mutex_unlock(&run.lock);
	return lsn;
}

/* Before pages are fixed: later there would be a wait for the checkpoint, which waits. */
static void wait_for_room(size_t bytes)
{
	pthread_mutex_lock(&run.lock);
	while (run.end + 16 * bytes - run.kept > LOG_BYTES ||
	       run.end + 16 * bytes - run.written > BUFFER_BYTES) {
		if (run.end + 16 * bytes - run.kept > LOG_BYTES)
			pthread_cond_wait(&run.changed, &run.lock);
		else
			wait_until_written(run.end);
	}
	pthread_mutex_unlock(&run.lock);
}

/* --- checkpoints ---------------------------------------------------------------------------- */

static void *make_checkpoints(void *context)
{
	pthread_mutex_lock(&run.lock);
	while (!run.is_ending) {
		const uint64_t end = run.end;

		if (end - run.kept < CHECKPOINT_BYTES) {
			pthread_cond_wait(&run.changed, &run.lock);
			continue;
		}
		pthread_mutex_unlock(&run.lock);
		if (vms_pool_flush(run.pool, end, NULL, NULL) != 0)
			bench_fail("vms_pool_flush");
		pthread_mutex_lock(&run.lock);
		run.kept = end;
		pthread_cond_broadcast(&run.changed);
	}
	pthread_mutex_unlock(&run.lock);
	return context;
}

/* --- the contender ------------------------------------------------------------------------------ */

static void write_whole_file(int fd, uint64_t bytes)
{
	static char piece[1 << 20];

	for (uint64_t at = 0; at < bytes; at += sizeof(piece))
		if (pwrite(fd, piece, sizeof(piece), (off_t)at) != (ssize_t)sizeof(piece))
			bench_fail("make a file");
	if (fsync(fd) != 0)
		bench_fail("make a file");
}

static int make_file(const char *path, uint64_t bytes)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		bench_fail(path);
	write_whole_file(fd, bytes);
	return fd;
}

/* Where the file system has no such way, the log goes through the page cache. */
static int open_directly(const char *path, int fd)
{
	const int direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (direct < 0)
		return fd;
	(void)close(fd);
	return direct;
}

static void make_with(const char *directory, size_t pages, unsigned flags)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_DIRECT | flags,
		.ram = sustained_ram,
		.make_durable = make_durable,
		.area = flags & VMS_POOL_WHOLE_PAGES ? bench_path(directory, "area") : NULL,
	};

	run.home = make_file(bench_path(directory, "pool"), pages * PAGE_BYTES);
	run.log = open_directly(bench_path(directory, "log"),
				make_file(bench_path(directory, "log"), LOG_BYTES));
	run.buffer = aligned_alloc(PAGE_BYTES, BUFFER_BYTES);
	run.end = run.written = run.kept = 0;
	run.is_ending = false;
	pthread_mutex_init(&run.lock, NULL);
	pthread_cond_init(&run.changed, NULL);
	run.pool = vms_pool_open(run.home, &options);
	if (!run.pool || !run.buffer)
		bench_fail("vms_pool_open");
	if (pthread_create(&run.checkpointer, NULL, make_checkpoints, NULL) != 0)
		bench_fail("pthread_create");
}

static void make(const char *directory, size_t pages)
{
	make_with(directory, pages, 0);
}

static void make_whole(const char *directory, size_t pages)
{
	make_with(directory, pages, VMS_POOL_WHOLE_PAGES);
}

static void *join(void)
{
	return run.pool;
}

static void leave(void *thread)
{
	(void)thread;
}

static void change(uint32_t page, const char *contents)
{
	char *bytes = vms_pool_fix(run.pool, page, VMS_POOL_WRITE);
	uint64_t lsn;

	if (!bytes)
		bench_fail("vms_pool_fix");
	lsn = log_change(page, contents);
	memcpy(bytes, contents, RECORD_BYTES);
	if (vms_pool_dirty(run.pool, page, lsn) != 0 ||
	    vms_pool_unfix(run.pool, page) != 0)
		bench_fail("vms_pool_dirty");
}

static void prefetch(const uint32_t *pages, size_t count)
{
	uint64_t numbers[PAGES_MOST];

	if (count < 2)
		return;
	for (size_t i = 0; i < count; i++)
		numbers[i] = pages[i];
	if (vms_pool_prefetch(run.pool, numbers, count) < 0)
		bench_fail("vms_pool_prefetch");
}

static void commit(void *thread, const uint32_t *pages, size_t count, uint64_t stamp)
{
	char contents[RECORD_BYTES];
	uint64_t end;

	(void)thread;
	memset(contents, (int)stamp, sizeof(contents));
	wait_for_room(count * sizeof(struct record));
	prefetch(pages, count);
	for (size_t i = 0; i < count; i++)
		change(pages[i], contents);
	pthread_mutex_lock(&run.lock);
	end = run.end;
	wait_until_written(end);
	pthread_mutex_unlock(&run.lock);
}

void sustained_finish(void)
{
	pthread_mutex_lock(&run.lock);
	run.is_ending = true;
	pthread_cond_broadcast(&run.changed);
	pthread_mutex_unlock(&run.lock);
	pthread_join(run.checkpointer, NULL);
	if (vms_pool_flush(run.pool, VMS_POOL_ALL, NULL, NULL) != 0)
		bench_fail("vms_pool_flush");
}

static void drop(const char *directory)
{
	if (vms_pool_close(run.pool) != 0)
		bench_fail("vms_pool_close");
	(void)close(run.home);
	(void)close(run.log);
	free(run.buffer);
	(void)unlink(bench_path(directory, "pool"));
	(void)unlink(bench_path(directory, "log"));
	(void)unlink(bench_path(directory, "area"));
}

const struct contender sustained_pool = {
	"vms_pool", make, join, leave, commit, drop,
};

const struct contender sustained_whole = {
	"vms_pool, whole pages", make_whole, join, leave, commit, drop,
};
