/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmspace.h>

#include "bench.h"
#include "rss.h"
#include "textbook.h"

/*
 * Random pages of a file of several times the RAM: a bare pread into one buffer, the pool
 * of textbooks, and the library's in frames and at addresses; one by one and, where the
 * name says so, 64 together by vms_pool_fix_many.
 *
 *	bench-pool-misses --file PATH [--mib NUMBER] [--part NUMBER] [--threads NUMBER]
 *	                  [--operations NUMBER] [--repeats NUMBER] [--direct 1]
 *	                  [--kinds NUMBER]
 *
 * The file is made if it is not there. The RAM is its size divided by part, 4. What is
 * told of kinds (a bit each, of all by default) is a page's time by the clock, the
 * processor's time of all threads, and the most resident memory (rss.h); where that is
 * too much the status is 1.
 */

#define PAGE ((size_t)4096)
#define KINDS 7
#define SAMPLES 51
#define THREADS_MOST 16
#define TOGETHER 64

enum kind { PREAD, TEXTBOOK, FRAMES, ADDRESSED, FRAMES_ONCE, FRAMES_64, ADDRESSED_64 };

static const char *const names[KINDS] = {
	"pread", "textbook pool", "frames", "addressed", "frames, optimistic",
	"frames, 64 together", "addressed, 64 together",
};

static struct {
	const char *path;
	uint64_t pages, operations, threads, repeats;
	size_t ram;
	int fd;
	bool is_direct;
} bench;

static vms_pool *pool;
static struct textbook *textbook;

/* --- what is measured ------------------------------------------------------------------------ */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t load(const void *address)
{
	uint64_t word;

	memcpy(&word, address, sizeof(word));
	return word;
}

static uint64_t one(enum kind kind, uint64_t page, char *buffer)
{
	uint64_t word = 0, ticket = 0;
	const void *address;

	switch (kind) {
	case PREAD:
		if (pread(bench.fd, buffer, PAGE, (off_t)(page * PAGE)) != PAGE)
			fail("pread");
		return load(buffer);
	case TEXTBOOK:
		word = load(textbook_fix(textbook, page));
		textbook_unfix(textbook, page);
		return word;
	case FRAMES_ONCE:
		do {
			address = vms_pool_begin(pool, page, &ticket);
			if (!address)
				fail("vms_pool_begin");
			word = load(address);
		} while (!vms_pool_validate(pool, page, ticket));
		return word;
	default:
		address = vms_pool_fix(pool, page, VMS_POOL_READ);
		if (!address)
			fail("vms_pool_fix");
		word = load(address);
		(void)vms_pool_unfix(pool, page);
		return word;
	}
}

static uint64_t many(uint64_t *random)
{
	uint64_t pages[TOGETHER], sum = 0;
	void *addresses[TOGETHER];

	do
		for (size_t i = 0; i < TOGETHER; i++)
			pages[i] = bench_random(random) % bench.pages;
	while (vms_pool_fix_many(pool, pages, addresses, TOGETHER, VMS_POOL_READ) != 0);
	for (size_t i = 0; i < TOGETHER; i++)
		sum += load(addresses[i]);
	(void)vms_pool_unfix_many(pool, pages, TOGETHER);
	return sum;
}

struct work {
	enum kind kind;
	uint64_t random;
};

static void *work(void *argument)
{
	struct work *mine = argument;
	char *buffer = aligned_alloc(PAGE, PAGE);
	const bool together = mine->kind >= FRAMES_64;
	const uint64_t count = bench.operations / bench.threads / (together ? TOGETHER : 1);

	for (uint64_t i = 0; i < count; i++)
		bench_use(together ? many(&mine->random) :
				     one(mine->kind, bench_random(&mine->random) % bench.pages,
					 buffer));
	free(buffer);
	return NULL;
}

static void open_one(enum kind kind)
{
	const bool is_addressed = kind == ADDRESSED || kind == ADDRESSED_64;
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = (is_addressed ? VMS_POOL_ADDRESSED : 0) |
			(bench.is_direct ? VMS_POOL_DIRECT : 0) | VMS_POOL_READ_ONLY,
		.page_size = PAGE,
		.ram = bench.ram,
	};

	pool = NULL;
	textbook = NULL;
	if (kind == TEXTBOOK)
		textbook = textbook_open(bench.fd, PAGE, bench.ram);
	else if (kind != PREAD)
		pool = vms_pool_open(bench.fd, &options);
	if (kind > TEXTBOOK && !pool)
		fail("vms_pool_open");
}

