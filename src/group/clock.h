/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_CLOCK_H
#define VMSI_GROUP_CLOCK_H

#include <stdint.h>
#include <time.h>

/* The clock of a supervisor, in nanoseconds. */
static inline uint64_t vmsi_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Milliseconds until a moment, but no more than most; 0: it is over. */
static inline int vmsi_ms_until(uint64_t moment, int most)
{
	const uint64_t now = vmsi_now();

	if (now >= moment)
		return 0;
	return (moment - now) / 1000000 < (uint64_t)most ?
		(int)((moment - now) / 1000000) + 1 : most;
}

#endif
