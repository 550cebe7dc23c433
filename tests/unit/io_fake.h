/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_IO_FAKE_H
#define VMSI_TESTS_IO_FAKE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A ring that is not the kernel's, in the table vmsi_uring: it carries operations out
 * by calls of the host, late, in a random order, and with what a plan says.
 */

struct fake_plan {
	uint64_t seed;
	/* Of a hundred operations so many end with a part, or with one of the errnos. */
	unsigned shortened;
	unsigned put_off; /* EAGAIN, EINTR, ECANCELED: nothing was done */
	unsigned failed;  /* EIO */
	/* Of a hundred submissions so many are refused with EAGAIN, EBUSY, EINTR. */
	unsigned refused;
	/* After so many operations each submission is refused with break_error; 0: never. */
	unsigned breaks_after;
	int break_error;
	/* Of a hundred waits so many end with EINTR, and so many with EFAULT. */
	unsigned interrupted;
	unsigned wait_failed;
	int open_error; /* of open; 0: it succeeds */
};

void fake_install(const struct fake_plan *plan);
void fake_remove(void);

/* Go on as another plan says. */
void fake_change(const struct fake_plan *plan);

/* The next so many reaps find nothing: what is in flight comes later. */
void fake_delay(unsigned reaps);
#define FAKE_FOR_EVER 0xffffffffu

/* What was done since fake_install. */
struct fake_counts {
	unsigned operations; /* carried out */
	unsigned opened, closed;
	unsigned flying;     /* now */
	unsigned wakes;      /* of who waits for results */
	unsigned late;       /* reaps that found nothing, by fake_delay */
	unsigned misuses; /* two reapers, more in flight than entries, closed too early */
};
struct fake_counts fake_counts(void);

#endif
