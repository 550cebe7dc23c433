/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_RING_STEPS_H
#define VMSI_TESTS_RING_STEPS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The layer of atomics for the explorer: before each access another thread may run, or
 * the own one end for good.
 */
void explorer_step(const void *word, size_t size);

#define VMSI_RING_STEP(word) explorer_step((const void *)(word), sizeof(*(word)))

/* A look more or less finds nothing else, but takes long here. */
#define VMSI_RING_LOOKS 1

/* A seeded fault: stores that are to come first are lost. */
#ifdef EXPLORER_LOST
#define vmsi_ring_store_relaxed(word, value) \
	(VMSI_RING_STEP(word), (void)(word), (void)(value))
#endif

/* A seeded fault: nobody hears that somebody sleeps. */
#ifdef EXPLORER_DEAF
#define vmsi_ring_take_bits(word, bits) (VMSI_RING_STEP(word), 0 & (bits))
#endif

/* A seeded fault: an exchange that is a comparison, and later a store. */
#ifdef EXPLORER_TORN
#define vmsi_ring_swap(word, seen, value) torn_swap(word, seen, value)

static inline bool torn_swap(_Atomic uint64_t *word, uint64_t seen, uint64_t value)
{
	VMSI_RING_STEP(word);
	if (atomic_load(word) != seen)
		return false;
	VMSI_RING_STEP(word);
	atomic_store(word, value);
	return true;
}
#endif

#endif
