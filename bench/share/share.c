/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vmspace.h>

#include "bench.h"

/*
 * What readers cost whoever grows a share.
 *
 *	bench-share [--rounds N] [--mib N] [--step KIB] [--readers N] [--wait US]
 *
 * A share grows to N MiB in steps, and the first byte of each is written: alone, and
 * with reader processes that follow. Each reader touches the first byte of each step,
 * which it finds by vms_share_at. Both ways take turns, in another order in each round;
 * ratios are of rounds.
 *
 * While it follows, a reader is under a filter of system calls that ends it at any but
 * exit and the sleep by which it waits for the next step (--wait 0: it spins, which
 * measures the scheduler where there are fewer processors than processes). So a run that
 * comes to an end has shown that vms_share_at makes none.
 */

#define MAX_ROUNDS 1001
#define MAX_READERS 32

static struct {
	size_t rounds, mebibytes, step, readers, wait;
} options;

/* What the processes of a run have together, beside the share. */
struct board {
	_Atomic unsigned ready;
	_Atomic uint64_t sleeps;
	bool is_filtered;
};

static struct board *board;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t steps(void)
{
	return ((uint64_t)options.mebibytes << 20) / options.step;
}

/* --- readers -------------------------------------------------------------------------- */

#define ALLOW(call) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static bool forbid_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		ALLOW(__NR_clock_nanosleep),
		ALLOW(__NR_nanosleep),
		ALLOW(__NR_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	const struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* The steps in their order; waits are the reader's own, not the library's. */
static uint64_t follow(vms_share *share)
{
	const struct timespec wait = { 0, (long)options.wait * 1000 };
	uint64_t sleeps = 0;

	for (uint64_t i = 0; i < steps(); i++) {
		const volatile char *first;

		while (!(first = vms_share_at(share, i * options.step, 1)))
			if (options.wait) {
				(void)nanosleep(&wait, NULL);
				sleeps++;
			}
		bench_use((uintptr_t)*first);
	}
	return sleeps;
}

static _Noreturn void read_share(int fd)
{
	const struct vms_share_options attach = {
		.struct_size = sizeof(attach), .flags = VMS_SHARE_READ_ONLY };
	vms_share *share = vms_share_attach(fd, &attach);

	if (!share)
		fail("vms_share_attach");
	board->is_filtered = forbid_calls();
	atomic_fetch_add(&board->ready, 1);
	atomic_fetch_add(&board->sleeps, follow(share));
	_exit(0);
}

static void start_readers(vms_share *share, size_t count, pid_t *children)
{
	atomic_store(&board->ready, 0);
	for (size_t i = 0; i < count; i++) {
		children[i] = fork();
		if (children[i] < 0)
			fail("fork");
		if (children[i] == 0)
			read_share(vms_share_fd(share));
	}
	while (atomic_load(&board->ready) < count) {
		usleep(1000);
		if (waitpid(-1, NULL, WNOHANG) > 0)
			exit(1);
	}
}

static void end_readers(size_t count, const pid_t *children)
{
	int status;

	for (size_t i = 0; i < count; i++) {
		if (waitpid(children[i], &status, 0) != children[i])
			fail("waitpid");
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
			fprintf(stderr, "a reader has made a system call\n");
			exit(1);
		}
		if (status != 0) {
			fprintf(stderr, "a reader has failed\n");
			exit(1);
		}
	}
}

/* --- the runs --------------------------------------------------------------------------- */

/* What one run took, in ms. */
struct took {
	double growth;         /* until it has its size */
	double all;            /* until all readers have been everywhere */
};

static struct took grow_with(size_t readers)
{
	const uint64_t maximum = steps() * options.step;
	vms_share *share = vms_share_create(NULL, 0, maximum, NULL);
	pid_t children[MAX_READERS];
	uint64_t start, grown, end;

	if (!share)
		fail("vms_share_create");
	start_readers(share, readers, children);
	start = bench_now();
	for (uint64_t size = options.step; size <= maximum; size += options.step) {
		if (vms_share_grow(share, size) != 0)
			fail("vms_share_grow");
		*(char *)vms_share_at(share, size - options.step, 1) = 1;
	}
	grown = bench_now();
	end_readers(readers, children);
	end = bench_now();
	if (vms_share_close(share) != 0)
		fail("vms_share_close");
	return (struct took){ (double)(grown - start) / 1e6,
			      (double)(end - start) / 1e6 };
}

static void print_ratio(double *ratios)
{
	const struct bench_summary ratio = bench_summarise(ratios, options.rounds);

	printf("%-44s %12.3f    quartiles %.3f..%.3f\n",
	       "  as a ratio to growth alone", ratio.median, ratio.lower,
	       ratio.upper);
}

static void compare(void)
{
	static double alone[MAX_ROUNDS], followed[MAX_ROUNDS], all[MAX_ROUNDS],
		ratios[MAX_ROUNDS];
	uint64_t random = 1;

	for (size_t round = 0; round < options.rounds; round++) {
		size_t order[2];

		bench_order(order, 2, &random);
		for (size_t i = 0; i < 2; i++) {
			const struct took took =
				grow_with(order[i] ? options.readers : 0);

			if (order[i]) {
				followed[round] = took.growth;
				all[round] = took.all;
			} else {
				alone[round] = took.growth;
			}
		}
		ratios[round] = followed[round] / alone[round];
	}
	bench_print_summary("growth alone", "ms",
			    bench_summarise(alone, options.rounds));
	bench_print_summary("growth with readers that follow", "ms",
			    bench_summarise(followed, options.rounds));
	print_ratio(ratios);
	bench_print_summary("until all readers have followed", "ms",
			    bench_summarise(all, options.rounds));
}

/* A reader that had made a call under the filter would have ended the program. */
static void print_calls(void)
{
	if (!options.readers)
		return;
	if (board->is_filtered)
		printf("system calls of readers by vms_share_at: 0\n");
	else
		printf("system calls of readers: not known, without a filter\n");
	printf("their own waits: %.1f a reader and run\n",
	       (double)atomic_load(&board->sleeps) /
		       (double)(options.readers * options.rounds));
}

int main(int argc, char **argv)
{
	options.rounds = bench_option(argc, argv, "rounds", 21);
	options.mebibytes = bench_option(argc, argv, "mib", 1024);
	options.step = bench_option(argc, argv, "step", 1024) << 10;
	options.readers = bench_option(argc, argv, "readers", 3);
	options.wait = bench_option(argc, argv, "wait", 100);
	if (options.rounds == 0 || options.rounds > MAX_ROUNDS ||
	    options.readers > MAX_READERS || options.wait >= 1000000 ||
	    !options.step || steps() == 0) {
		fprintf(stderr, "bench-share: 1 to %d rounds, up to %d readers, waits below a second, a step at least\n",
			MAX_ROUNDS, MAX_READERS);
		return 2;
	}
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		fail("mmap");
	bench_print_header(argc, argv);
	bench_warm_memory(options.mebibytes << 20);
	compare();
	print_calls();
	return 0;
}
