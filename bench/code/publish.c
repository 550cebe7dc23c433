/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vmspace.h>

#include "bench.h"

/*
 * What it costs to make functions executable, one after the other.
 *
 *	bench-code-publish [--rounds N] [--functions N] [--size BYTES] [--run 0|1]
 *
 * Functions of a JIT compiler: each is allocated, its bytes are copied to it, and it is
 * published; with --run 1 it is called once, too. From nothing and to nothing: opening
 * and closing a pool, or mapping and unmapping, are part of it. The ways take turns, in
 * an order that is another one in each round; ratios are of rounds. Faults are counted,
 * too, which other programs do not disturb.
 *
 * - a pool of code in each of its modes;
 * - mprotect: one mapping, whose pages are made writable for each function and
 *   executable after it, as programs do it by hand;
 * - a loop over a memfd that is mapped twice and thrown away: no blocks are freed, none
 *   is looked for, and the writable mapping stays until the end. The floor.
 *
 * Then what alloc, publish and free of a block take in a pool that has room, and with
 * a second thread that runs, which publishing in a place where code was freed makes drop
 * what it has fetched ahead.
 */

#define MAX_ROUNDS 1001

enum way { VIEWS, COPIES, FLIPS, MPROTECT, LOOP, WAYS };

static const char *const names[WAYS] = {
	[VIEWS] = "vms_code, two views",
	[COPIES] = "vms_code, copies",
	[FLIPS] = "vms_code, flips",
	[MPROTECT] = "mprotect around each function",
	[LOOP] = "a loop over two mappings",
};

static size_t functions, size;
static bool is_run;
static unsigned char *function;
static struct vms_code_block *blocks;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* A function that returns at once, and what stands for the rest of its body. */
static void make_function(void)
{
#if defined(__x86_64__)
	static const unsigned char code[] = { 0xc3 };
#else
	static const unsigned char code[] = { 0xc0, 0x03, 0x5f, 0xd6 };
#endif

	function = calloc(1, size + sizeof(code));
	blocks = calloc(functions, sizeof(*blocks));
	if (!function || !blocks)
		fail("malloc");
	memset(function, 0x90, size);
	memcpy(function, code, sizeof(code));
}

static void call(void *run)
{
	void (*called)(void);

	if (!is_run)
		return;
	memcpy(&called, &run, sizeof(called));
	called();
}

static void in_pool(enum vms_code_mode mode)
{
	const struct vms_code_options options = {
		.struct_size = sizeof(options),
		.mode = mode,
	};
	vms_code *code = vms_code_open(&options);

	if (!code)
		fail("vms_code_open");
	for (size_t i = 0; i < functions; i++) {
		if (vms_code_alloc(code, size, &blocks[i]) != 0)
			fail("vms_code_alloc");
		memcpy(blocks[i].write, function, size);
		if (vms_code_publish(code, &blocks[i]) != 0)
			fail("vms_code_publish");
		call(blocks[i].run);
	}
	if (vms_code_close(code) != 0)
		fail("vms_code_close");
}

static size_t aligned(size_t bytes, size_t alignment)
{
	return (bytes + alignment - 1) / alignment * alignment;
}

static void by_mprotect(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t each = aligned(size, 64);
	const size_t length = aligned(functions * each, page);
	char *code = mmap(NULL, length, PROT_READ | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED)
		fail("mmap");
	for (size_t i = 0; i < functions; i++) {
		char *start = code + i * each;
		char *first = code + i * each / page * page;
		const size_t pages = aligned((size_t)(start + each - first),
					     page);

		if (mprotect(first, pages, PROT_READ | PROT_WRITE) != 0)
			fail("mprotect");
		memcpy(start, function, size);
		if (mprotect(first, pages, PROT_READ | PROT_EXEC) != 0)
			fail("mprotect");
		__builtin___clear_cache(start, start + size);
		call(start);
	}
	munmap(code, length);
}

static void by_loop(void)
{
	const size_t each = aligned(size, 64);
	const size_t length = aligned(functions * each,
				      (size_t)sysconf(_SC_PAGESIZE));
	int fd = memfd_create("bench", MFD_CLOEXEC);
	char *write, *run;

	if (fd < 0 || ftruncate(fd, (off_t)length) != 0)
		fail("memfd_create");
	write = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	run = mmap(NULL, length, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (write == MAP_FAILED || run == MAP_FAILED)
		fail("mmap");
	for (size_t i = 0; i < functions; i++) {
		memcpy(write + i * each, function, size);
		__builtin___clear_cache(run + i * each, run + i * each + size);
		call(run + i * each);
	}
	munmap(write, length);
	munmap(run, length);
	close(fd);
}

static void publish_all(enum way way)
{
	switch (way) {
	case VIEWS:
		in_pool(VMS_CODE_VIEWS);
		break;
	case COPIES:
		in_pool(VMS_CODE_COPIES);
		break;
	case FLIPS:
		in_pool(VMS_CODE_FLIPS);
		break;
	case MPROTECT:
		by_mprotect();
		break;
	default:
		by_loop();
	}
}

static double faults_so_far(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) != 0)
		fail("getrusage");
	return (double)usage.ru_minflt;
}

