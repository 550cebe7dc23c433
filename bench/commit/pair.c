/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

/*
 * mmap and munmap of writable memory, again and again: under a commit limit
 * each mmap is asked about. Prints nanoseconds for a pair; with --prot 1 of
 * memory that is only read, which nobody is asked about; with --calls N of N
 * calls of getppid, which can have nothing to do with memory.
 */

static uint64_t time_pairs(size_t pairs, int prot)
{
	const size_t length = 65536;
	const uint64_t start = bench_now();

	for (size_t i = 0; i < pairs; i++) {
		void *memory = mmap(NULL, length, prot,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED) {
			perror("mmap");
			exit(1);
		}
		munmap(memory, length);
	}
	return bench_now() - start;
}

static uint64_t time_calls(size_t calls)
{
	const uint64_t start = bench_now();

	for (size_t i = 0; i < calls; i++)
		bench_use((uintptr_t)syscall(SYS_getppid));
	return bench_now() - start;
}

int main(int argc, char **argv)
{
	const size_t pairs = bench_option(argc, argv, "pairs", 20000);
	const int prot = (int)bench_option(argc, argv, "prot",
					   PROT_READ | PROT_WRITE);
	const size_t calls = bench_option(argc, argv, "calls", 0);

	bench_check_options(argc, argv);
	printf("%.1f\n", calls ? (double)time_calls(calls) / (double)calls :
				(double)time_pairs(pairs, prot) / (double)pairs);
	return 0;
}
