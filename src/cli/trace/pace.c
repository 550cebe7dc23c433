/* SPDX-License-Identifier: MIT */
#include "cli/trace/pace.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

/* Of a thousand parts of the time: so much is the recorder's. */
#define TIME_SHARE 15
/* So long it may go on at once where it did nothing before. */
#define TIME_MOST (5 * MS)

/* Less than a MiB a minute; and a MiB for what begins. */
#define BYTES_A_SECOND 12000
#define BYTES_MOST (1 << 20)

/*
 * A look costs what the program is large, so the first moments are seen in detail and
 * later ones less so: at any time of a long recording about as much is seen of its last
 * tenth.
 */
#define AGE_SHARE 256
#define EVERY_LEAST (4 * MS)
#define EVERY_MOST (250 * MS)

struct vmsi_pace vmsi_pace_begin(uint64_t every)
{
	return (struct vmsi_pace){
		.every = every, .time = TIME_MOST, .bytes = BYTES_MOST,
	};
}

static int64_t less(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void vmsi_pace_advance(struct vmsi_pace *pace, uint64_t now)
{
	/* Nothing grows for longer than this, so the products fit. */
	const int64_t passed = less((int64_t)(now - pace->now), 3600 * SECOND);

	pace->now = now;
	pace->time = less(pace->time + passed * TIME_SHARE / 1000, TIME_MOST);
	pace->bytes = less(pace->bytes + passed / MS * BYTES_A_SECOND / 1000,
			   BYTES_MOST);
}

void vmsi_pace_spend(struct vmsi_pace *pace, uint64_t time, uint64_t bytes)
{
	pace->time -= (int64_t)time;
	pace->bytes -= (int64_t)bytes;
}

bool vmsi_pace_allows(const struct vmsi_pace *pace)
{
	return pace->time > 0 && pace->bytes > 0;
}

static int64_t interval(const struct vmsi_pace *pace)
{
	const int64_t age = (int64_t)(pace->now / AGE_SHARE);

	if (pace->every)
		return (int64_t)pace->every;
	return age < EVERY_LEAST ? EVERY_LEAST : less(age, EVERY_MOST);
}

uint64_t vmsi_pace_wait(const struct vmsi_pace *pace)
{
	int64_t wait = interval(pace);

	if (pace->time < 0 && -pace->time * 1000 / TIME_SHARE > wait)
		wait = -pace->time * 1000 / TIME_SHARE;
	if (pace->bytes < 0 && -pace->bytes * SECOND / BYTES_A_SECOND > wait)
		wait = -pace->bytes * SECOND / BYTES_A_SECOND;
	return (uint64_t)wait;
}
