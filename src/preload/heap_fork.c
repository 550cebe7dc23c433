/* SPDX-License-Identifier: MIT */
#include "preload/heap_fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <vmspace/heap.h>

#include "heap/watch.h"
#include "preload/heap_forking.h"
#include "preload/heap_open.h"
#include "preload/heap_yield.h"

/*
 * Before fork(2) the handlers run that were registered last first, and afterwards
 * the other way round. A handler of the program may take a lock that another thread
 * holds while it waits for the heap. So the handlers of the heap are registered by
 * the first call that reaches this library, and lock the heap after those of the
 * program. A handler that was registered even earlier runs while the heap is
 * locked, and may allocate:
 *
 *    program  ours  heap: locked  early | fork | early  heap: unlocked  ours  program
 *             |<-------------------- forking ------------------------------>|
 *
 * In between the forking thread gets its memory from the next malloc, and the
 * blocks of the heap that it frees wait (heap_forking.c).
 */

static void before(void)
{
	vmsi_interposer_set_forking(true);
}

static void after(void)
{
	void *block;

	vmsi_interposer_set_forking(false);
	vmsi_interposer_enter();
	while ((block = vmsi_interposer_take_waiting()))
		vms_heap_free(vmsi_interposer_if_open(), block);
	vmsi_interposer_leave();
}

/* These are registered last, so that all others of the library run within them. */
void vmsi_interposer_watch_fork(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (atomic_flag_test_and_set(&done))
		return;
	vmsi_heap_handle_fork();
	(void)pthread_atfork(before, after, after);
}
