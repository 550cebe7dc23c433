/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

/*
 * A process with many mappings: every other page of a large one may be written to, and
 * has been. Says "ready" when it has them, and stays until its standard input ends.
 */

int main(int argc, char **argv)
{
	const size_t count = bench_option(argc, argv, "mappings", 60000);
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory;

	bench_check_options(argc, argv);
	memory = mmap(NULL, count * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (size_t i = 1; i < count; i += 2) {
		if (mprotect(memory + i * page, page, PROT_READ | PROT_WRITE)) {
			perror("mprotect");
			return 1;
		}
		memory[i * page] = 1;
	}
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
