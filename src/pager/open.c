/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>

#include "host/host.h"
#include "pager/engines.h"
#include "pager/entries.h"

/* Which engine is in force, and the calls that ask it. */

/* --- engines --------------------------------------------------------------------------------- */

/* The handler comes first: whatever faults, it is there. */
static int open_signal(struct vmsi_pager *pager)
{
	int error = vmsi_signals_install(SIGBUS);

	pager->engine = VMSI_PAGER_SIGNAL;
	if (!error)
		error = vmsi_entry_add(pager);
	if (error)
		return error;
	error = vmsi_watch_open_signal(pager);
	if (error)
		vmsi_entry_remove(pager);
	return error;
}

static int open_server(struct vmsi_pager *pager)
{
	int error;

	pager->engine = VMSI_PAGER_SERVER;
	error = vmsi_watch_open_messages(pager);
	if (error)
		return error;
	error = vmsi_server_start(pager);
	if (error)
		vmsi_watch_close(pager);
	return error;
}

static int open_protect(struct vmsi_pager *pager)
{
	int error = vmsi_signals_install(SIGSEGV);

	pager->engine = VMSI_PAGER_PROTECT;
	pager->is_for_kernel = false;
	if (!error)
		error = vmsi_entry_add(pager);
	if (error)
		return error;
	error = vmsi_protect_open(pager);
	if (error)
		vmsi_entry_remove(pager);
	return error;
}

int vmsi_pager_open(struct vmsi_pager *pager, struct vmsi_range range, unsigned flags,
		    vmsi_pager_resolve resolve, void *context)
{
	int error;

	*pager = (struct vmsi_pager){
		.range = range,
		.resolve = resolve,
		.context = context,
		.fd = -1,
		.bell = -1,
	};
	if (!(flags & VMSI_PAGER_SERVED)) {
		pager->problem = open_signal(pager);
		if (!pager->problem)
			return 0;
	}
	error = open_server(pager);
	if (!error)
		return 0;
	if (!pager->problem)
		pager->problem = error;
	return open_protect(pager);
}

/*
 * The child of a fork that comes meanwhile closes what it finds, and that must not be the
 * number of a descriptor that somebody else has got since.
 */
static void close_memory(struct vmsi_pager *pager)
{
	const int fd = pager->fd;

	pager->fd = -1;
	if (fd >= 0)
		(void)vmsi_host.close(fd);
}

void vmsi_pager_close(struct vmsi_pager *pager)
{
	vmsi_server_end(pager);
	vmsi_entry_remove(pager);
	close_memory(pager);
}

void vmsi_pager_forked(struct vmsi_pager *pager)
{
	if (pager->has_server)
		(void)vmsi_host.close(pager->bell);
	pager->has_server = false;
	vmsi_entry_remove(pager);
	close_memory(pager);
}

/* --- memory ------------------------------------------------------------------------------------ */

int vmsi_pager_bring(const struct vmsi_pager *pager, uintptr_t address, const char *bytes,
		     size_t length, enum vmsi_stores stores)
{
	if (pager->engine == VMSI_PAGER_PROTECT)
		return vmsi_protect_bring(pager, address, bytes, length, stores);
	return vmsi_watch_bring(pager, address, bytes, length, stores);
}

int vmsi_pager_set_stores(const struct vmsi_pager *pager, struct vmsi_range range,
			  enum vmsi_stores stores)
{
	if (pager->engine == VMSI_PAGER_PROTECT)
		return vmsi_protect_set_stores(pager, range, stores);
	return vmsi_watch_set_stores(pager, range, stores);
}

int vmsi_pager_take(const struct vmsi_pager *pager, struct vmsi_range range)
{
	if (pager->engine == VMSI_PAGER_PROTECT)
		return vmsi_protect_take(pager, range);
	return vmsi_watch_take(range);
}
