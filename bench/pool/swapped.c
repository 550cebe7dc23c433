/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmspace.h>

#include "bench.h"
#include "group.h"
#include "kernel_swap.h"
#include "rss.h"
#include "scratch.h"

/*
 * Memory of several times the RAM: random pages of a pool of memory, by fixes and by plain
 * pointers (VMS_POOL_TRANSPARENT), beside plain memory in a memory control group of the same RAM, whose rest is in the kernel's zram or in
 * its swap file. Each is filled first, and used a while before it is timed.
 *
 *	bench-pool-swapped [--mib NUMBER] [--part NUMBER] [--threads NUMBER]
 *	                   [--operations NUMBER] [--repeats NUMBER] [--writes NUMBER]
 *	                   [--noise NUMBER] [--swap-part NUMBER] [--kinds NUMBER]
 *
 * The RAM is mib divided by part, 4. writes is the percentage of accesses that change a
 * page, 30; noise the part of a page, in percent, that cannot be compressed, 30. What zram
 * takes is not in the group's limit, and is told. The pool's swap file and the kernel's are
 * in $VMS_BENCH_DIRECTORY, or the working directory. swap-part: swap_ram is ram divided by
 * that; 0, as by default, leaves it to the pool. The kinds are a bit each.
 *
 * The clock's time and the processor's are of an access; the last line of each kind has
 * times that 99 % and 99.9 % of all accesses, and of those that missed, stay below. (To
 * tell these apart: an access of more than a microsecond has missed.)
 */

#define PAGE ((size_t)4096)
#define SAMPLES 51
#define THREADS_MOST 16
#define PLACES 4096          /* of a histogram: 1/64 apart, from 1 ns on */

enum kind { FRAMES, ADDRESSED, TRANSPARENT, ZRAM, SWAP_FILE, KINDS };

static const char *const names[KINDS] = {
	"pool, frames", "pool, addressed", "pool, transparent", "kernel, zram", "kernel, swap file",
};

static struct {
	uint64_t pages, operations, threads, repeats, writes, noise, swap_part;
	size_t ram;
	const char *directory;
} bench;

/* Of one run, in memory that its process shares with the bench. */
struct result {
	bool is_done;
	double clock, processor;
	size_t peak;
	uint64_t zram;
	_Atomic uint64_t times[PLACES];
};

static vms_pool *pool;
static char *memory;         /* where plain pointers do; NULL: pages are fixed */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* --- times ------------------------------------------------------------------------------- */

static unsigned place_of(uint64_t nanoseconds)
{
	const unsigned shift = nanoseconds < 64 ? 0 :
		58 - (unsigned)__builtin_clzll(nanoseconds);
	const uint64_t place = shift * 64 + (nanoseconds >> shift);

	return place < PLACES ? (unsigned)place : PLACES - 1;
}

static double time_of(unsigned place)
{
	const unsigned shift = place < 128 ? 0 : place / 64 - 1;

	return (double)((uint64_t)(place - shift * 64) << shift);
}

/* What a part of all that took so long at least stays below, in microseconds. */
static double below(const uint64_t *times, double part, unsigned first)
{
	uint64_t all = 0, count = 0;

	for (unsigned i = first; i < PLACES; i++)
		all += times[i];
	for (unsigned i = first; i < PLACES; i++) {
		count += times[i];
		if ((double)count >= part * (double)all)
			return time_of(i) / 1000;
	}
	return 0;
}

/* --- accesses -------------------------------------------------------------------------------- */

static void fill(char *bytes, uint64_t page)
{
	const size_t noise = PAGE * bench.noise / 100 / sizeof(uint64_t);
	uint64_t random = page + 1, *words = (uint64_t *)bytes;

	for (size_t i = 0; i < PAGE / sizeof(*words); i++)
		words[i] = i < noise ? bench_random(&random) : page;
}

static char *begin(uint64_t page, bool writes)
{
	char *bytes;

	if (memory)
		return memory + page * PAGE;
	bytes = vms_pool_fix(pool, page, writes ? VMS_POOL_WRITE : VMS_POOL_READ);
	if (!bytes)
		fail("vms_pool_fix");
	return bytes;
}

