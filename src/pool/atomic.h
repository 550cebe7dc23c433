/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_ATOMIC_H
#define VMSI_POOL_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * All accesses to the words of pages go through these, but for those of the public
 * header. They are plain integers there, so that C++ can read them, and the built-ins of
 * the compilers make the accesses atomic.
 *
 * A test compiles word.c with a header of its own, VMSI_POOL_STEPS, that defines
 * VMSI_POOL_STEP to take another thread's turn before each access; it may also ask for a
 * faulty exchange.
 */
#ifdef VMSI_POOL_STEPS
#include VMSI_POOL_STEPS
#else
#define VMSI_POOL_STEP(word) ((void)0)
/* How often who is to sleep looks before. */
#define VMSI_POOL_LOOKS 64
/* How many changes of a word a reader lets by for who waits. */
#define VMSI_POOL_PATIENCE 64
#endif

/* Before a thread looks once more at what another is about to change. */
static inline void vmsi_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

static inline uint64_t vmsi_word_load(const uint64_t *word)
{
	VMSI_POOL_STEP(word);
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Replace *seen, if it is what the word has; otherwise *seen becomes what it has. */
static inline bool vmsi_word_swap(uint64_t *word, uint64_t *seen, uint64_t value)
{
	VMSI_POOL_STEP(word);
#ifdef VMSI_POOL_TORN
	/* A fault that a test must find. */
	if (*word != *seen) {
		*seen = *word;
		return false;
	}
	VMSI_POOL_STEP(word);
	*word = value;
	return true;
#endif
	return __atomic_compare_exchange_n(word, seen, value, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static inline uint64_t vmsi_word_take_bits(uint64_t *word, uint64_t bits)
{
	VMSI_POOL_STEP(word);
	return __atomic_fetch_and(word, ~bits, __ATOMIC_ACQ_REL);
}

/*
 * After a word was changed so that optimistic readers must fail, and before the bytes of
 * its page are: who sees any of these sees the word.
 */
static inline void vmsi_word_fence(void)
{
#if defined(__SANITIZE_THREAD__)
	/* It knows no fences, and gcc refuses them. Reads that race are not looked at. */
#else
	__atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/* What was read before is read before a word, or another sign of a change, is. */
static inline void vmsi_word_read_fence(void)
{
#if !defined(__SANITIZE_THREAD__)
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

#endif
