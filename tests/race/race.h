/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_RACE_H
#define VMSI_TESTS_RACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace.h>

#include "base/align.h"
#include "host/host.h"

/* A space, and threads of several kinds that use it at the same time. */

#define RACE_THREADS 8
#define RACE_WORKERS 3
#define RACE_FILE_PAGES 256

struct race {
	uint64_t seed;
	double seconds;
	vms_space *space;
	struct vmsi_range range;
	int file;                   /* word 0 of each page is its number plus one */
	atomic_bool stop;
	/* Each worker has a mapping that moves and is never unmapped. */
	_Atomic uint64_t handles[RACE_WORKERS];
	/* What happened, for the report. */
	atomic_ulong operations, foreign, landed, listings, reads, forks;
	/* The first thing that went wrong. */
	atomic_bool failed;
	char failure[256];
};

struct race_thread {
	pthread_t id;
	struct race *race;
	unsigned number;
	uint64_t random;
};

/*
 * Record the first failure and end the race. cmocka's asserts may be used in the
 * main thread only.
 */
void race_fail(struct race *race, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

size_t race_random(struct race_thread *thread, size_t below);

/* The kinds of threads; each runs until race.stop. */
void *race_worker(void *thread);
void *race_foreigner(void *thread);
void *race_lister(void *thread);
void *race_handle_reader(void *thread);
void *race_forker(void *thread);

#endif
