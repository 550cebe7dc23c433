/* SPDX-License-Identifier: MIT */
#include "gets.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "group.h"
#include "rss.h"
#include "scratch.h"

/*
 * Random gets of records, by key. First all contenders have as much RAM as the data needs:
 * the same B+-tree in memory of malloc(3), in a mapped file and in pools, and LMDB. Then a
 * part of that: the pools by their options; the mapped file and LMDB in a memory control
 * group, whose pages are then not in memory already. Each round is a process of its own,
 * and the contenders take turns.
 *
 *	bench-pool-gets [--mib N | --records N] [--value N] [--part N] [--gets N]
 *	                [--rounds N] [--threads N] [--direct 1] [--fitting N] [--larger N]
 *
 * mib: of the tree. value: bytes of one, 8; vmcache's own bench of random reads has 120,
 * with 5,000,000 records. part: the RAM is one part in so many. gets: of each thread, and a
 * fourth of them where the RAM is short. direct: the pools read past the page cache, from
 * the disk, where there is not the RAM for all. fitting, larger: which contenders of the
 * first part and of the second, a bit each, all by default. The status is 1 where a
 * vms_pool has more resident memory than it may.
 */

#define CONTENDERS_MOST 10
#define ROUNDS_MOST 51
#define THREADS_MOST 16
#define NO_GROUP 3             /* status of a round */

struct gets_data gets_data;

static struct {
	const char *directory;
	uint64_t gets, rounds, threads, fitting, larger;
	size_t ram;            /* of the round; 0: as much as is needed */
	bool is_direct;
} bench;

void gets_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", bench.directory, name);
}