static void close_one(void)
{
	if (textbook)
		textbook_close(textbook);
	if (pool && vms_pool_close(pool) != 0)
		fail("vms_pool_close");
}

static double processor_time(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

static void run_threads(enum kind kind, uint64_t seed)
{
	pthread_t threads[THREADS_MOST];
	struct work works[THREADS_MOST];

	for (uint64_t i = 0; i < bench.threads; i++) {
		works[i] = (struct work){ kind, seed + i * 7919 };
		pthread_create(&threads[i], NULL, work, &works[i]);
	}
	for (uint64_t i = 0; i < bench.threads; i++)
		pthread_join(threads[i], NULL);
}

struct result {
	double clock, processor, hits;
	size_t most;           /* bytes that were resident */
};

static struct result measure(enum kind kind, uint64_t seed)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };
	struct result result = { .hits = 0 };
	struct rss rss;
	double processor;
	uint64_t start;

	rss_begin(&rss);
	open_one(kind);
	/* First fill it. */
	run_threads(kind, seed * 31 + 17);
	start = bench_now();
	processor = processor_time();
	run_threads(kind, seed);
	result.clock = (double)(bench_now() - start) / (double)bench.operations;
	result.processor = (processor_time() - processor) / (double)bench.operations;
	if (pool && vms_pool_get_stats(pool, &stats) == 0)
		result.hits = 100.0 * (1.0 - (double)stats.misses / 2 /
					       (double)bench.operations);
	close_one();
	result.most = rss_end(&rss);
	return result;
}

/* --- the file --------------------------------------------------------------------------------- */

static void make_file(uint64_t mib)
{
	static char block[1 << 20];
	struct stat status;

	bench.fd = open(bench.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (bench.fd < 0 || fstat(bench.fd, &status) != 0)
		fail(bench.path);
	memset(block, 0x5a, sizeof(block));
	for (uint64_t i = (uint64_t)status.st_size >> 20; i < mib; i++)
		if (pwrite(bench.fd, block, sizeof(block), (off_t)(i << 20)) < 0)
			fail("pwrite");
	bench.pages = (mib << 20) / PAGE;
	/* Into the page cache, where it is not passed by. */
	for (uint64_t i = 0; !bench.is_direct && i < mib; i++)
		if (pread(bench.fd, block, sizeof(block), (off_t)(i << 20)) < 0)
			fail("pread");
	if (bench.is_direct) {
		(void)close(bench.fd);
		bench.fd = open(bench.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	}
}

static const char *path_option(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--file") == 0)
			return argv[i + 1];
	return "bench-pool.data";
}

int main(int argc, char **argv)
{
	static double clocks[KINDS][SAMPLES], processors[KINDS][SAMPLES];
	double hits[KINDS] = { 0 };
	size_t most[KINDS] = { 0 };
	const uint64_t mib = bench_option(argc, argv, "mib", 512);
	const uint64_t part = bench_option(argc, argv, "part", 4);
	const uint64_t kinds = bench_option(argc, argv, "kinds", UINT64_MAX);
	uint64_t random = 1;
	int status = 0;

	bench.path = path_option(argc, argv);
	bench.operations = bench_option(argc, argv, "operations", 400000);
	bench.threads = bench_option(argc, argv, "threads", 1);
	bench.repeats = bench_option(argc, argv, "repeats", 5);
	bench.is_direct = bench_option(argc, argv, "direct", 0) != 0;
	bench.ram = (size_t)(mib << 20) / part;
	if (bench.repeats > SAMPLES || bench.threads > THREADS_MOST || !bench.threads)
		return 2;
	bench_print_header(argc, argv);
	make_file(mib);
	for (uint64_t i = 0; i < bench.repeats; i++) {
		size_t order[KINDS];

		bench_order(order, KINDS, &random);
		for (size_t k = 0; k < KINDS; k++) {
			struct result result;
			const size_t kind = order[k];

			if (!(kinds >> kind & 1))
				continue;
			result = measure((enum kind)kind, bench_random(&random));
			clocks[kind][i] = result.clock;
			processors[kind][i] = result.processor;
			hits[kind] = result.hits;
			if (result.most > most[kind])
				most[kind] = result.most;
		}
	}
	for (size_t k = 0; k < KINDS; k++) {
		if (!(kinds >> k & 1))
			continue;
		bench_print_summary(names[k], "ns",
				    bench_summarise(clocks[k], bench.repeats));
		bench_print_summary("  processor", "ns",
				    bench_summarise(processors[k], bench.repeats));
		printf("  hits %.1f %%\n", hits[k]);
		status |= rss_print("  memory", most[k], bench.ram);
	}
	return status;
}
