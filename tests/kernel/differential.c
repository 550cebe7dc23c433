/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "generate.h"
#include "lockstep.h"

/*
 * Make random sequences of calls on a space and on the kernel. A sequence that
 * differs is reduced to the calls that it takes, and printed.
 */

struct settings {
	uint64_t seed;
	uint64_t first;       /* the sequence to begin with */
	size_t operations;    /* at least that many in all; 0: by time */
	unsigned seconds;     /* 0: by operations */
	size_t length;        /* of a sequence */
	unsigned flags_every;
	unsigned all_every;
	bool huge_pages;
};

#define SEQUENCE_SECONDS 3600

/* Return 0 if all was equal, else how the process ended. */
static int run_in_process(struct lockstep *lockstep)
{
	int status = 0;
	pid_t pid;

	lockstep->started = 0;
	lockstep->skipped = 0;
	lockstep->excess = 0;
	lockstep->report[0] = '\0';
	(void)fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("# fork");
		exit(2);
	}
	if (pid == 0) {
		(void)alarm(SEQUENCE_SECONDS);
		_exit(lockstep_run(lockstep));
	}
	(void)waitpid(pid, &status, 0);
	return status;
}

/* Shrinking. */

static bool still_fails(struct lockstep *lockstep, struct lockstep *trial,
			size_t begin, size_t count)
{
	trial->options = lockstep->options;
	trial->count = lockstep->count - count;
	(void)memcpy(trial->operations, lockstep->operations,
		     begin * sizeof *trial->operations);
	(void)memcpy(trial->operations + begin,
		     lockstep->operations + begin + count,
		     (trial->count - begin) * sizeof *trial->operations);
	return run_in_process(trial) != 0;
}

/* Calls after the one that failed are of no use. */
static void keep_started(struct lockstep *lockstep, const struct lockstep *from)
{
	lockstep->count = from->started;
	(void)memcpy(lockstep->operations, from->operations,
		     lockstep->count * sizeof *lockstep->operations);
}

/* Remove ever shorter parts of the sequence, as long as it fails without them. */
static void shrink(struct lockstep *lockstep, struct lockstep *trial)
{
	for (size_t count = lockstep->count / 2; count > 0; count /= 2)
		for (size_t begin = 0; begin + count <= lockstep->count;)
			if (still_fails(lockstep, trial, begin, count))
				keep_started(lockstep, trial);
			else
				begin += count;
}

static void print_sequence(const struct lockstep *lockstep)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < lockstep->count; i++) {
		(void)printf("#   ");
		operation_print(stdout, &lockstep->operations[i], page);
		(void)printf("\n");
	}
}

