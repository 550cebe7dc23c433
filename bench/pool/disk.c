/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmspace/pool.h>
#include <vmspace/pool_stats.h>

#include "bench.h"
#include "rss.h"
#include "scratch.h"

/*
 * Random pages of 4 KiB from the disk, past the page cache: what fio(1) gets of them with
 * io_uring, if it is installed, and what a pool does that reads no more than so many at a
 * time; one by one, by vms_pool_fix_many, and by vms_pool_prefetch of the next pages
 * before those are used that came.
 *
 *	bench-pool-disk [--file PATH] [--mib N] [--part N] [--depth N] [--rounds N]
 *	                [--milliseconds N]
 *
 * The file is made if it is not there, and stays; without a path it is made in a directory
 * of the run (scratch.h). The RAM is its size divided by part, 32, so that few pages are
 * there already; only those that were read count. The contenders take turns, so long each.
 */

#define PAGE ((size_t)4096)
#define ROUNDS_MOST 51
#define AHEAD_MOST VMS_POOL_MANY

enum kind { FIO_DEEP, MANY, MANY_MOST, AHEAD, FIO_ONE, PREAD, FIX, KINDS };

static struct {
	const char *path;
	uint64_t pages, depth, rounds, milliseconds, random;
	size_t ram;
	int fd;
} bench;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t choose(void)
{
	return bench_random(&bench.random) % bench.pages;
}

static bool is_over(uint64_t start)
{
	return bench_now() - start > bench.milliseconds * 1000000;
}

/* --- fio ---------------------------------------------------------------------------------- */

/* Reads a second, the eighth of the fields of a line; 0: there is no fio, or it fails. */
static double run_fio(uint64_t depth)
{
	char command[1024], line[4096] = "", *field = line;
	FILE *pipe;

	(void)snprintf(command, sizeof(command),
		       "fio --name=disk --filename='%s' --readonly --rw=randread --bs=4k "
		       "--direct=1 --ioengine=io_uring --iodepth=%llu --time_based "
		       "--runtime=%llums --size=%llu --norandommap --randrepeat=0 "
		       "--output-format=terse --terse-version=3 2>/dev/null",
		       bench.path, (unsigned long long)depth,
		       (unsigned long long)bench.milliseconds,
		       (unsigned long long)(bench.pages * PAGE));
	/* The path is the command's own argument, and the shell is who may quote it. */
	pipe = popen(command, "re"); /* NOLINT(cert-env33-c) */
	if (!pipe)
		fail("popen");
	while (fgets(line, sizeof(line), pipe) && strncmp(line, "3;", 2) != 0)
		line[0] = 0;
	(void)pclose(pipe);
	for (unsigned i = 1; i < 8 && field; i++) {
		field = strchr(field, ';');
		field = field ? field + 1 : NULL;
	}
	return field ? strtod(field, NULL) : 0;
}

/* --- the others ---------------------------------------------------------------------------- */

static double run_pread(void)
{
	char *buffer = aligned_alloc(PAGE, PAGE);
	const uint64_t start = bench_now();
	uint64_t count = 0;

	for (; !is_over(start); count++)
		if (pread(bench.fd, buffer, PAGE, (off_t)(choose() * PAGE)) != (ssize_t)PAGE)
			fail("pread");
	free(buffer);
	return (double)count * 1e9 / (double)(bench_now() - start);
}

static void fix_one(vms_pool *pool)
{
	const uint64_t page = choose();

	if (!vms_pool_fix(pool, page, VMS_POOL_READ))
		fail("vms_pool_fix");
	(void)vms_pool_unfix(pool, page);
}

/* Pages that are all different: each comes from a part of the file of its own. */
static void choose_many(uint64_t *pages, size_t count)
{
	const uint64_t part = bench.pages / count;

	for (size_t i = 0; i < count; i++)
		pages[i] = i * part + bench_random(&bench.random) % part;
}

static void use_many(vms_pool *pool, const uint64_t *pages, size_t count)
{
	void *addresses[AHEAD_MOST];

	if (vms_pool_fix_many(pool, pages, addresses, count, VMS_POOL_READ) != 0)
		fail("vms_pool_fix_many");
	(void)vms_pool_unfix_many(pool, pages, count);
}

/* While half of them are used the other half is in flight. */
static void use_ahead(vms_pool *pool, uint64_t (*pages)[AHEAD_MOST], size_t half,
		      unsigned *turn)
{
	choose_many(pages[!*turn], half);
	if (vms_pool_prefetch(pool, pages[!*turn], half) < 0)
		fail("vms_pool_prefetch");
	use_many(pool, pages[*turn], half);
	*turn = !*turn;
}

static vms_pool *open_pool(void)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_DIRECT | VMS_POOL_READ_ONLY,
		.ram = bench.ram,
		.depth = (unsigned)bench.depth,
	};
	vms_pool *pool = vms_pool_open(bench.fd, &options);

	if (!pool)
		fail("vms_pool_open");
	return pool;
}

static uint64_t reads_of(vms_pool *pool)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };

	if (vms_pool_get_stats(pool, &stats) != 0)
		fail("vms_pool_get_stats");
	return stats.reads;
}

