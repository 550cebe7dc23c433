/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_FLUSHER_H
#define VMSI_TESTS_POOL_FLUSHER_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "pool_fixture.h"

/* A flush by another thread: its errno, or 0. */
struct flusher {
	pthread_t thread;
	vms_pool *pool;
	int error;
};

static inline void *flush(void *argument)
{
	struct flusher *flusher = argument;

	flusher->error = vms_pool_flush(flusher->pool, VMS_POOL_ALL, NULL, NULL) ? errno : 0;
	return NULL;
}

static inline void begin_flush(struct flusher *flusher, vms_pool *pool)
{
	*flusher = (struct flusher){ .pool = pool };
	assert_int_equal(pthread_create(&flusher->thread, NULL, flush, flusher), 0);
}

static inline int end_flush(struct flusher *flusher)
{
	assert_int_equal(pthread_join(flusher->thread, NULL), 0);
	return flusher->error;
}

static inline void wait_for(_Atomic unsigned *figure, unsigned value)
{
	while (atomic_load(figure) < value)
		(void)sched_yield();
}

#endif