static void print_end(const struct lockstep *lockstep, int status)
{
	if (WIFSIGNALED(status))
		(void)printf("# ended by signal %d (%s) in the last call\n",
			     WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (lockstep->report[0] != '\0')
		(void)printf("%s", lockstep->report);
	else
		(void)printf("# exit status %d\n", WEXITSTATUS(status));
}

static void report(const struct settings *settings, struct lockstep *lockstep,
		   uint64_t index, int status)
{
	struct lockstep *trial = mmap(NULL, sizeof *trial,
				      PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)printf("# differs in operation %zu of sequence %llu\n",
		     lockstep->started, (unsigned long long)index);
	print_end(lockstep, status);
	(void)printf("# replay: --seed %llu --first %llu --operations 1 --length %zu\n",
		     (unsigned long long)settings->seed,
		     (unsigned long long)index, settings->length);
	if (trial == MAP_FAILED)
		return;
	lockstep->count = lockstep->started;
	lockstep->options.replay = true;
	shrink(lockstep, trial);
	status = run_in_process(lockstep);
	if (status == 0) {
		/* Comparing every page after every call may hide the difference. */
		(void)printf("# does not differ when it is replayed\n");
		return;
	}
	(void)printf("# shrunk to %zu operations:\n", lockstep->count);
	print_sequence(lockstep);
	print_end(lockstep, status);
}

/* Runs. */

static bool pool_has_huge_pages(void)
{
	void *p = mmap(NULL, (size_t)2 << 20, PROT_READ,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED)
		return false;
	(void)munmap(p, (size_t)2 << 20);
	return true;
}

/* One sequence in 16 may seal, one in four discard, another one reclaim. */
static unsigned features_of(uint64_t index, bool huge_pages)
{
	unsigned features = huge_pages ? GENERATE_HUGETLB : 0;

	if (index % 16 == 15)
		features |= GENERATE_MSEAL;
	if (index % 4 == 1)
		features |= GENERATE_PAGEOUT;
	else
		features |= GENERATE_FREE;
	return features;
}

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int run(const struct settings *settings, struct lockstep *lockstep)
{
	size_t operations = 0, skipped = 0, excess = 0;
	uint64_t index = settings->first;
	double start = now();

	for (;; index++) {
		int status;

		if (settings->operations != 0 ?
			    operations >= settings->operations :
			    now() - start >= settings->seconds)
			break;
		lockstep->options = (struct lockstep_options){
			.seed = random_mix(settings->seed, index),
			.length = settings->length,
			.features = features_of(index,
						settings->huge_pages),
			.flags_every = settings->flags_every,
			.all_every = settings->all_every,
		};
		status = run_in_process(lockstep);
		if (status != 0) {
			report(settings, lockstep, index, status);
			return 1;
		}
		operations += lockstep->count - lockstep->skipped;
		skipped += lockstep->skipped;
		excess += lockstep->excess;
	}
	(void)printf("# %zu operations in %llu sequences, %.0f s\n", operations,
		     (unsigned long long)(index - settings->first),
		     now() - start);
	(void)printf("# where the kernel keeps as two what is one mapping: %zu skipped, %zu charged more than by the kernel\n",
		     skipped, excess);
	return 0;
}

static const struct option options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "first", required_argument, NULL, 'f' },
	{ "operations", required_argument, NULL, 'o' },
	{ "seconds", required_argument, NULL, 't' },
	{ "length", required_argument, NULL, 'l' },
	{ "flags-every", required_argument, NULL, 'm' },
	{ "all-every", required_argument, NULL, 'a' },
	{ NULL, 0, NULL, 0 },
};

static bool set_option(struct settings *settings, int option, uint64_t value)
{
	switch (option) {
	case 's':
		settings->seed = value;
		return true;
	case 'f':
		settings->first = value;
		return true;
	case 'o':
		settings->operations = value;
		return true;
	case 't':
		settings->seconds = (unsigned)value;
		return true;
	case 'l':
		settings->length = value;
		return value > 0 && value <= SEQUENCE_MOST;
	case 'm':
		settings->flags_every = (unsigned)value;
		return true;
	case 'a':
		settings->all_every = (unsigned)value;
		return true;
	default:
		return false;
	}
}

static bool parse(struct settings *settings, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!set_option(settings, option,
				optarg == NULL ? 0 : strtoull(optarg, NULL, 0)))
			return false;
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct lockstep *lockstep = mmap(NULL, sizeof *lockstep,
					 PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *seed = getenv("VMS_SEED");
	struct settings settings = {
		.seed = seed != NULL ? strtoull(seed, NULL, 0) :
				       (uint64_t)time(NULL) ^
					       (uint64_t)getpid() << 32,
		.seconds = 20,
		.length = 200,
		.flags_every = 8,
		.all_every = 32,
	};

	if (lockstep == MAP_FAILED || !parse(&settings, argc, argv)) {
		(void)fprintf(stderr,
			      "usage: %s [--seed S] [--operations N | --seconds T] [--length L] [--first I] [--flags-every K] [--all-every K]\n",
			      argv[0]);
		return 2;
	}
	(void)printf("1..1\n# seed %llu (VMS_SEED or --seed)\n",
		     (unsigned long long)settings.seed);
	settings.huge_pages = pool_has_huge_pages();
	if (!settings.huge_pages)
		(void)printf("# MAP_HUGETLB is left out: no pool of huge pages\n");
	if (run(&settings, lockstep) != 0) {
		(void)printf("not ok 1 - a space answers as the kernel does\n");
		return 1;
	}
	(void)printf("ok 1 - a space answers as the kernel does\n");
	return 0;
}
