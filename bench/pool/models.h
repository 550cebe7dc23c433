/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_MODELS_H
#define VMSI_BENCH_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/pool.h>

/*
 * Who keeps pages, by name: LRU and CLOCK, which count and keep nothing, and a pool. Each
 * is told of one access after the other.
 */
struct model {
	bool is_clock;
	uint32_t slots, used, hand, first, last;
	uint32_t *slot_of;             /* of a page */
	uint32_t *page_of, *next, *previous;
	bool *is_used;
};

#define MODEL_NO_HINT ((enum vms_pool_hint)0)

enum model_kind { MODEL_LRU, MODEL_CLOCK };

/* Memory runs out: the program ends with status 1. */
struct model model_make(enum model_kind kind, uint32_t slots, uint32_t pages);
void model_free(struct model *model);

/* Returns whether the page was there. */
bool model_use(struct model *model, uint32_t page);

/*
 * A pool with about so many slots over an empty file of so many pages, which is in the
 * working directory or that of VMS_BENCH_DIRECTORY, and has no name.
 */
vms_pool *model_open_pool(uint32_t slots, uint32_t pages);
uint32_t model_slots_of(vms_pool *pool);

/* Bytes of RAM that it has. */
size_t model_ram_of(vms_pool *pool);

/* Fix a page and unfix it; hint is MODEL_NO_HINT, or what the pool is told of it. As model_use. */
bool model_use_pool(vms_pool *pool, uint32_t page, enum vms_pool_hint hint);

#endif
