/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_DEATH_H
#define VMSI_TESTS_DEATH_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vmspace.h>

/*
 * A program of a misuse does what is allowed, prints "misuse" and then does the one
 * thing that must end it. It exits with 2 if it fails before, with 0 if it survives.
 */

#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static inline size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static inline _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(2);
}

static inline vms_space *open_space(void)
{
	struct rlimit no_core = { 0, 0 };
	vms_space *space = vms_space_open((size_t)64 << 20, NULL);

	setrlimit(RLIMIT_CORE, &no_core);
	if (!space)
		give_up("vms_space_open");
	return space;
}

/* Map pages and write to them. */
static inline volatile char *map_pages(vms_space *space, size_t pages)
{
	char *memory = vms_mmap(space, NULL, pages * page_size(), RW, ANONYMOUS,
				-1, 0);

	if (memory == MAP_FAILED)
		give_up("vms_mmap");
	for (size_t i = 0; i < pages; i++)
		memory[i * page_size()] = (char)(i + 1);
	return memory;
}

static inline void must(int result, const char *what)
{
	if (result != 0)
		give_up(what);
}

/* Announce the misuse. */
static inline void misuse(void)
{
	if (write(STDOUT_FILENO, "misuse\n", 7) != 7)
		give_up("write");
}

#endif
