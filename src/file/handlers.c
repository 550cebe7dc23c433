/* SPDX-License-Identifier: MIT */
#include "file/handlers.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mman.h"
#include "host/host.h"

/*
 * Two counts, of which new handlers take one. Whoever waits has seen each at zero once:
 * then all that were there have left. Meanwhile he has new ones take the other, so that
 * the count that he looks at comes to zero, however many faults there are.
 */
struct handlers {
	_Atomic unsigned phase;
	_Atomic unsigned inside[2];
};

static struct handlers *_Atomic handlers;

static struct handlers *all(void)
{
	return atomic_load_explicit(&handlers, memory_order_acquire);
}

/* Threads that come here at once make a page each, and all but one give it back. */
int vmsi_handlers_open(void)
{
	const size_t bytes = vmsi_page_size();
	struct handlers *none = NULL;
	long page, error;

	if (all())
		return 0;
	page = vmsi_host.mmap(0, bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page < 0)
		return (int)page;
	error = vmsi_host.madvise((uintptr_t)page, bytes, MADV_WIPEONFORK);
	if (error < 0 ||
	    !atomic_compare_exchange_strong(&handlers, &none,
					    (struct handlers *)page))
		vmsi_host.munmap((uintptr_t)page, bytes);
	return (int)error;
}

unsigned vmsi_handler_enter(void)
{
	const unsigned phase = atomic_load(&all()->phase) & 1;

	atomic_fetch_add(&all()->inside[phase], 1);
	return phase;
}

void vmsi_handler_leave(unsigned phase)
{
	atomic_fetch_sub(&all()->inside[phase], 1);
}

void vmsi_handlers_wait(void)
{
	if (!all())
		return;
	for (unsigned i = 0; i < 2; i++)
		while (atomic_load(&all()->inside[i])) {
			atomic_store(&all()->phase, 1 - i);
			vmsi_host.yield();
		}
}
