/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmspace.h>

#include "bench.h"
#include "group.h"
#include "rss.h"
#include "scratch.h"

/*
 * A file of several times the RAM by plain pointers: a pool that is VMS_POOL_TRANSPARENT,
 * one that is served besides, and mmap(2) in a memory control group of the RAM, where the
 * machine lets it. Random pages, and all pages in order; loads, and stores to every page.
 *
 *	bench-pool-transparent [--mib NUMBER] [--part NUMBER] [--operations NUMBER]
 *	                       [--repeats NUMBER]
 *
 * The RAM is the file's size, 512 MiB, divided by part, 4. What is told is the time of an
 * access and, of random ones, percentiles of those that were slow: faults, of whatever
 * kind. The most resident memory of the pools is told, too, and if it is too much the
 * status is 1.
 */

#define PAGE ((size_t)4096)
#define SAMPLES 51

enum kind { POOL, SERVED, MAPPED, KINDS };
enum way { RANDOM, STORES, SCAN, WAYS };

static const char *const kinds[KINDS] = { "pool", "pool, served", "mmap in a group" };
static const char *const ways[WAYS] = { "random loads", "random stores", "scan" };

/* An access that took so many nanoseconds is taken for a fault. */
#define FAULT 700

static struct {
	char path[256];
	uint64_t pages, operations;
	size_t ram;
} bench;

struct result {
	double mean;                /* of an access */
	double half, most, worst;   /* 50 %, 99 % and 99.9 % of the faults */
	uint64_t faults;
	size_t resident;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* --- accesses -------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void tell_times(struct result *result, uint32_t *times, uint64_t count)
{
	qsort(times, count, sizeof(*times), by_size);
	result->faults = count;
	if (!count)
		return;
	result->half = times[count / 2];
	result->most = times[count * 99 / 100];
	result->worst = times[count * 999 / 1000];
}

static void touch_at_random(char *base, enum way way, uint64_t seed, struct result *result)
{
	uint32_t *times = calloc(bench.operations, sizeof(*times));
	uint64_t count = 0, sum = 0;

	if (!times)
		fail("calloc");
	for (uint64_t i = 0; i < bench.operations; i++) {
		volatile char *page = base + bench_random(&seed) % bench.pages * PAGE;
		const uint64_t start = bench_now();
		uint64_t time;

		if (way == STORES)
			*page = (char)i;
		else
			(void)*page;
		time = bench_now() - start;
		sum += time;
		if (time > FAULT)
			times[count++] = time < UINT32_MAX ? (uint32_t)time : UINT32_MAX;
	}
	result->mean = (double)sum / (double)bench.operations;
	tell_times(result, times, count);
	free(times);
}

static void scan(const char *base, struct result *result)
{
	const uint64_t start = bench_now();
	uint64_t sum = 0;

	for (uint64_t page = 0; page < bench.pages; page++)
		for (size_t i = 0; i < PAGE; i += 64)
			sum += (unsigned char)base[page * PAGE + i];
	bench_use(sum);
	result->mean = (double)(bench_now() - start) / (double)bench.pages;
}

/* --- a round, in a process of its own ------------------------------------------------------ */

static vms_pool *open_pool(int fd, enum kind kind)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_TRANSPARENT | (kind == SERVED ? VMS_POOL_SERVED : 0),
		.page_size = PAGE,
		.ram = bench.ram,
	};
	vms_pool *pool = vms_pool_open(fd, &options);

	if (!pool)
		fail("vms_pool_open");
	return pool;
}

static void measure(enum kind kind, enum way way, uint64_t seed, struct result *result)
{
	const int fd = open(bench.path, O_RDWR | O_CLOEXEC);
	vms_pool *pool = NULL;
	struct rss rss;
	char *base;

	if (fd < 0)
		fail(bench.path);
	rss_begin(&rss);
	if (kind == MAPPED)
		base = mmap(NULL, bench.pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    0);
	else
		base = vms_pool_base(pool = open_pool(fd, kind));
	if (base == MAP_FAILED)
		fail("mmap");
	/* First fill it. */
	scan(base, result);
	if (way != SCAN)
		touch_at_random(base, way, seed, result);
	else
		scan(base, result);
	if (pool && vms_pool_close(pool) != 0)
		fail("vms_pool_close");
	result->resident = rss_end(&rss);
}

