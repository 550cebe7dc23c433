/* SPDX-License-Identifier: MIT */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* splitmix64: small, and the same on every machine for the same seed. */
struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Return a number below limit, which is not 0. */
static inline size_t random_below(struct random *random, size_t limit)
{
	return (size_t)(random_next(random) % limit);
}

static inline bool random_percent(struct random *random, unsigned percent)
{
	return random_below(random, 100) < percent;
}

/* Mix seed and index into a seed, so that each sequence can be replayed alone. */
static inline uint64_t random_mix(uint64_t seed, uint64_t index)
{
	struct random random = { seed ^ (index * 0xd1342543de82ef95u) };

	return random_next(&random);
}

#endif
