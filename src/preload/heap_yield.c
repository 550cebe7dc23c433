/* SPDX-License-Identifier: MIT */
#include "preload/heap.h"

#include "base/reclaim.h"

/*
 * What the heap retains of freed memory goes back before a request of the
 * program is refused, whoever refuses it: a limit of the process, a group's, or
 * the host. The request is made again where something has gone back, and only
 * then: a request that is refused on demand is to fail otherwise.
 */

/* Calls of this thread that may hold locks of the heap; see heap_large.c. */
static __thread unsigned inside __attribute__((tls_model("initial-exec")));

void vmsi_interposer_enter(void)
{
	inside++;
}

void vmsi_interposer_leave(void)
{
	inside--;
}

/* No more than this are all addresses of a process. */
#define ADDRESSES ((size_t)1 << 47)

bool vmsi_interposer_yields(size_t bytes)
{
	/* A signal handler may have interrupted the heap. */
	if (bytes == 0 || bytes >= ADDRESSES || inside ||
	    vmsi_interposer_is_forking() || !vmsi_interposer_if_open())
		return false;
	return vmsi_reclaim(NULL, vmsi_reclaim_moment());
}