/* The pages of a mapping are the group's only if it is the mapping that brings them in. */
static void prepare(enum kind kind)
{
	static char block[1 << 20];
	const int fd = open(bench.path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (kind == MAPPED && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0))
		fail(bench.path);
	while (kind != MAPPED && read(fd, block, sizeof(block)) > 0)
		;
	(void)close(fd);
}

/* false: the machine has no groups. */
static bool measure_apart(enum kind kind, enum way way, uint64_t seed, struct result *result)
{
	const pid_t parent = getpid();
	ssize_t got;
	int ends[2];
	pid_t child;

	prepare(kind);
	if (pipe(ends) != 0)
		fail("pipe");
	child = fork();
	if (child == 0) {
		struct result mine = { .mean = 0 };

		scratch_end_with_parent(parent);
		if (kind == MAPPED && !group_enter(bench.ram))
			_exit(0);
		measure(kind, way, seed, &mine);
		if (write(ends[1], &mine, sizeof(mine)) != sizeof(mine))
			fail("write");
		_exit(0);
	}
	(void)close(ends[1]);
	got = read(ends[0], result, sizeof(*result));
	(void)close(ends[0]);
	(void)waitpid(child, NULL, 0);
	group_remove(child);
	if (got != sizeof(*result) && kind != MAPPED)
		exit(1);
	return got == sizeof(*result);
}

/* --- the run ------------------------------------------------------------------------------- */

static void make_file(uint64_t mib)
{
	static char block[1 << 20];
	int fd;

	(void)snprintf(bench.path, sizeof(bench.path), "%s/pages", scratch_make(NULL));
	fd = open(bench.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	memset(block, 0x5a, sizeof(block));
	for (uint64_t i = 0; fd >= 0 && i < mib; i++)
		if (pwrite(fd, block, sizeof(block), (off_t)(i << 20)) != sizeof(block))
			fail("pwrite");
	/* What is not on the disk yet would stay in the page cache. */
	if (fd < 0 || fsync(fd) != 0)
		fail(bench.path);
	(void)close(fd);
}

struct samples {
	double mean[SAMPLES], half[SAMPLES], most[SAMPLES], worst[SAMPLES];
	size_t resident;
	bool is_here;
};

static void note(struct samples *samples, size_t place, const struct result *result)
{
	samples->mean[place] = result->mean;
	samples->half[place] = result->half;
	samples->most[place] = result->most;
	samples->worst[place] = result->worst;
	if (result->resident > samples->resident)
		samples->resident = result->resident;
}

static void print(const char *kind, enum way way, const char *what, double *values,
		  size_t count)
{
	char label[96];

	(void)snprintf(label, sizeof(label), "%s, %s%s", kind, ways[way], what);
	bench_print_summary(label, "ns", bench_summarise(values, count));
}

static int tell(enum way way, struct samples *all, size_t count)
{
	int status = 0;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct samples *samples = &all[kind];

		if (!samples->is_here) {
			printf("# %s: no control group here\n", kinds[kind]);
			continue;
		}
		print(kinds[kind], way, "", samples->mean, count);
		if (way != SCAN) {
			print(kinds[kind], way, ", 50 % of faults", samples->half, count);
			print(kinds[kind], way, ", 99 % of faults", samples->most, count);
			print(kinds[kind], way, ", 99.9 %", samples->worst, count);
		}
		if (kind != MAPPED)
			status |= rss_print(kinds[kind], samples->resident, bench.ram);
	}
	return status;
}

int main(int argc, char **argv)
{
	const uint64_t mib = bench_option(argc, argv, "mib", 512);
	const uint64_t repeats = bench_option(argc, argv, "repeats", 5);
	static struct samples samples[KINDS];
	int status = 0;

	bench.pages = (mib << 20) / PAGE;
	bench.ram = (mib << 20) / bench_option(argc, argv, "part", 4);
	bench.operations = bench_option(argc, argv, "operations", 50000);
	bench_print_header(argc, argv);
	make_file(mib);
	for (unsigned way = 0; way < WAYS; way++) {
		memset(samples, 0, sizeof(samples));
		for (uint64_t i = 0; i < repeats && i < SAMPLES; i++)
			for (unsigned kind = 0; kind < KINDS; kind++) {
				struct result result = { .mean = 0 };

				samples[kind].is_here = measure_apart(kind, way, i + 1,
								      &result);
				note(&samples[kind], i, &result);
			}
		status |= tell(way, samples, repeats < SAMPLES ? repeats : SAMPLES);
	}
	return status;
}
