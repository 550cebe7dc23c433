/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_ATOMIC_H
#define VMSI_RING_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * All accesses to the words of a ring that processes share go through these macros. A
 * test compiles the room with a header of its own, VMSI_RING_STEPS, that defines
 * VMSI_RING_STEP to take another thread's turn, or to end the process, before each of
 * them; it may also replace a macro by a faulty one.
 */
#ifdef VMSI_RING_STEPS
#include VMSI_RING_STEPS
#else
#define VMSI_RING_STEP(word) ((void)0)
#endif

/* With acquire and release, where the name does not say otherwise. */
#define vmsi_ring_load(word) \
	(VMSI_RING_STEP(word), atomic_load_explicit(word, memory_order_acquire))

#define vmsi_ring_load_relaxed(word) \
	(VMSI_RING_STEP(word), atomic_load_explicit(word, memory_order_relaxed))

#define vmsi_ring_store(word, value) \
	(VMSI_RING_STEP(word), \
	 atomic_store_explicit(word, value, memory_order_release))

#ifndef vmsi_ring_store_relaxed
#define vmsi_ring_store_relaxed(word, value) \
	(VMSI_RING_STEP(word), \
	 atomic_store_explicit(word, value, memory_order_relaxed))
#endif

#ifndef vmsi_ring_swap
/* Replace seen, if it is what the word has. False: the word has something else. */
#define vmsi_ring_swap(word, seen, value) \
	(VMSI_RING_STEP(word), \
	 atomic_compare_exchange_strong_explicit( \
		 word, &(uint64_t){ seen }, value, memory_order_acq_rel, \
		 memory_order_acquire))
#endif

/* Of the words that threads sleep on, in one order for all. */
#define vmsi_ring_add_bits(word, bits) \
	(VMSI_RING_STEP(word), atomic_fetch_or(word, bits))

#ifndef vmsi_ring_take_bits
#define vmsi_ring_take_bits(word, bits) \
	(VMSI_RING_STEP(word), atomic_fetch_and(word, ~(bits)))
#endif

#define vmsi_ring_count(word, more) \
	(VMSI_RING_STEP(word), \
	 (void)atomic_fetch_add_explicit(word, more, memory_order_relaxed))

#endif
