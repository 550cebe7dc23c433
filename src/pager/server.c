/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <signal.h>

#include "base/panic.h"
#include "host/host.h"
#include "pager/engines.h"

/* The thread that faults are told to. */

/* Addresses of its stack. */
#define STACK ((size_t)256 << 10)

/* Between two looks, where the host cannot wait. */
#define PAUSE 1000000u

static enum vmsi_access access_of(const struct uffd_msg *message)
{
	return message->arg.pagefault.flags &
			(UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP) ?
		VMSI_ACCESS_STORE : VMSI_ACCESS_LOAD;
}

/*
 * Without poison nobody can be told, and a thread would wait for ever: the program cannot
 * go on, as it could not without the thread's access.
 */
static void fail(const struct vmsi_pager *pager, uintptr_t address)
{
	if (!pager->has_poison)
		vmsi_panic("a page that a thread has touched cannot be read");
	/* Where it cannot be poisoned now the thread touches it again. */
	(void)vmsi_watch_poison(pager, address);
	(void)vmsi_watch_wake(pager, address);
}

static void serve(const struct vmsi_pager *pager, const struct uffd_msg *message)
{
	const uintptr_t address = (uintptr_t)message->arg.pagefault.address;

	if (message->event != UFFD_EVENT_PAGEFAULT)
		return;
	if (pager->resolve(pager->context, address, access_of(message)) == 0)
		(void)vmsi_watch_wake(pager, address);
	else
		fail(pager, address);
}

/* Nothing to read, though there was something, is no error: its thread has ended. */
static void serve_all(const struct vmsi_pager *pager)
{
	struct uffd_msg message;

	while (vmsi_host.read(pager->fd, &message, sizeof(message)) ==
	       (long)sizeof(message))
		serve(pager, &message);
}

static void *run(void *context)
{
	const struct vmsi_pager *pager = context;

	while (!atomic_load(&pager->server_ends)) {
		if (vmsi_host.wait_readable(pager->fd, pager->bell) < 0)
			(void)vmsi_host.nanosleep(PAUSE);
		serve_all(pager);
	}
	return NULL;
}

int vmsi_server_start(struct vmsi_pager *pager)
{
	const long bell = vmsi_host.eventfd();
	long error;

	if (bell < 0)
		return (int)bell;
	pager->bell = (int)bell;
	error = vmsi_host.start_thread(&pager->server, STACK, run, pager);
	pager->has_server = error == 0;
	if (error)
		(void)vmsi_host.close(pager->bell);
	return (int)error;
}

void vmsi_server_end(struct vmsi_pager *pager)
{
	const uint64_t one = 1;

	if (!pager->has_server)
		return;
	atomic_store(&pager->server_ends, true);
	while (vmsi_host.write(pager->bell, &one, sizeof(one)) < 0)
		(void)vmsi_host.yield();
	vmsi_host.join_thread(pager->server);
	/* First: a child of fork closes the bell of a server that there is. */
	pager->has_server = false;
	(void)vmsi_host.close(pager->bell);
}