/* Nanoseconds a function, and faults of all. */
static double measure(enum way way, double *faults)
{
	const double earlier = faults_so_far();
	const uint64_t start = bench_now();
	double time;

	publish_all(way);
	time = (double)(bench_now() - start) / (double)functions;
	*faults = faults_so_far() - earlier;
	return time;
}

static void compare(size_t rounds)
{
	static double times[WAYS][MAX_ROUNDS], ratios[WAYS][MAX_ROUNDS];
	static double faults[WAYS][MAX_ROUNDS];
	size_t order[WAYS];
	uint64_t random = 1;

	for (size_t round = 0; round < rounds; round++) {
		bench_order(order, WAYS, &random);
		for (size_t i = 0; i < WAYS; i++)
			times[order[i]][round] =
				measure((enum way)order[i],
					&faults[order[i]][round]);
		for (enum way way = VIEWS; way < WAYS; way++)
			ratios[way][round] =
				times[way][round] / times[VIEWS][round];
	}
	for (enum way way = VIEWS; way < WAYS; way++) {
		struct bench_summary ratio =
			bench_summarise(ratios[way], rounds);

		bench_print_summary(names[way], "ns",
				    bench_summarise(times[way], rounds));
		printf("%-44s %12.2f    quartiles %.2f..%.2f\n",
		       "  as a ratio to two views", ratio.median, ratio.lower,
		       ratio.upper);
		printf("%-44s %12.0f\n", "  faults of all",
		       bench_summarise(faults[way], rounds).median);
	}
}

/* --- a pool that has room ------------------------------------------------------------ */

#define WARM_BLOCKS 100

enum step { ALLOC, PUBLISH, PUBLISH_MANY, FREE, STEPS };

static const char *const steps[STEPS] = {
	[ALLOC] = "alloc",
	[PUBLISH] = "publish, where code was freed",
	[PUBLISH_MANY] = "publish_many, of 100",
	[FREE] = "free",
};

static double since(uint64_t *start)
{
	const uint64_t begin = *start;

	*start = bench_now();
	return (double)(*start - begin) / WARM_BLOCKS;
}

static void alloc_all(vms_code *code, struct vms_code_block *warm)
{
	for (size_t i = 0; i < WARM_BLOCKS; i++)
		if (vms_code_alloc(code, size, &warm[i]) != 0)
			fail("vms_code_alloc");
}

static void free_all(vms_code *code, struct vms_code_block *warm)
{
	for (size_t i = 0; i < WARM_BLOCKS; i++)
		if (vms_code_free(code, &warm[i]) != 0)
			fail("vms_code_free");
}

/* A free before each publish, so that cores are to serialize. */
static void publish_each(vms_code *code, struct vms_code_block *warm)
{
	for (size_t i = 0; i < WARM_BLOCKS; i++)
		if (vms_code_publish(code, &warm[i]) != 0 ||
		    vms_code_free(code, &warm[i]) != 0)
			fail("vms_code_publish");
}

static void measure_warm(size_t rounds, const char *with)
{
	static double times[STEPS][MAX_ROUNDS];
	struct vms_code_block warm[WARM_BLOCKS];
	vms_code *code = vms_code_open(NULL);
	char label[64];

	if (!code)
		fail("vms_code_open");
	for (size_t round = 0; round < rounds; round++) {
		uint64_t time = bench_now();

		alloc_all(code, warm);
		times[ALLOC][round] = since(&time);
		if (vms_code_publish_many(code, warm, WARM_BLOCKS) !=
		    WARM_BLOCKS)
			fail("vms_code_publish_many");
		times[PUBLISH_MANY][round] = since(&time);
		free_all(code, warm);
		times[FREE][round] = since(&time);
		alloc_all(code, warm);
		(void)since(&time);
		publish_each(code, warm);
		times[PUBLISH][round] = since(&time) - times[FREE][round];
	}
	for (enum step step = ALLOC; step < STEPS; step++) {
		(void)snprintf(label, sizeof(label), "%s%s", steps[step], with);
		bench_print_summary(label, "ns",
				    bench_summarise(times[step], rounds));
	}
	if (vms_code_close(code) != 0)
		fail("vms_code_close");
}

static volatile bool ends;

static void *keep_running(void *argument)
{
	while (!ends)
		;
	return argument;
}

static void measure_with_thread(size_t rounds)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, keep_running, NULL) != 0)
		fail("pthread_create");
	measure_warm(rounds, ", another thread runs");
	ends = true;
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	const size_t rounds = bench_option(argc, argv, "rounds", 51);

	functions = bench_option(argc, argv, "functions", 10000);
	size = bench_option(argc, argv, "size", 200);
	is_run = bench_option(argc, argv, "run", 0) != 0;
	if (rounds == 0 || rounds > MAX_ROUNDS || !functions || !size) {
		fprintf(stderr, "bench-code-publish: 1 to %d rounds\n",
			MAX_ROUNDS);
		return 2;
	}
	bench_print_header(argc, argv);
	make_function();
	bench_warm_memory((size_t)256 << 20);
	compare(rounds);
	measure_warm(rounds, "");
	measure_with_thread(rounds);
	free(function);
	free(blocks);
	return 0;
}
