/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmspace.h>

#include "bench.h"
#include "group.h"
#include "rss.h"
#include "scratch.h"
#include "textbook.h"
#include "vmcache.h"

/*
 * Random pages of a file of several times the RAM: a bare pread into one buffer, one into
 * any page of as much memory as the RAM is, which no pool can undercut; the pool of
 * textbooks, a mapped file in a memory control group of that RAM, a pool as vmcache is
 * one, and the library's in frames and at addresses; one by one and, where the name says
 * so, 64 together by vms_pool_fix_many.
 *
 *	bench-pool-misses [--file PATH] [--mib NUMBER] [--part NUMBER] [--threads NUMBER]
 *	                  [--operations NUMBER] [--repeats NUMBER] [--direct 1]
 *	                  [--kinds NUMBER]
 *
 * The file is made if it is not there, and stays; without a path it is made in a directory
 * of the run (scratch.h). The RAM is its size divided by part, 4. direct: all read past
 * the page cache, from the disk, which the mapped file always does: what of it is in the
 * page cache already would be in no group. What is told of kinds (a bit each, of all by
 * default) is a page's time by the clock, the processor's time of all threads, and the
 * most resident memory (rss.h); where a vms_pool has too much the status is 1. Each round
 * is a process of its own, and the kinds take turns.
 */

#define PAGE ((size_t)4096)
#define KINDS 10
#define SAMPLES 51
#define THREADS_MOST 16
#define TOGETHER 64

enum kind {
	PREAD, PREAD_ANYWHERE, TEXTBOOK, MAPPED, VMCACHE,
	FRAMES, ADDRESSED, FRAMES_ONCE, FRAMES_64, ADDRESSED_64,
};

static const char *const names[KINDS] = {
	"pread", "pread, anywhere", "textbook pool", "mapped, in a group", "vmcache-like pool",
	"frames", "addressed", "frames, optimistic", "frames, 64 together",
	"addressed, 64 together",
};

static struct {
	const char *path;
	uint64_t pages, operations, threads, repeats;
	size_t ram;
	int fd, file;          /* file is never O_DIRECT */
	bool is_direct;
} bench;

static vms_pool *pool;
static struct textbook *textbook;
static struct vmcache *vmcache;
static const char *mapped;
static char *anywhere;

/* --- what is measured ------------------------------------------------------------------------ */

static void fail(const char *what)
{
	perror(what);
	_exit(1);
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
	case PREAD_ANYWHERE:
		if (pread(bench.fd, buffer, PAGE, (off_t)(page * PAGE)) != PAGE)
			fail("pread");
		return load(buffer);
	case TEXTBOOK:
		word = load(textbook_fix(textbook, page));
		textbook_unfix(textbook, page);
		return word;
	case MAPPED:
		return load(mapped + page * PAGE);
	case VMCACHE:
		do {
			address = vmcache_begin(vmcache, page, &ticket);
			word = load(address);
		} while (!vmcache_validate(vmcache, page, ticket));
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

	for (;;) {
		for (size_t i = 0; i < TOGETHER; i++)
			pages[i] = bench_random(random) % bench.pages;
		if (vms_pool_fix_many(pool, pages, addresses, TOGETHER, VMS_POOL_READ) == 0)
			break;
		/* A page was chosen twice. */
		if (errno != EINVAL)
			fail("vms_pool_fix_many");
	}
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

	for (uint64_t i = 0; i < count; i++) {
		char *place = mine->kind != PREAD_ANYWHERE ? buffer : anywhere +
			bench_random(&mine->random) % (bench.ram / PAGE) * PAGE;

		bench_use(together ? many(&mine->random) :
				     one(mine->kind, bench_random(&mine->random) % bench.pages,
					 place));
	}
	free(buffer);
	return NULL;
}

static void map_file(void)
{
	char *address = mmap(NULL, bench.pages * PAGE, PROT_READ, MAP_SHARED, bench.file, 0);

	if (address == MAP_FAILED || madvise(address, bench.pages * PAGE, MADV_RANDOM) != 0)
		fail("mmap");
	mapped = address;
}

/* As the pools have it: in huge pages, where the machine has them. */
static void map_anywhere(void)
{
	anywhere = mmap(NULL, bench.ram, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	if (anywhere == MAP_FAILED)
		fail("mmap");
	(void)madvise(anywhere, bench.ram, MADV_HUGEPAGE);
	memset(anywhere, 1, bench.ram);
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

	if (kind == PREAD_ANYWHERE)
		map_anywhere();
	else if (kind == TEXTBOOK)
		textbook = textbook_open(bench.fd, PAGE, bench.ram);
	else if (kind == VMCACHE)
		vmcache = vmcache_open(bench.fd, bench.pages, bench.ram);
	else if (kind == MAPPED)
		map_file();
	else if (kind >= FRAMES)
		pool = vms_pool_open(bench.fd, &options);
	if (kind >= FRAMES && !pool)
		fail("vms_pool_open");
}

static void close_one(void)
{
	if (textbook)
		textbook_close(textbook);
	if (vmcache)
		vmcache_close(vmcache);
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

static uint64_t count_misses(void)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };

	if (!pool)
		return bench.operations;
	if (vms_pool_get_stats(pool, &stats) != 0)
		fail("vms_pool_get_stats");
	return stats.misses;
}

static struct result measure(enum kind kind, uint64_t seed)
{
	struct result result;
	struct rss rss;
	double processor;
	uint64_t start, misses;

