/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_LEAKS_H
#define VMSI_CLI_SWEEP_LEAKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Leaks: blocks that nothing points to when the program ends, as LeakSanitizer reports
 * them. Those that are left by a good run are known, by the stack that has allocated
 * them, and are not the fault of a trial.
 */

/* Debian's package is liblsan0. */
#define VMSI_SWEEP_LEAKS_LIBRARY "liblsan.so.0"

/* So many stacks are known at most; further ones are taken for new. */
#define VMSI_SWEEP_LEAKS_KNOWN 4096

/* In shared memory. */
struct vmsi_sweep_leaks {
	size_t count;
	uint64_t known[VMSI_SWEEP_LEAKS_KNOWN]; /* hashes of stacks */
};

/* Bytes for a leak as text, and a final 0. */
#define VMSI_SWEEP_LEAK ((size_t)4 << 10)

/* Open a file that a program's report is appended to. Returns it or -errno. */
int vmsi_sweep_leaks_open(void);

/* Empty the file, for the next run. Returns 0 or -errno. */
int vmsi_sweep_leaks_clear(int file);

/* Know the leaks of a report from now on. */
void vmsi_sweep_leaks_learn(struct vmsi_sweep_leaks *leaks, int file);

/*
 * Whether a report has leaks that are not known. leak becomes the first of them: how
 * much, and a line a frame.
 */
bool vmsi_sweep_leaks_find(const struct vmsi_sweep_leaks *leaks, int file,
			   char leak[VMSI_SWEEP_LEAK]);

#endif
