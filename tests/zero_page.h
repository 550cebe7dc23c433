/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_ZERO_PAGE_H
#define VMSI_TESTS_ZERO_PAGE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* "Rss:" of the mapping that begins at an address, KiB; -1: it is not told. */
static inline long resident_kib_at(uintptr_t address)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	bool is_it = false;
	uintptr_t start, end;
	char line[512];
	long kib = -1;

	while (smaps && kib < 0 && fgets(line, sizeof line, smaps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
			is_it = start == address;
		else if (is_it)
			(void)sscanf(line, "Rss: %ld", &kib);
	}
	if (smaps)
		fclose(smaps);
	return kib;
}

/*
 * Whether a read of untouched private memory brings in a page of the mapping's
 * own, which counts as resident and keeps its charge. On most hosts it brings in
 * the zero page that all mappings share; some have none.
 */
static inline bool read_brings_a_page(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, 3 * page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool brings;

	if (memory == MAP_FAILED)
		return false;
	/* It has neighbours of other rights, so it is a mapping by itself. */
	brings = mprotect(memory + page, page, PROT_READ | PROT_WRITE) == 0 &&
		*(volatile char *)(memory + page) == 0 &&
		resident_kib_at((uintptr_t)memory + page) > 0;
	munmap(memory, 3 * page);
	return brings;
}

#endif
