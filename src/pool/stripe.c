/* SPDX-License-Identifier: MIT */
#include "pool/pool.h"

/* Which of the stripes of figures a thread keeps to, and where its errno is. */

_Thread_local uintptr_t vmsi_pool_place;
_Thread_local int *vmsi_pool_errno;

/* Threads take the stripes in turn. */
void vmsi_pool_take_place(void)
{
	static _Atomic unsigned threads;

	vmsi_pool_errno = &errno;
	/* A handler of a signal that comes in between takes both itself. */
	atomic_signal_fence(memory_order_release);
	vmsi_pool_place = 1 + atomic_fetch_add(&threads, 1) % VMSI_STRIPES *
		sizeof(struct vmsi_stripe);
}
