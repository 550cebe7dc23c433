/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace/file.h>

#include "bench.h"

/*
 * Slides of a window, and windows closed and opened, while so many are open; the floor
 * is mmap(2) with MAP_FIXED over as many mappings. Each window is slid to a random
 * offset.
 *
 *	bench-file-windows [--slides N] [--rounds N]
 */

#define WINDOW ((size_t)64 << 10)
#define FILE_BYTES ((uint64_t)1 << 40)
#define MOST_WINDOWS 10000
#define MOST_ROUNDS 101

static vms_file *file;
static vms_window *windows[MOST_WINDOWS];
static char *floor_base;
static int floor_fd;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t random_offset(uint64_t *random)
{
	return bench_random(random) % (FILE_BYTES / WINDOW) * WINDOW;
}

static size_t host_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t lines = 0;

	if (!maps)
		fail("/proc/self/maps");
	for (int c; (c = getc(maps)) != EOF;)
		lines += c == '\n';
	fclose(maps);
	return lines;
}

/* --- the ways: nanoseconds each ------------------------------------------------------ */

static double slide(size_t count, size_t slides, uint64_t random)
{
	const uint64_t start = bench_now();

	for (size_t i = 0; i < slides; i++)
		if (vms_window_slide(windows[bench_random(&random) % count],
				     random_offset(&random)) != 0)
			fail("vms_window_slide");
	return (double)(bench_now() - start) / (double)slides;
}

static double reopen(size_t count, size_t slides, uint64_t random)
{
	const uint64_t start = bench_now();

	for (size_t i = 0; i < slides; i++) {
		vms_window **window = &windows[bench_random(&random) % count];

		if (vms_window_close(*window) != 0)
			fail("vms_window_close");
		*window = vms_file_open_window(file, random_offset(&random), WINDOW);
		if (!*window)
			fail("vms_file_open_window");
	}
	return (double)(bench_now() - start) / (double)slides;
}

static void floor_map(size_t window, uint64_t offset)
{
	if (mmap(floor_base + window * 2 * WINDOW, WINDOW, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, floor_fd, (off_t)offset) == MAP_FAILED)
		fail("mmap");
}

static double remap(size_t count, size_t slides, uint64_t random)
{
	const uint64_t start = bench_now();

	for (size_t i = 0; i < slides; i++)
		floor_map(bench_random(&random) % count, random_offset(&random));
	return (double)(bench_now() - start) / (double)slides;
}

/* --- the comparison -------------------------------------------------------------------- */

static const struct {
	const char *name;
	double (*measure)(size_t count, size_t slides, uint64_t random);
} ways[] = {
	{ "mmap over a mapping", remap },
	{ "vms_window_slide", slide },
	{ "close and open a window", reopen },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void compare(size_t count, size_t rounds, size_t slides)
{
	static double samples[WAYS][MOST_ROUNDS];
	uint64_t random = count;
	size_t order[WAYS];

	for (size_t round = 0; round < rounds; round++) {
		bench_order(order, WAYS, &random);
		for (size_t i = 0; i < WAYS; i++)
			samples[order[i]][round] = ways[order[i]].measure(
				count, slides, bench_random(&random));
	}
	for (size_t i = 0; i < WAYS; i++) {
		char label[80];

		snprintf(label, sizeof(label), "%zu open, %s", count, ways[i].name);
		bench_print_summary(label, "ns",
				    bench_summarise(samples[i], rounds));
	}
}

static void open_all(const char *path)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_CREATE | VMS_FILE_SPARSE,
		.maximum = FILE_BYTES,
		.window_addresses = MOST_WINDOWS * 4 * WINDOW,
	};

	file = vms_file_open(path, &options);
	if (!file || vms_file_resize(file, FILE_BYTES) != 0)
		fail(path);
	floor_fd = open(path, O_RDWR | O_CLOEXEC);
	floor_base = mmap(NULL, MOST_WINDOWS * 2 * WINDOW, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (floor_fd < 0 || floor_base == MAP_FAILED)
		fail("the floor");
	unlink(path);
}

int main(int argc, char **argv)
{
	const size_t slides = bench_option(argc, argv, "slides", 10000);
	const size_t rounds = bench_option(argc, argv, "rounds", 11);
	const char *directory = getenv("VMS_BENCH_DIRECTORY");
	const size_t before = host_mappings();
	uint64_t random = 1;
	size_t open_now = 0;
	char path[512];

	if (rounds == 0 || rounds > MOST_ROUNDS || slides == 0)
		bench_refuse(argv[0], "an option is out of its range");
	snprintf(path, sizeof(path), "%s/vmspace-bench-windows-%d",
		 directory ? directory : "/tmp", getpid());
	bench_print_header(argc, argv);
	open_all(path);
	for (size_t count = 10; count <= MOST_WINDOWS; count *= 10) {
		for (; open_now < count; open_now++) {
			windows[open_now] = vms_file_open_window(
				file, random_offset(&random), WINDOW);
			if (!windows[open_now])
				fail("vms_file_open_window");
			floor_map(open_now, random_offset(&random));
		}
		compare(count, rounds, slides);
		/* The floor has one for each, and one between it and the next. */
		printf("# %zu open: %zu mappings of the host\n", count,
		       host_mappings() - before - 2 * count);
	}
	for (size_t i = 0; i < open_now; i++)
		vms_window_close(windows[i]);
	return vms_file_close(file) == 0 ? 0 : 1;
}
