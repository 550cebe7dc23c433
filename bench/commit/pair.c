/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/mman.h>

#include "bench.h"

/*
 * mmap and munmap of writable memory, again and again: under a commit limit
 * each mmap is asked about. Prints nanoseconds for a pair; with --prot 1 of
 * memory that is only read, which nobody is asked about.
 */

int main(int argc, char **argv)
{
	const size_t pairs = bench_option(argc, argv, "pairs", 20000);
	const int prot = (int)bench_option(argc, argv, "prot",
					   PROT_READ | PROT_WRITE);
	const size_t length = 65536;
	uint64_t start = bench_now();

	for (size_t i = 0; i < pairs; i++) {
		void *memory = mmap(NULL, length, prot,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED) {
			perror("mmap");
			return 1;
		}
		munmap(memory, length);
	}
	printf("%.0f\n", (double)(bench_now() - start) / (double)pairs);
	return 0;
}
