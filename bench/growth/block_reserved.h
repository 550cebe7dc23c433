/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_GROWTH_BLOCK_RESERVED_H
#define VMSI_BENCH_GROWTH_BLOCK_RESERVED_H

/* Whether the memory is touched before the clock runs; the program's choice. */
enum block_state { BLOCK_FRESH, BLOCK_RESIDENT };

extern const enum block_state block_state;

#endif
