/* SPDX-License-Identifier: MIT */
#include "preload/heap.h"

#include <pthread.h>

/*
 * fork(2) runs the handlers that were registered last first, and afterwards the
 * other way round. Those of the program that were there before the heap run
 * while the heap is locked, and may allocate:
 *
 *    ours  heap: locked  program | fork | program  heap: unlocked  ours
 *    |<----------------------- forking ------------------------------>|
 *
 * In between the forking thread gets its memory from the next malloc, and the
 * blocks of the heap that it frees wait.
 */

static __thread bool forking __attribute__((tls_model("initial-exec")));

/* Blocks that wait, each with the address of the next one in it. */
static __thread void **waiting __attribute__((tls_model("initial-exec")));

bool vmsi_front_is_forking(void)
{
	return forking;
}

void vmsi_front_free_later(void *block)
{
	*(void **)block = waiting;
	waiting = block;
}

static void before(void)
{
	forking = true;
}

static void after(void)
{
	forking = false;
	while (waiting) {
		void *block = waiting;

		waiting = *(void **)block;
		vmsi_front_free(block);
	}
}

/* Once the heap has registered its own. */
void vmsi_front_watch_fork(void)
{
	(void)pthread_atfork(before, after, after);
}
