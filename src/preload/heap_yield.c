/* SPDX-License-Identifier: MIT */
#include "preload/heap_yield.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/reclaim.h"
#include "preload/heap_forking.h"
#include "preload/heap_open.h"

/*
 * Before a request of the program is refused, the heap gives back what it retains,
 * whoever refuses: a limit of the process, a group's, or the host. The request is
 * made again only if something has gone back: a test that makes a call fail on
 * purpose is to see it fail.
 */

/* How many calls of this thread are inside the heap, and may hold its locks. */
static __thread unsigned inside __attribute__((tls_model("initial-exec")));

void vmsi_interposer_enter(void)
{
	inside++;
}

void vmsi_interposer_leave(void)
{
	inside--;
}

/* A process has no more addresses than this. */
#define ADDRESSES ((size_t)1 << 47)

bool vmsi_interposer_yields(size_t bytes)
{
	/* A call inside the heap may be one that a signal handler has interrupted. */
	if (bytes == 0 || bytes >= ADDRESSES || inside ||
	    vmsi_interposer_is_forking() || !vmsi_interposer_if_open())
		return false;
	return vmsi_reclaim(NULL, vmsi_reclaim_moment());
}