static void end(uint64_t page)
{
	if (!memory && vms_pool_unfix(pool, page) != 0)
		fail("vms_pool_unfix");
}

static void fill_all(void)
{
	for (uint64_t page = 0; page < bench.pages; page++) {
		fill(begin(page, true), page);
		end(page);
	}
}

struct work {
	uint64_t random;
	struct result *result;   /* NULL: it is not timed */
};

static void access_one(uint64_t random)
{
	const uint64_t page = random % bench.pages;
	const bool writes = (random >> 40) % 100 < bench.writes;
	volatile uint64_t *word = (volatile uint64_t *)begin(page, writes) +
		(random >> 50) % 64 * 8 + 7;

	if (writes)
		*word = *word + 1;
	else
		bench_use((uintptr_t)*word);
	end(page);
}

static void *work(void *argument)
{
	struct work *mine = argument;

	for (uint64_t i = 0; i < bench.operations / bench.threads; i++) {
		const uint64_t start = bench_now();

		access_one(bench_random(&mine->random));
		if (mine->result)
			atomic_fetch_add_explicit(
				&mine->result->times[place_of(bench_now() - start)], 1,
				memory_order_relaxed);
	}
	return NULL;
}

static void run_threads(uint64_t seed, struct result *result)
{
	pthread_t threads[THREADS_MOST];
	struct work works[THREADS_MOST];

	for (uint64_t i = 0; i < bench.threads; i++) {
		works[i] = (struct work){ seed + i * 7919, result };
		if (pthread_create(&threads[i], NULL, work, &works[i]) != 0)
			fail("pthread_create");
	}
	for (uint64_t i = 0; i < bench.threads; i++)
		(void)pthread_join(threads[i], NULL);
}

/* --- a run, in a process of its own ------------------------------------------------------------ */

static unsigned flags_of(enum kind kind)
{
	if (kind == TRANSPARENT)
		return VMS_POOL_MEMORY | VMS_POOL_TRANSPARENT;
	return VMS_POOL_MEMORY | (kind == ADDRESSED ? VMS_POOL_ADDRESSED : 0);
}

static void open_pool(enum kind kind)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags_of(kind),
		.page_size = PAGE,
		.ram = bench.ram,
		.pages = bench.pages,
		.swap_path = bench.directory,
		.swap_ram = bench.swap_part ? bench.ram / bench.swap_part : 0,
	};

	pool = vms_pool_open(-1, &options);
	if (!pool || vms_pool_grow(pool, bench.pages) != 0)
		fail("vms_pool_open");
	if (kind == TRANSPARENT)
		memory = vms_pool_base(pool);
}

