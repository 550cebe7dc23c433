/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_SUSTAINED_H
#define VMSI_BENCH_SUSTAINED_H

#include <stddef.h>

#include "../file/contender.h"

/* Pools with a log that is written ahead; the others are those of bench/file. */
extern const struct contender sustained_pool, sustained_whole;

/* Have all that a pool has changed in place. */
void sustained_finish(void);

/* Of a transaction. */
#define PAGES_MOST 256

/* The RAM that a pool gets. */
extern size_t sustained_ram;

#endif