void gets_fail(const char *what)
{
	fprintf(stderr, "bench-pool-gets: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* --- a round, in a process of its own ------------------------------------------------------ */

static const struct contender *contender;
static pthread_barrier_t barrier;

static void get_one(uint64_t key)
{
	unsigned char value[VALUE_MOST];

	contender->get(key, value);
	if (!gets_is_value(key, value)) {
		errno = EBADMSG;
		gets_fail(contender->name);
	}
}

static void get_many(uint64_t seed, uint64_t gets)
{
	for (uint64_t i = 0; i < gets; i++)
		get_one(bench_random(&seed) % gets_data.count);
}

static void *run_thread(void *argument)
{
	const uint64_t seed = (uint64_t)(uintptr_t)argument;

	(void)pthread_barrier_wait(&barrier);
	get_many(seed, bench.gets);
	(void)pthread_barrier_wait(&barrier);
	return NULL;
}

static double run_threads(uint64_t seed)
{
	pthread_t threads[THREADS_MOST];
	uint64_t start;

	(void)pthread_barrier_init(&barrier, NULL, (unsigned)bench.threads + 1);
	for (uint64_t i = 0; i < bench.threads; i++)
		if (pthread_create(&threads[i], NULL, run_thread,
				   (void *)(uintptr_t)(seed + i * 7919)) != 0)
			gets_fail("pthread_create");
	(void)pthread_barrier_wait(&barrier);
	start = bench_now();
	(void)pthread_barrier_wait(&barrier);
	start = bench_now() - start;
	for (uint64_t i = 0; i < bench.threads; i++)
		(void)pthread_join(threads[i], NULL);
	return (double)start / (double)(bench.gets * bench.threads);
}

static bool is_grouped(void)
{
	return bench.ram && !contender->is_limited;
}

/* What is in the page cache already would be in no group. */
static void prepare(void)
{
	static char bytes[1 << 20];
	char path[4200];
	int fd;

	if (!contender->file)
		return;
	gets_path(path, sizeof(path), contender->file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		gets_fail(path);
	if (is_grouped() || gets_data.is_direct) {
		if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
			gets_fail("posix_fadvise");
	} else {
		while (read(fd, bytes, sizeof(bytes)) > 0)
			;
	}
	(void)close(fd);
}

static size_t ram_of_round(void)
{
	return bench.ram ? bench.ram :
		gets_tree_size() + gets_tree_size() / 8 + ((size_t)16 << 20);
}

/* So much that the RAM is full; or all pages, three times and more: they are hot then. */
static void warm_up(uint64_t seed)
{
	const uint64_t step = 4096 / (gets_data.value_size + 8) / 4 + 1;

	if (bench.ram)
		get_many(seed, bench.ram / 4096 * 3 / 2);
	for (uint64_t key = 0; !bench.ram && key < gets_data.count; key += step)
		get_one(key);
}

struct result {
	double nanoseconds;    /* a get */
	size_t most;           /* bytes that were resident */
};

static _Noreturn void run_round(uint64_t seed, int answer)
{
	struct result result;
	struct rss rss;

	gets_data.is_direct = bench.ram && bench.is_direct;
	prepare();
	rss_begin(&rss);
	if (is_grouped() && !group_enter(bench.ram))
		_exit(NO_GROUP);
	contender->open(ram_of_round());
	warm_up(seed + 1);
	result.nanoseconds = run_threads(seed);
	contender->close();
	result.most = rss_end(&rss);
	if (write(answer, &result, sizeof(result)) != sizeof(result))
		gets_fail("write");
	_exit(0);
}

/* --- all rounds ------------------------------------------------------------------------------ */

/* false: the machine has no groups for what needs one. A round that fails has said why. */
static bool measure(const struct contender *whose, uint64_t seed, struct result *result)
{
	const pid_t parent = getpid();
	int ends[2], status;
	pid_t child;
	ssize_t got;

	contender = whose;
	if (pipe(ends) != 0)
		gets_fail("pipe");
	child = fork();
	if (child < 0)
		gets_fail("fork");
	if (child == 0) {
		scratch_end_with_parent(parent);
		run_round(seed, ends[1]);
	}
	(void)close(ends[1]);
	got = read(ends[0], result, sizeof(*result));
	(void)close(ends[0]);
	(void)waitpid(child, &status, 0);
	group_remove(child);
	if (got == sizeof(*result))
		return true;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != NO_GROUP)
		exit(1);
	return false;
}

/* Returns whether one of ours had too much memory. */
static int print_one(const struct contender *whose, double *times, size_t count, size_t most,
		     double first)
{
	const struct bench_summary summary = bench_summarise(times, count);
	int is_more;

	bench_print_summary(whose->name, "ns", summary);
	printf("%-44s %12.3f of the first; %.3f million a second\n", "",
	       summary.median / (first > 0 ? first : summary.median),
	       1000 / summary.median);
	if (!bench.ram && !whose->is_limited)
		return 0;
	is_more = rss_print("", most, ram_of_round());
	return whose->is_ours && is_more;
}

static int compare(const struct contender *const *contenders, size_t count, uint64_t kinds)
{
	static double times[CONTENDERS_MOST][ROUNDS_MOST];
	size_t order[CONTENDERS_MOST], most[CONTENDERS_MOST] = { 0 };
	size_t done[CONTENDERS_MOST] = { 0 };
	uint64_t random = 1;
	double first = 0;
	int status = 0;

	for (uint64_t round = 0; round < bench.rounds; round++) {
		bench_order(order, count, &random);
		for (size_t i = 0; i < count; i++) {
			const size_t at = order[i];
			struct result result;

			if (!(kinds >> at & 1) ||
			    !measure(contenders[at], round * 977 + 5, &result))
				continue;
			times[at][done[at]++] = result.nanoseconds;
			most[at] = result.most > most[at] ? result.most : most[at];
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (!(kinds >> i & 1))
			continue;
		if (done[i] == 0) {
			printf("%s: no memory control group is to be had\n",
			       contenders[i]->name);
			continue;
		}
		status |= print_one(contenders[i], times[i], done[i], most[i], first);
		first = first > 0 ? first : bench_summarise(times[i], done[i]).median;
	}
	return status;
}

static int compare_all(uint64_t part)
{
	static const struct contender *const fitting[] = {
		&gets_malloc, &gets_frames, &gets_addressed, &gets_fix, &gets_vmcache,
		&gets_textbook, &gets_mmap, &gets_lmdb,
	};
	static const struct contender *const larger[] = {
		&gets_frames, &gets_addressed, &gets_vmcache, &gets_textbook, &gets_mmap,
		&gets_lmdb,
	};
	int status;

	printf("# %llu records with values of %zu bytes, %zu MiB; all fit\n",
	       (unsigned long long)gets_data.count, gets_data.value_size,
	       gets_tree_size() >> 20);
	fflush(stdout);
	status = compare(fitting, sizeof(fitting) / sizeof(fitting[0]),
			 bench.fitting);
	bench.ram = gets_tree_size() / part;
	bench.gets = bench.gets / 4 ? bench.gets / 4 : 1;
	printf("# RAM for one part in %llu of the tree: %zu MiB; the pools read from the %s\n",
	       (unsigned long long)part, bench.ram >> 20,
	       bench.is_direct ? "disk" : "page cache");
	fflush(stdout);
	return status | compare(larger, sizeof(larger) / sizeof(larger[0]), bench.larger);
}

int main(int argc, char **argv)
{
	const uint64_t mib = bench_option(argc, argv, "mib", 256);
	const uint64_t part = bench_option(argc, argv, "part", 4);

	gets_data.value_size = bench_option(argc, argv, "value", 8);
	bench.gets = bench_option(argc, argv, "gets", 100000);
	bench.rounds = bench_option(argc, argv, "rounds", 7);
	bench.threads = bench_option(argc, argv, "threads", 1);
	bench.is_direct = bench_option(argc, argv, "direct", 0) != 0;
	bench.fitting = bench_option(argc, argv, "fitting", UINT64_MAX);
	bench.larger = bench_option(argc, argv, "larger", UINT64_MAX);
	if (gets_data.value_size < 8 || gets_data.value_size > VALUE_MOST ||
	    bench.rounds > ROUNDS_MOST || !bench.rounds || bench.threads > THREADS_MOST ||
	    !bench.threads || !part)
		bench_refuse(argv[0], "an option is out of its range");
	/* About so many bytes of records fill a page. */
	gets_data.count = bench_option(argc, argv, "records",
				       mib * (1 << 20) / (gets_data.value_size + 8) * 254 / 256);
	bench_print_header(argc, argv);
	if (gets_data.count < 1000)
		bench_refuse(argv[0], "there are to be 1000 records at least");
	bench.directory = scratch_make(NULL);
	gets_mmap.make();
	gets_lmdb.make();
	return compare_all(part);
}
