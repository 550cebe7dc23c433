/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_GETS_H
#define VMSI_BENCH_GETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VALUE_MOST 1024u

/* What is looked up: keys of 8 bytes, 0 to count - 1, with values of one size. */
struct gets_data {
	uint64_t count;
	size_t value_size;     /* bytes, 8 to VALUE_MOST */
	bool is_direct;        /* what can is to read past the page cache */
};

extern struct gets_data gets_data;

/* What looks them up. */
struct contender {
	const char *name;
	const char *file;      /* what it reads; NULL: it has its data in memory that it takes */
	bool is_limited;       /* it keeps to its RAM; others are in a group of that RAM */
	bool is_ours;
	/* Make the file. NULL: another contender does. */
	void (*make)(void);
	void (*open)(size_t ram);
	/* Copy the value of a key, which is there. Any number of threads. */
	void (*get)(uint64_t key, void *value);
	void (*close)(void);
};

extern const struct contender gets_malloc, gets_mmap, gets_frames, gets_addressed, gets_fix;
extern const struct contender gets_textbook, gets_vmcache, gets_lmdb;

/* The path of a file of the run. */
void gets_path(char *path, size_t size, const char *name);
/* Bytes of the tree's file. */
size_t gets_tree_size(void);
/* Open it, past the page cache if that is wanted. */
int gets_open_tree(void);
_Noreturn void gets_fail(const char *what);

/* A value begins with what depends on all of its key, and ends with a byte that does. */
static inline void gets_make_value(uint64_t key, unsigned char *value)
{
	const uint64_t first = key * UINT64_C(0x9e3779b97f4a7c15) ^ key >> 29;

	memset(value, (int)(key & 0x7f), gets_data.value_size);
	memcpy(value, &first, sizeof(first));
}

static inline bool gets_is_value(uint64_t key, const unsigned char *value)
{
	const uint64_t first = key * UINT64_C(0x9e3779b97f4a7c15) ^ key >> 29;

	return memcmp(value, &first, sizeof(first)) == 0 &&
		(gets_data.value_size == 8 ||
		 value[gets_data.value_size - 1] == (key & 0x7f));
}

#endif
