/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_GROWTH_BLOCK_H
#define VMSI_BENCH_GROWTH_BLOCK_H

#include <stddef.h>

/*
 * A block that grows. Each program has the four functions from a file of its
 * own, so that all run the same patterns: malloc's block, a vms_buffer, and
 * memory that needs no growing. A call that fails ends the program.
 */
struct block {
	char *data;
	size_t size;
	void *own;      /* whatever the four functions need */
	size_t length;  /* of it, in bytes */
};

/* Get ready for at most maximum bytes, before the clock runs. */
void block_prepare(struct block *block, size_t maximum);

/* Make it size bytes long, which is more than it has. */
void block_grow(struct block *block, size_t size);

/* Give the memory back as a program would; the block can grow again. */
void block_free(struct block *block);

/* Undo block_prepare. */
void block_finish(struct block *block);

#endif
