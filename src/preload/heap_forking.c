/* SPDX-License-Identifier: MIT */
#include "preload/heap_forking.h"

#include <stdbool.h>
/* Whether this thread is between before() and after() of heap_fork.c. */
static __thread bool forking __attribute__((tls_model("initial-exec")));

/* Blocks to be freed afterwards, each with the address of the next one in it. */
static __thread void **waiting __attribute__((tls_model("initial-exec")));

bool vmsi_interposer_is_forking(void)
{
	return forking;
}

void vmsi_interposer_set_forking(bool now)
{
	forking = now;
}

void vmsi_interposer_free_later(void *block)
{
	*(void **)block = waiting;
	waiting = block;
}

void *vmsi_interposer_take_waiting(void)
{
	void *block = waiting;

	if (block)
		waiting = *(void **)block;
	return block;
}
