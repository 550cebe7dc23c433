/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

/*
 * Touch memory and give it back at once.
 *
 *	growth-warm [--small BYTES] [--huge BYTES]
 *
 * A virtual machine's host may take free pages back and gives them again slowly:
 * what is measured next is to get pages that the host has just backed. Small
 * pages come first, because they use up the small pieces of free memory, which
 * is what another program's small pages will be taken from.
 */

static char *map_memory(size_t length, int advice)
{
	char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		return NULL;
	}
	/* Refused where the kernel has no huge pages; all are small then. */
	(void)madvise(memory, length, advice);
	return memory;
}

static int touch(size_t length, int advice)
{
	const size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	char *memory;

	if (length == 0)
		return 0;
	memory = map_memory(length, advice);
	if (!memory)
		return 1;
	for (size_t at = 0; at < length; at += page_size)
		memory[at] = 1;
	bench_use((uintptr_t)memory);
	return 0;
}

int main(int argc, char **argv)
{
	size_t small = bench_option(argc, argv, "small", 0);
	size_t huge = bench_option(argc, argv, "huge", 0);

	bench_check_options(argc, argv);
	return touch(small, MADV_NOHUGEPAGE) || touch(huge, MADV_HUGEPAGE);
}
