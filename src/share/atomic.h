/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_ATOMIC_H
#define VMSI_SHARE_ATOMIC_H

/*
 * All accesses to the words of a share that processes change go through these macros. A
 * test compiles the room with a header of its own, VMSI_SHARE_STEPS, that defines
 * VMSI_SHARE_STEP to end the process, or to let another one write, before each of them.
 */
#ifdef VMSI_SHARE_STEPS
#include VMSI_SHARE_STEPS
#else
#define VMSI_SHARE_STEP(word) ((void)0)
#endif

#define vmsi_share_load(word) \
	(VMSI_SHARE_STEP(word), __atomic_load_n(word, __ATOMIC_ACQUIRE))

#define vmsi_share_store(word, value) \
	(VMSI_SHARE_STEP(word), __atomic_store_n(word, value, __ATOMIC_RELEASE))

/* What was there before. */
#define vmsi_share_exchange(word, value) \
	(VMSI_SHARE_STEP(word), __atomic_exchange_n(word, value, __ATOMIC_ACQ_REL))

/* Replace seen, if it is what the word has. False: the word has something else. */
#define vmsi_share_swap(word, seen, value) \
	(VMSI_SHARE_STEP(word), \
	 __atomic_compare_exchange_n(word, &(__typeof__(*(word))){ seen }, value, \
				     0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))

/* What is there then. */
#define vmsi_share_add(word, more) \
	(VMSI_SHARE_STEP(word), __atomic_add_fetch(word, more, __ATOMIC_ACQ_REL))

#define vmsi_share_set_bits(word, bits) \
	(VMSI_SHARE_STEP(word), __atomic_fetch_or(word, bits, __ATOMIC_ACQ_REL))

#endif
