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
 * What a program of a misuse is made of. It does all that is allowed, says
 * "misuse" on standard output and then does the one thing that must end it. A
 * program that fails before exits with 2, one that survives with 0.
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

/* Memory of a number of pages that have been written to. */
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

/* From here on the program must not get far. */
static inline void misuse(void)
{
	if (write(STDOUT_FILENO, "misuse\n", 7) != 7)
		give_up("write");
}

#endif
