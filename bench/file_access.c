/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace.h>

#include "bench.h"

/*
 * What it costs that an access to a mapped file cannot crash the program.
 *
 *	bench-file_access [--rounds N] [--operations N] [--mib N]
 *
 * - a pair of vms_file_begin_access and vms_file_end_access, with nothing between;
 * - random reads of 4 KiB of a file in the page cache: from a plain mapping, from a
 *   mapped file without and with an access around each read, by vms_file_copy_out, and
 *   by pread. Where pages and page tables lie makes two mappings of one file differ by
 *   more than an access costs, so ratios are to the same mapping.
 *   Each copies the bytes into a buffer. The ways take turns, in an order that is
 *   another one in each round; ratios are of rounds.
 */

#define MAX_ROUNDS 1001
#define RECORD ((size_t)4096)

enum way { PLAIN, BARE, GUARDED, COPY_OUT, PREAD, WAYS };

static const char *const names[WAYS] = {
	[PLAIN] = "a plain mapping",
	[BARE] = "the mapped file, without an access",
	[GUARDED] = "begin and end around each read",
	[COPY_OUT] = "vms_file_copy_out",
	[PREAD] = "pread",
};

static vms_file *file;
static char *plain;
static const char *base;
static int fd;
static size_t records;
static char buffer[RECORD];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void read_guarded(size_t at)
{
	struct vms_file_access access;

	if (vms_file_begin_access(file, &access) != 0)
		fail("vms_file_begin_access");
	memcpy(buffer, vms_file_at(file, at, RECORD), RECORD);
	if (vms_file_end_access(&access, NULL) != 0)
		fail("vms_file_end_access");
}

static void read_record(enum way way, size_t at)
{
	switch (way) {
	case PLAIN:
		memcpy(buffer, plain + at, RECORD);
		break;
	case BARE:
		memcpy(buffer, base + at, RECORD);
		break;
	case GUARDED:
		read_guarded(at);
		break;
	case COPY_OUT:
		if (vms_file_copy_out(file, at, buffer, RECORD) != 0)
			fail("vms_file_copy_out");
		break;
	default:
		if (pread(fd, buffer, RECORD, (off_t)at) != (ssize_t)RECORD)
			fail("pread");
	}
	bench_use((uintptr_t)buffer);
}

static void read_all(enum way way, size_t operations, uint64_t seed)
{
	for (size_t i = 0; i < operations; i++)
		read_record(way, bench_random(&seed) % records * RECORD);
}

/* Nanoseconds a read. The caches have what this way needs, not what another has left. */
static double measure(enum way way, size_t operations, uint64_t seed)
{
	uint64_t start;

	read_all(way, operations, ~seed);
	start = bench_now();
	read_all(way, operations, seed);
	return (double)(bench_now() - start) / (double)operations;
}

static double measure_pairs(size_t pairs)
{
	const uint64_t start = bench_now();

	for (size_t i = 0; i < pairs; i++) {
		struct vms_file_access access;

		if (vms_file_begin_access(file, &access) != 0 ||
		    vms_file_end_access(&access, NULL) != 0)
			fail("an access");
		bench_use((uintptr_t)&access);
	}
	return (double)(bench_now() - start) / (double)pairs;
}

static void compare(size_t rounds, size_t operations)
{
	static double times[WAYS][MAX_ROUNDS], ratios[WAYS][MAX_ROUNDS];
	size_t order[WAYS];
	uint64_t random = 1;

	for (size_t round = 0; round < rounds; round++) {
		bench_order(order, WAYS, &random);
		for (size_t i = 0; i < WAYS; i++)
			times[order[i]][round] =
				measure((enum way)order[i], operations,
					bench_random(&random));
		for (enum way way = PLAIN; way < WAYS; way++)
			ratios[way][round] =
				times[way][round] / times[BARE][round];
	}
	for (enum way way = PLAIN; way < WAYS; way++) {
		struct bench_summary ratio =
			bench_summarise(ratios[way], rounds);

		bench_print_summary(names[way], "ns",
				    bench_summarise(times[way], rounds));
		printf("%-44s %12.3f    quartiles %.3f..%.3f\n",
		       "  as a ratio to the mapped file without", ratio.median,
		       ratio.lower, ratio.upper);
	}
}

/* A file that is in the page cache, and mapped both ways with its pages faulted in. */
static void open_all(size_t bytes)
{
	char path[] = "/tmp/vmspace-bench-XXXXXX";

	fd = mkstemp(path);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
		fail(path);
	file = vms_file_open(path, NULL);
	unlink(path);
	if (!file)
		fail("vms_file_open");
	base = memset(vms_file_at(file, 0, bytes), 1, bytes);
	plain = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (plain == MAP_FAILED)
		fail("mmap");
	memset(plain, 1, bytes);
	records = bytes / RECORD;
}

int main(int argc, char **argv)
{
	const size_t rounds = bench_option(argc, argv, "rounds", 401);
	const size_t operations =
		bench_option(argc, argv, "operations", 5000);
	const size_t mebibytes = bench_option(argc, argv, "mib", 256);
	static double pairs[MAX_ROUNDS];

	if (rounds == 0 || rounds > MAX_ROUNDS || !operations || !mebibytes) {
		fprintf(stderr, "bench-file_access: 1 to %d rounds\n",
			MAX_ROUNDS);
		return 2;
	}
	bench_print_header(argc, argv);
	open_all(mebibytes << 20);
	for (size_t round = 0; round < rounds; round++)
		pairs[round] = measure_pairs(operations * 20);
	bench_print_summary("a pair of begin and end", "ns",
			    bench_summarise(pairs, rounds));
	compare(rounds, operations);
	return vms_file_close(file) == 0 ? 0 : 1;
}
