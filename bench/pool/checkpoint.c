/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/pool.h>

#include "bench.h"
#include "scratch.h"

/*
 * A checkpoint: all pages of a pool, or each second one, were changed in a random order;
 * vms_pool_flush writes them and makes them durable. Beside it the same bytes are written
 * from memory to the same places, in their order, neighbours by one call of at most 1 MiB,
 * and then fdatasync(2). Each in the page cache, past it, and with the area that keeps
 * pages whole, which writes them twice. The contenders take turns.
 *
 *	bench-pool-checkpoint [--mib N] [--rounds N]
 *
 * The file is made in $VMS_BENCH_DIRECTORY, or in the working directory.
 */

#define PAGE ((size_t)4096)
#define PIECE ((size_t)1 << 20)
#define ROUNDS_MOST 51

static struct {
	char path[4200], area[4200];
	size_t pages, rounds;
	int plain, direct;     /* the file */
	char *memory;          /* of a piece, whatever is in it */
	uint64_t random;
} bench;

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "bench-pool-checkpoint: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- contenders ------------------------------------------------------------------------- */

struct contender {
	const char *name;
	unsigned flags;
	bool is_pool;
	size_t step;           /* each so manyth page */
	size_t floor;          /* what it is measured by */
};

static const struct contender contenders[] = {
	{ "pwrite, all pages", 0, false, 1, 0 },
	{ "vms_pool_flush, all pages", 0, true, 1, 0 },
	{ "the same, whole pages", VMS_POOL_WHOLE_PAGES, true, 1, 0 },
	{ "pwrite, each second page", 0, false, 2, 3 },
	{ "vms_pool_flush, each second page", 0, true, 2, 3 },
	{ "the same, whole pages", VMS_POOL_WHOLE_PAGES, true, 2, 3 },
	{ "pwrite, O_DIRECT, all pages", VMS_POOL_DIRECT, false, 1, 6 },
	{ "vms_pool_flush, O_DIRECT, all pages", VMS_POOL_DIRECT, true, 1, 6 },
	{ "the same, whole pages", VMS_POOL_DIRECT | VMS_POOL_WHOLE_PAGES, true, 1, 6 },
};

#define CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))

static uint64_t write_plainly(const struct contender *contender)
{
	const int fd = contender->flags & VMS_POOL_DIRECT ? bench.direct : bench.plain;
	const size_t length = contender->step == 1 ? PIECE : PAGE;
	const uint64_t start = bench_now();

	for (uint64_t at = 0; at < bench.pages * PAGE; at += length * contender->step)
		if (pwrite(fd, bench.memory, length, (off_t)at) != (ssize_t)length)
			fail("pwrite");
	if (fdatasync(fd) != 0)
		fail("fdatasync");
	return bench_now() - start;
}

static vms_pool *open_pool(unsigned flags)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags | VMS_POOL_NO_WRITER,
		.ram = bench.pages * (PAGE + 128) + (16u << 20),
		.area = flags & VMS_POOL_WHOLE_PAGES ? bench.area : NULL,
	};
	vms_pool *pool = vms_pool_open(bench.plain, &options);

	if (!pool)
		fail("vms_pool_open");
	return pool;
}

/* In an order in which each page is met once. */
static void change_pages(vms_pool *pool, size_t step)
{
	const size_t count = bench.pages / step;
	size_t stride = 1861 * 2 + 1, page = bench_random(&bench.random) % count;

	for (size_t i = 0; i < count; i++) {
		char *bytes = vms_pool_fix(pool, page * step, VMS_POOL_WRITE);

		if (!bytes)
			fail("vms_pool_fix");
		memset(bytes, (int)bench.random, PAGE);
		(void)vms_pool_unfix(pool, page * step);
		page = (page + stride) % count;
	}
}

static uint64_t flush(const struct contender *contender)
{
	vms_pool *pool = open_pool(contender->flags);
	uint64_t start;

	change_pages(pool, contender->step);
	start = bench_now();
	if (vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL) != 0)
		fail("vms_pool_flush");
	start = bench_now() - start;
	if (vms_pool_close(pool) != 0)
		fail("vms_pool_close");
	return start;
}

/* --- the run -------------------------------------------------------------------------------- */

static void make_file(void)
{
	const char *directory = scratch_make(NULL);

	snprintf(bench.path, sizeof(bench.path), "%s/file", directory);
	snprintf(bench.area, sizeof(bench.area), "%s/area", directory);
	bench.plain = open(bench.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bench.direct = open(bench.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	bench.memory = aligned_alloc(PAGE, PIECE);
	if (bench.plain < 0 || bench.direct < 0 || !bench.memory)
		fail(bench.path);
	memset(bench.memory, 7, PIECE);
	/* Nobody shall write where there was nothing before. */
	(void)write_plainly(&contenders[0]);
}

static void print(double *samples)
{
	double medians[CONTENDERS];

	for (size_t i = 0; i < CONTENDERS; i++) {
		const struct contender *contender = &contenders[i];
		const struct bench_summary summary =
			bench_summarise(samples + i * ROUNDS_MOST, bench.rounds);

		medians[i] = summary.median;
		bench_print_summary(contender->name, "MiB/s", summary);
		if (contender->is_pool)
			printf("# %.2f of plain writes of the same bytes\n",
			       medians[i] / medians[contender->floor]);
	}
}

int main(int argc, char **argv)
{
	static double samples[CONTENDERS * ROUNDS_MOST];
	const size_t mib = bench_option(argc, argv, "mib", 256);
	size_t order[CONTENDERS];

	bench.pages = mib * PIECE / PAGE;
	bench.rounds = bench_option(argc, argv, "rounds", 7);
	bench.random = 1;
	bench_print_header(argc, argv);
	if (bench.rounds < 1 || bench.rounds > ROUNDS_MOST || mib == 0)
		bench_refuse(argv[0], "mib or rounds is out of its range");
	make_file();
	for (size_t round = 0; round < bench.rounds; round++) {
		bench_order(order, CONTENDERS, &bench.random);
		for (size_t i = 0; i < CONTENDERS; i++) {
			const struct contender *contender = &contenders[order[i]];
			const uint64_t time = contender->is_pool ?
				flush(contender) : write_plainly(contender);

			samples[order[i] * ROUNDS_MOST + round] =
				(double)(bench.pages / contender->step * PAGE) /
				(double)PIECE / ((double)time / 1e9);
		}
	}
	print(samples);
	return 0;
}