static void open_memory(void)
{
	if (!group_enter(bench.ram))
		fail("no memory control group");
	memory = mmap(NULL, bench.pages * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	(void)madvise(memory, bench.pages * PAGE, MADV_NOHUGEPAGE);
}

static double processor_time(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

static void measure(enum kind kind, uint64_t seed, const struct kernel_swap *swap,
		    struct result *result)
{
	struct rss rss;
	double processor;
	uint64_t start;

	rss_begin(&rss);
	if (swap)
		open_memory();
	else
		open_pool(kind);
	fill_all();
	run_threads(seed * 31 + 17, NULL);
	processor = processor_time();
	start = bench_now();
	run_threads(seed, result);
	result->clock = (double)(bench_now() - start) / (double)bench.operations;
	result->processor = (processor_time() - processor) / (double)bench.operations;
	result->zram = swap ? kernel_swap_memory(swap) : 0;
	if (pool && vms_pool_close(pool) != 0)
		fail("vms_pool_close");
	result->peak = rss_end(&rss);
	result->is_done = true;
}

/* Returns why it cannot be; NULL: it is done. */
static const char *run(enum kind kind, uint64_t seed, struct result *result)
{
	struct kernel_swap swap;
	const char *problem = NULL;
	const int parent = (int)getpid();
	pid_t child;

	memset(result, 0, sizeof(*result));
	if (kind >= ZRAM)
		problem = kernel_swap_begin(&swap, kind == ZRAM ? KERNEL_SWAP_ZRAM :
						   KERNEL_SWAP_FILE, bench.directory,
					    bench.pages * PAGE + (16 << 20));
	if (problem)
		return problem;
	child = fork();
	if (child == 0) {
		scratch_end_with_parent(parent);
		measure(kind, seed, kind >= ZRAM ? &swap : NULL, result);
		_exit(0);
	}
	(void)waitpid(child, NULL, 0);
	group_remove((int)child);
	if (kind >= ZRAM)
		kernel_swap_end(&swap);
	return result->is_done ? NULL : "its process has ended";
}

/* --- all -------------------------------------------------------------------------------------------- */

struct all {
	double clocks[SAMPLES], processors[SAMPLES];
	uint64_t times[PLACES], count, zram;
	size_t peak;
	const char *problem;
};

static void note(struct all *all, const struct result *result)
{
	all->clocks[all->count] = result->clock;
	all->processors[all->count++] = result->processor;
	for (unsigned i = 0; i < PLACES; i++)
		all->times[i] += atomic_load(&result->times[i]);
	if (result->peak > all->peak)
		all->peak = result->peak;
	if (result->zram > all->zram)
		all->zram = result->zram;
}

static int print(const char *name, struct all *all, bool is_pool)
{
	if (!all->count) {
		printf("%s: left out (%s)\n", name, all->problem);
		return 0;
	}
	bench_print_summary(name, "ns", bench_summarise(all->clocks, all->count));
	bench_print_summary("  processor", "ns",
			    bench_summarise(all->processors, all->count));
	printf("  99 %% of accesses within %.1f us, 99.9 %% within %.1f; of misses %.1f, %.1f\n",
	       below(all->times, 0.99, 0), below(all->times, 0.999, 0),
	       below(all->times, 0.99, place_of(1000)),
	       below(all->times, 0.999, place_of(1000)));
	if (all->zram)
		printf("  zram takes %.1f MiB besides\n", (double)all->zram / 1048576);
	return is_pool ? rss_print("  resident", all->peak, bench.ram) : 0;
}

int main(int argc, char **argv)
{
	static struct all all[KINDS];
	const uint64_t mib = bench_option(argc, argv, "mib", 256);
	const uint64_t kinds = bench_option(argc, argv, "kinds", UINT64_MAX);
	struct result *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t random = 1;
	uint64_t part;
	int status = 0;

	bench.directory = getenv("VMS_BENCH_DIRECTORY");
	if (!bench.directory)
		bench.directory = ".";
	bench.operations = bench_option(argc, argv, "operations", 200000);
	bench.threads = bench_option(argc, argv, "threads", 1);
	bench.repeats = bench_option(argc, argv, "repeats", 5);
	bench.writes = bench_option(argc, argv, "writes", 30);
	bench.noise = bench_option(argc, argv, "noise", 30);
	bench.swap_part = bench_option(argc, argv, "swap-part", 0);
	bench.pages = (mib << 20) / PAGE;
	part = bench_option(argc, argv, "part", 4);
	bench_print_header(argc, argv);
	if (result == MAP_FAILED || bench.repeats > SAMPLES || bench.noise > 100 ||
	    bench.threads > THREADS_MOST || !bench.threads || !part)
		bench_refuse(argv[0], "an option is out of its range");
	bench.ram = (size_t)(mib << 20) / part;
	(void)fflush(stdout);
	(void)scratch_make(NULL);
	for (uint64_t i = 0; i < bench.repeats; i++) {
		size_t order[KINDS];

		bench_order(order, KINDS, &random);
		for (size_t k = 0; k < KINDS; k++) {
			const size_t kind = order[k];
			const char *problem;

			if (!(kinds >> kind & 1))
				continue;
			problem = run((enum kind)kind, bench_random(&random), result);
			if (problem)
				all[kind].problem = problem;
			else
				note(&all[kind], result);
		}
	}
	for (size_t k = 0; k < KINDS; k++)
		if (kinds >> k & 1)
			status |= print(names[k], &all[k], k < ZRAM);
	return status;
}
