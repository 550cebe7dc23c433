/* SPDX-License-Identifier: MIT */
#include "file/handlers.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

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
	struct handlers *none = NULL;
	long page;

	if (all())
		return 0;
	page = vmsi_host_wiped_page();
	if (page < 0)
		return (int)page;
	if (!atomic_compare_exchange_strong(&handlers, &none,
					    (struct handlers *)page))
		vmsi_host.munmap((uintptr_t)page, vmsi_page_size());
	return 0;
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