static double run_pool(enum kind kind)
{
	static uint64_t pages[2][AHEAD_MOST];
	vms_pool *pool = open_pool();
	const uint64_t start = bench_now();
	unsigned turn = 0;
	double result;

	choose_many(pages[0], bench.depth / 2);
	while (!is_over(start))
		if (kind == FIX) {
			fix_one(pool);
		} else if (kind == AHEAD) {
			use_ahead(pool, pages, bench.depth / 2, &turn);
		} else {
			const size_t count = kind == MANY ? bench.depth : VMS_POOL_MANY;

			choose_many(pages[0], count);
			use_many(pool, pages[0], count);
		}
	result = (double)reads_of(pool) * 1e9 / (double)(bench_now() - start);
	if (vms_pool_close(pool) != 0)
		fail("vms_pool_close");
	return result;
}

static double run(enum kind kind)
{
	switch (kind) {
	case FIO_DEEP:
		return run_fio(bench.depth);
	case FIO_ONE:
		return run_fio(1);
	case PREAD:
		return run_pread();
	default:
		return run_pool(kind);
	}
}

/* --- the file ------------------------------------------------------------------------------- */

static const char *make_path(void)
{
	static char path[4096];

	(void)snprintf(path, sizeof(path), "%s/disk", scratch_make(NULL));
	return path;
}

/* What is read past the page cache must be on the disk, and not be a hole. */
static void make_file(uint64_t mib)
{
	static char block[1 << 20];
	struct stat status;

	bench.fd = open(bench.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (bench.fd < 0 || fstat(bench.fd, &status) != 0)
		fail(bench.path);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)bench_random(&bench.random);
	for (uint64_t i = (uint64_t)status.st_size >> 20; i < mib; i++)
		if (pwrite(bench.fd, block, sizeof(block), (off_t)(i << 20)) < 0)
			fail("pwrite");
	if (fsync(bench.fd) != 0)
		fail("fsync");
	(void)close(bench.fd);
	bench.fd = open(bench.path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (bench.fd < 0)
		fail(bench.path);
}

/* --- the run ---------------------------------------------------------------------------------- */

static double samples[KINDS][ROUNDS_MOST];

/* Round by round, since the disk is not the same all the time. */
static void print_ratio(const char *label, enum kind kind, enum kind other)
{
	double ratios[ROUNDS_MOST];

	for (uint64_t i = 0; i < bench.rounds; i++) {
		if (samples[other][i] <= 0)
			return;
		ratios[i] = samples[kind][i] / samples[other][i];
	}
	printf("  %-42s %12.3f\n", label,
	       bench_summarise(ratios, bench.rounds).median);
}

static void print_all(void)
{
	static const char *const names[KINDS] = {
		"fio", "vms_pool_fix_many, as many", "vms_pool_fix_many, 256",
		"vms_pool_prefetch, half ahead", "fio, one", "pread, one", "vms_pool_fix, one",
	};

	print_ratio("vms_pool_fix_many, as many, of fio", MANY, FIO_DEEP);
	print_ratio("vms_pool_fix_many, 256, of fio", MANY_MOST, FIO_DEEP);
	print_ratio("vms_pool_prefetch of fio", AHEAD, FIO_DEEP);
	print_ratio("vms_pool_fix of pread", FIX, PREAD);
	for (size_t i = 0; i < KINDS; i++)
		if (samples[i][0] > 0)
			bench_print_summary(names[i], "reads/s",
					    bench_summarise(samples[i], bench.rounds));
		else
			printf("%s: there is none with io_uring\n", names[i]);
}

int main(int argc, char **argv)
{
	const uint64_t mib = bench_option(argc, argv, "mib", 1024);
	size_t order[KINDS];
	struct rss rss;
	uint64_t part;

	bench.random = 1;
	bench.depth = bench_option(argc, argv, "depth", 64);
	bench.rounds = bench_option(argc, argv, "rounds", 5);
	bench.milliseconds = bench_option(argc, argv, "milliseconds", 1000);
	bench.path = bench_text(argc, argv, "file", NULL);
	part = bench_option(argc, argv, "part", 32);
	bench_print_header(argc, argv);
	bench.pages = (mib << 20) / PAGE;
	if (!bench.rounds || bench.rounds > ROUNDS_MOST || bench.depth < 2 ||
	    bench.depth > AHEAD_MOST || bench.pages < VMS_POOL_MANY || !part)
		bench_refuse(argv[0], "an option is out of its range");
	bench.ram = (size_t)(mib << 20) / part;
	if (!bench.path)
		bench.path = make_path();
	make_file(mib);
	printf("# %llu in flight at the most\n", (unsigned long long)bench.depth);
	rss_begin(&rss);
	for (uint64_t i = 0; i < bench.rounds; i++) {
		bench_order(order, KINDS, &bench.random);
		for (size_t k = 0; k < KINDS; k++)
			samples[order[k]][i] = run((enum kind)order[k]);
	}
	print_all();
	return rss_print("peak resident memory", rss_end(&rss), bench.ram);
}
