/* SPDX-License-Identifier: MIT */
#include "file/stall.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "base/panic.h"
#include "host/chain.h"
#include "host/host.h"
#include "space/inside.h"

static struct vmsi_stall *_Atomic stalls;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static bool installed; /* guarded by `opening` */

/* --- the handler ------------------------------------------------------------------ */

static struct vmsi_stall *find(uintptr_t address)
{
	struct vmsi_stall *stall = atomic_load(&stalls);

	for (; stall; stall = atomic_load(&stall->next))
		if (address >= atomic_load(&stall->start) &&
		    address < atomic_load(&stall->end))
			return stall;
	return NULL;
}

/*
 * A store that has met the protection may come to its handler when it is gone already:
 * it is tried again then. One that fails at the same address again, though nothing was
 * stalled in between, has another reason.
 */
static bool is_worth_a_try(struct vmsi_stall *stall, uintptr_t address)
{
	static _Thread_local uintptr_t latest
		__attribute__((tls_model("initial-exec")));
	static _Thread_local uint64_t latest_stalls
		__attribute__((tls_model("initial-exec")));
	const uint64_t count = atomic_load(&stall->stalls);
	const bool again = latest == address && latest_stalls == count;

	latest = address;
	latest_stalls = count;
	return !again;
}

#define WAIT_NANOSECONDS 50000u

static void handle(int signal, siginfo_t *info, void *context)
{
	const uintptr_t address = (uintptr_t)info->si_addr;
	const int earlier = errno;
	struct vmsi_stall *stall = info->si_code == SEGV_ACCERR ?
		find(address) : NULL;

	if (!stall || !is_worth_a_try(stall, address)) {
		vmsi_chain_call(handle, signal, info, context);
		return;
	}
	while (atomic_load(&stall->stalling))
		vmsi_host.nanosleep(WAIT_NANOSECONDS);
	errno = earlier;
}

/* --- stalls ------------------------------------------------------------------------ */

static struct vmsi_stall *find_unused(void)
{
	struct vmsi_stall *stall = atomic_load(&stalls);

	while (stall && atomic_load(&stall->end) != 0)
		stall = atomic_load(&stall->next);
	return stall;
}

/* Make as many as fit on a page. */
static int make_more(void)
{
	const size_t bytes = vmsi_page_size();
	struct vmsi_stall *made = vmsi_records_get(NULL, bytes);

	if (!made)
		return -ENOMEM;
	for (size_t i = 0; i < bytes / sizeof(*made); i++) {
		atomic_store(&made[i].next, atomic_load(&stalls));
		atomic_store(&stalls, &made[i]);
	}
	return 0;
}

static int open_locked(struct vmsi_stall **stall, struct vmsi_range range)
{
	int error = installed ? 0 : vmsi_chain_install(SIGSEGV, handle);

	if (error)
		return error;
	installed = true;
	*stall = find_unused();
	if (!*stall) {
		error = make_more();
		if (error)
			return error;
		*stall = find_unused();
	}
	atomic_store(&(*stall)->start, range.start);
	atomic_store(&(*stall)->end, range.end);
	return 0;
}

int vmsi_stall_open(struct vmsi_stall **stall, struct vmsi_range range)
{
	int error;

	pthread_mutex_lock(&opening);
	error = open_locked(stall, range);
	pthread_mutex_unlock(&opening);
	return error;
}

void vmsi_stall_close(struct vmsi_stall *stall)
{
	pthread_mutex_lock(&opening);
	atomic_store(&stall->end, 0);
	pthread_mutex_unlock(&opening);
}

int vmsi_stall_begin(struct vmsi_stall *stall, struct vmsi_range part)
{
	long error;

	atomic_fetch_add(&stall->stalls, 1);
	atomic_store(&stall->stalling, 1);
	error = vmsi_host.mprotect(part.start, vmsi_range_length(part),
				   PROT_READ);
	if (error < 0)
		vmsi_stall_end(stall, part);
	return (int)error;
}

/*
 * The protection goes first: who is told that nothing is stalled must be able to store.
 * That is refused only where RLIMIT_DATA has been used up meanwhile, which other
 * threads may give back; the program cannot go on without.
 */
#define TRIES 100

void vmsi_stall_end(struct vmsi_stall *stall, struct vmsi_range part)
{
	int tries = 0;

	while (vmsi_host.mprotect(part.start, vmsi_range_length(part),
				  PROT_READ | PROT_WRITE) < 0) {
		if (++tries == TRIES)
			vmsi_panic("stores into an atomic file stay stalled");
		vmsi_host.nanosleep(WAIT_NANOSECONDS);
	}
	atomic_fetch_add(&stall->stalls, 1);
	atomic_store(&stall->stalling, 0);
}

/* Another thread may have held the mutex. */
void vmsi_stall_forked(struct vmsi_stall *stall, struct vmsi_range part)
{
	pthread_mutex_init(&opening, NULL);
	if (atomic_load(&stall->stalling))
		vmsi_stall_end(stall, part);
}