	rss_begin(&rss);
	open_one(kind);
	/* First fill it. */
	run_threads(kind, seed * 31 + 17);
	misses = pool ? count_misses() : 0;
	start = bench_now();
	processor = processor_time();
	run_threads(kind, seed);
	result.clock = (double)(bench_now() - start) / (double)bench.operations;
	result.processor = (processor_time() - processor) / (double)bench.operations;
	result.hits = 1 - (double)(count_misses() - misses) / (double)bench.operations;
	close_one();
	result.most = rss_end(&rss);
	return result;
}

/* The pages of a mapping are the group's only if it is the mapping that brings them in. */
static void prepare(enum kind kind)
{
	static char block[1 << 20];

	if (kind == MAPPED && posix_fadvise(bench.file, 0, 0, POSIX_FADV_DONTNEED) != 0)
		fail("posix_fadvise");
	for (off_t at = 0; kind != MAPPED && !bench.is_direct; at += sizeof(block))
		if (pread(bench.file, block, sizeof(block), at) <= 0)
			break;
}

/* false: the machine has no groups for a kind that needs one. */
static bool measure_apart(enum kind kind, uint64_t seed, struct result *result)
{
	const pid_t parent = getpid();
	int ends[2];
	ssize_t got;
	pid_t child;

	prepare(kind);
	if (pipe(ends) != 0)
		fail("pipe");
	child = fork();
	if (child == 0) {
		scratch_end_with_parent(parent);
		if (kind == MAPPED && !group_enter(bench.ram))
			_exit(0);
		*result = measure(kind, seed);
		if (write(ends[1], result, sizeof(*result)) != sizeof(*result))
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
	/* What is not on the disk yet would stay in the page cache. */
	if (fsync(bench.fd) != 0)
		fail("fsync");
	bench.pages = (mib << 20) / PAGE;
	bench.file = bench.fd;
	if (bench.is_direct) {
		bench.fd = open(bench.path, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (bench.fd < 0)
			fail("O_DIRECT");
	}
}

static void choose_path(void)
{
	static char path[4200];

	(void)snprintf(path, sizeof(path), "%s/data", scratch_make(NULL));
	if (!bench.path)
		bench.path = path;
}

/* --- all of them -------------------------------------------------------------------------------- */

static struct {
	double clocks[SAMPLES], processors[SAMPLES], hits, median, processor;
	size_t most, count;
} results[KINDS];

static void run_all(uint64_t kinds)
{
	uint64_t random = 1;

	for (uint64_t i = 0; i < bench.repeats; i++) {
		size_t order[KINDS];

		bench_order(order, KINDS, &random);
		for (size_t k = 0; k < KINDS; k++) {
			const size_t kind = order[k], count = results[kind].count;
			struct result result;

			if (!(kinds >> kind & 1) ||
			    !measure_apart((enum kind)kind, bench_random(&random), &result))
				continue;
			results[kind].clocks[count] = result.clock;
			results[kind].processors[count] = result.processor;
			results[kind].hits = result.hits;
			results[kind].count++;
			if (result.most > results[kind].most)
				results[kind].most = result.most;
		}
	}
}

/* As if hits took nothing. */
static void print_miss(size_t kind, enum kind other)
{
	if (results[other].count)
		printf("  a miss takes %.2f times the processor's time of %s\n",
		       results[kind].processor / (1 - results[kind].hits) /
			       results[other].processor, names[other]);
}

static int print_one(size_t kind)
{
	struct bench_summary clock, processor;
	int is_more;

	if (!results[kind].count) {
		printf("%s: no memory control group is to be had\n", names[kind]);
		return 0;
	}
	clock = bench_summarise(results[kind].clocks, results[kind].count);
	processor = bench_summarise(results[kind].processors, results[kind].count);
	results[kind].median = clock.median;
	results[kind].processor = processor.median;
	bench_print_summary(names[kind], "ns", clock);
	bench_print_summary("  processor", "ns", processor);
	is_more = rss_print("  memory", results[kind].most, bench.ram);
	if (kind >= FRAMES) {
		printf("  hits %.1f %%\n", 100 * results[kind].hits);
		print_miss(kind, PREAD);
		print_miss(kind, PREAD_ANYWHERE);
	}
	return kind >= FRAMES && is_more;
}

static void print_ratios(size_t kind)
{
	printf("# %s:", names[kind]);
	for (size_t other = 0; other < FRAMES; other++)
		if (results[other].count)
			printf(" %.2f times as fast as %s%s",
			       results[other].median / results[kind].median, names[other],
			       other + 1 < FRAMES ? ";" : "");
	printf("\n");
}

int main(int argc, char **argv)
{
	const uint64_t mib = bench_option(argc, argv, "mib", 512);
	const uint64_t part = bench_option(argc, argv, "part", 4);
	const uint64_t kinds = bench_option(argc, argv, "kinds", UINT64_MAX);
	int status = 0;

	bench.operations = bench_option(argc, argv, "operations", 100000);
	bench.threads = bench_option(argc, argv, "threads", 1);
	bench.repeats = bench_option(argc, argv, "repeats", 5);
	bench.is_direct = bench_option(argc, argv, "direct", 0) != 0;
	bench.path = bench_text(argc, argv, "file", NULL);
	bench_print_header(argc, argv);
	if (bench.repeats > SAMPLES || bench.threads > THREADS_MOST || !bench.threads || !part)
		bench_refuse(argv[0], "an option is out of its range");
	bench.ram = (size_t)(mib << 20) / part;
	choose_path();
	make_file(mib);
	run_all(kinds);
	for (size_t k = 0; k < KINDS; k++)
		if (kinds >> k & 1)
			status |= print_one(k);
	for (size_t k = FRAMES; k < KINDS; k++)
		if (results[k].count)
			print_ratios(k);
	return status;
}
