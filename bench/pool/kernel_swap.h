/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_KERNEL_SWAP_H
#define VMSI_BENCH_KERNEL_SWAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Swap of the kernel's for the time of a measurement, preferred to what the machine has.
 * It is the machine's, so other processes may use it meanwhile. A child makes it, and
 * takes it away when this process ends it or dies, however it dies: so begin it before
 * there are threads, and before group_enter.
 *
 * What a zram device keeps is not charged to a memory control group.
 */

enum kernel_swap_kind {
	KERNEL_SWAP_ZRAM, /* a device of its own, by lz4 where the kernel has that */
	KERNEL_SWAP_FILE, /* a file in a directory, written through */
};

struct kernel_swap {
	pid_t keeper;
	int end;          /* closed: the keeper takes the swap away */
	int device;       /* the number of the zram device; -1: a file */
};

/*
 * Begin. directory is that of the file. Returns NULL, or why the machine does not let it:
 * a reason to leave the measurement out, and to say so.
 */
const char *kernel_swap_begin(struct kernel_swap *swap, enum kernel_swap_kind kind,
			      const char *directory, size_t bytes);

/* Bytes of memory that the zram device takes; 0: it is a file. */
uint64_t kernel_swap_memory(const struct kernel_swap *swap);

/* Take it away. Who has memory in it has ended, or that is read back. */
void kernel_swap_end(struct kernel_swap *swap);

#endif
