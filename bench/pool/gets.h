/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_GETS_H
#define VMSI_BENCH_GETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What looks up records of 8 bytes by keys of 8 bytes, 0 to count - 1, mixed. */
struct contender {
	const char *name;
	bool is_resident;      /* it has its data in memory that it takes: none may be short */
	/* Make the data, in a file where it needs one. */
	void (*make)(const char *directory, uint64_t count);
	/* Open it with so much RAM; a contender that knows no limit is in a group of it. */
	void (*open)(const char *directory, uint64_t count, size_t ram);
	/* The value of a key, which is there. Any number of threads. */
	uint64_t (*get)(uint64_t key);
	void (*close)(void);
};

extern const struct contender gets_malloc, gets_frames, gets_addressed, gets_fix, gets_mmap;
extern const struct contender gets_lmdb;

/* The file whose pages are looked at. */
void gets_path(char *path, size_t size, const char *directory, const char *name);
_Noreturn void gets_fail(const char *what);

/* A key as it is stored, and its value: in an order that is not that of the numbers. */
static inline uint64_t gets_value(uint64_t key)
{
	return key * UINT64_C(0x9e3779b97f4a7c15) ^ key >> 29;
}

#endif
