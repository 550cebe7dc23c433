/* SPDX-License-Identifier: MIT */
#include "gets.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "group.h"

/*
 * Random gets of small records, by key. First all contenders have as much RAM as the data
 * needs: the same B+-tree in memory of malloc(3) and in pools, and LMDB. Then a part of
 * that: pools by their options; a mapped file and LMDB in a memory control group, whose
 * pages are then not in memory already. Each round is a process of its own, and the
 * contenders take turns.
 *
 *	bench-pool-gets [--mib N] [--part N] [--gets N] [--rounds N] [--threads N]
 *
 * mib: of the tree. part: the RAM is one part in so many. The files are made in
 * $VMS_BENCH_DIRECTORY, or in the working directory.
 */

#define ROUNDS_MOST 51
#define THREADS_MOST 16

static struct {
	const char *directory;
	uint64_t count, gets, rounds, threads;
	size_t ram;            /* of the round; 0: as much as is needed */
} bench;

void gets_path(char *path, size_t size, const char *directory, const char *name)
{
	snprintf(path, size, "%s/bench-pool-gets.%s", directory, name);
}

void gets_fail(const char *what)
{
	fprintf(stderr, "bench-pool-gets: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* --- a round, in a process of its own ------------------------------------------------------ */

static const struct contender *contender;
static pthread_barrier_t barrier;

static uint64_t next_of(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*random >> 32) * bench.count >> 32;
}

static void get_many(uint64_t seed, uint64_t gets)
{
	for (uint64_t i = 0; i < gets; i++) {
		const uint64_t key = next_of(&seed);

		if (contender->get(key) != gets_value(key)) {
			errno = EBADMSG;
			gets_fail(contender->name);
		}
	}
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

/* The pages of a file that is to be short of memory are charged to who reads them. */
static void drop_cache(const char *name)
{
	char path[4096];
	int fd;

	gets_path(path, sizeof(path), bench.directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		gets_fail(path);
	(void)close(fd);
}

static void fill_cache(const char *name)
{
	static char bytes[1 << 20];
	char path[4096];
	int fd;

	gets_path(path, sizeof(path), bench.directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		gets_fail(path);
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	(void)close(fd);
}

static bool is_grouped(void)
{
	return bench.ram && (contender == &gets_lmdb || contender == &gets_mmap);
}

static size_t ram_of_all(void)
{
	return (size_t)bench.count * 18 + ((size_t)16 << 20);
}

static void prepare(void)
{
	const char *name = contender == &gets_lmdb ? "lmdb" : "tree";

	if (contender->is_resident)
		return;
	if (is_grouped())
		drop_cache(name);
	else
		fill_cache(name);
}

static void run_round(uint64_t seed, int answer)
{
	double nanoseconds;

	prepare();
	if (is_grouped() && !group_enter(bench.ram))
		gets_fail("no memory control group");
	contender->open(bench.directory, bench.count, bench.ram ? bench.ram : ram_of_all());
	if (bench.ram)
		bench.gets /= 4;
	get_many(seed + 1, bench.gets * 4);
	nanoseconds = run_threads(seed);
	contender->close();
	if (write(answer, &nanoseconds, sizeof(nanoseconds)) != sizeof(nanoseconds))
		gets_fail("write");
	_exit(0);
}

/* --- all rounds ------------------------------------------------------------------------------ */

/* Nanoseconds a get; less than 0: the round failed, and has said why. */
static double measure(const struct contender *whose, uint64_t seed)
{
	double nanoseconds = -1;
	int ends[2], status;
	pid_t child;

	contender = whose;
	if (pipe(ends) != 0)
		gets_fail("pipe");
	child = fork();
	if (child == 0)
		run_round(seed, ends[1]);
	(void)close(ends[1]);
	if (read(ends[0], &nanoseconds, sizeof(nanoseconds)) != sizeof(nanoseconds))
		nanoseconds = -1;
	(void)close(ends[0]);
	(void)waitpid(child, &status, 0);
	group_remove(child);
	return nanoseconds;
}

static void compare(const struct contender *const *contenders, size_t count)
{
	static double times[8][ROUNDS_MOST];
	uint64_t random = 1;
	size_t order[8];
	double first = 0;

	for (uint64_t round = 0; round < bench.rounds; round++) {
		bench_order(order, count, &random);
		for (size_t i = 0; i < count; i++)
			times[order[i]][round] = measure(contenders[order[i]], round * 977 + 5);
	}
	for (size_t i = 0; i < count; i++) {
		struct bench_summary summary;

		if (times[i][0] < 0)
			continue;
		summary = bench_summarise(times[i], bench.rounds);
		if (first == 0)
			first = summary.median;
		bench_print_summary(contenders[i]->name, "ns", summary);
		printf("%-40s %.3f of the first\n", "", summary.median / first);
	}
}

static void remove_all(void)
{
	static const char *const names[] = { "tree", "lmdb", "lmdb-lock" };
	char path[4096];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		gets_path(path, sizeof(path), bench.directory, names[i]);
		(void)unlink(path);
	}
}

static void make_all(void)
{
	/* What an earlier run has left when it was ended. */
	remove_all();
	gets_frames.make(bench.directory, bench.count);
	gets_lmdb.make(bench.directory, bench.count);
}

int main(int argc, char **argv)
{
	static const struct contender *const fitting[] = {
		&gets_malloc, &gets_frames, &gets_addressed, &gets_fix, &gets_mmap, &gets_lmdb,
	};
	static const struct contender *const larger[] = {
		&gets_frames, &gets_addressed, &gets_mmap, &gets_lmdb,
	};
	const uint64_t mib = bench_option(argc, argv, "mib", 256);
	const uint64_t part = bench_option(argc, argv, "part", 4);

	bench_print_header(argc, argv);
	bench.directory = getenv("VMS_BENCH_DIRECTORY");
	bench.directory = bench.directory ? bench.directory : ".";
	bench.count = mib * (1 << 20) / 4096 * 254;
	bench.gets = bench_option(argc, argv, "gets", 100000);
	bench.rounds = bench_option(argc, argv, "rounds", 7);
	bench.threads = bench_option(argc, argv, "threads", 1);
	if (bench.rounds > ROUNDS_MOST || bench.threads > THREADS_MOST || !bench.threads ||
	    !part || !mib)
		return 2;
	make_all();
	printf("# %llu records; all fit\n", (unsigned long long)bench.count);
	fflush(stdout);
	compare(fitting, sizeof(fitting) / sizeof(fitting[0]));
	bench.ram = (size_t)(mib << 20) / part;
	printf("# RAM for one part in %llu of the tree: %zu MiB\n", (unsigned long long)part,
	       bench.ram >> 20);
	fflush(stdout);
	compare(larger, sizeof(larger) / sizeof(larger[0]));
	remove_all();
	return 0;
}
