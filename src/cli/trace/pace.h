/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PACE_H
#define VMSI_CLI_PACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How often the recorder looks: it has an allowance of time, and one of bytes of the
 * file, which grow as time passes and are spent by what it does. Times are nanoseconds
 * since the recording began.
 */
struct vmsi_pace {
	uint64_t every;  /* what was asked for; 0: by the age of the recording */
	uint64_t now;    /* up to when the allowances have grown */
	int64_t time;    /* what may be spent; below 0: it is to be waited for */
	int64_t bytes;
};

struct vmsi_pace vmsi_pace_begin(uint64_t every);

void vmsi_pace_advance(struct vmsi_pace *pace, uint64_t now);
void vmsi_pace_spend(struct vmsi_pace *pace, uint64_t time, uint64_t bytes);

/* Whether something more may be done at once. */
bool vmsi_pace_allows(const struct vmsi_pace *pace);

/* How long to wait from now on. */
uint64_t vmsi_pace_wait(const struct vmsi_pace *pace);

#endif
