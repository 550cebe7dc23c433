/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_FILE_CONTENDER_H
#define VMSI_BENCH_FILE_CONTENDER_H

#include <stddef.h>
#include <stdint.h>

/*
 * What commits pages of a file of PAGES pages, or records as large as a page holds, all
 * or none, and durable when the call returns. A failure ends the program.
 */
#define PAGE_BYTES ((size_t)4096)

struct contender {
	const char *name;
	/* Make a file of so many pages in a directory, durable. */
	void (*make)(const char *directory, size_t pages);
	/* What a thread needs, once for each. */
	void *(*join)(void);
	void (*leave)(void *thread);
	/* Change a number of pages, which differ, and commit. */
	void (*commit)(void *thread, const uint32_t *pages, size_t count,
		       uint64_t stamp);
	void (*remove)(const char *directory);
};

extern const struct contender contender_floor;   /* pwrite and fdatasync: not atomic */
extern const struct contender contender_vmspace;
extern const struct contender contender_lmdb;
extern const struct contender contender_sqlite;

_Noreturn void bench_fail(const char *what);

/* DIRECTORY/NAME in a buffer of its own for each of the calls of one thread. */
const char *bench_path(const char *directory, const char *name);

#endif
