/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

/*
 * A signal that ends the sweep is noted in shared memory, where each worker
 * looks: only the worker can kill all processes of its program, which may ignore
 * signals and leave their process group. The sweep ends after its workers.
 */

/* The first signal; 0: none. In memory that is shared with the workers. */
static volatile sig_atomic_t *interruption;

static void note_interruption(int signal_number)
{
	if (!*interruption)
		*interruption = signal_number;
}

/* Without SA_RESTART, so that wait(2) answers EINTR. */
static void catch_signal(int signal_number)
{
	const struct sigaction action = { .sa_handler = note_interruption };
	struct sigaction before;

	if (sigaction(signal_number, NULL, &before) == 0 &&
	    before.sa_handler != SIG_IGN)
		(void)sigaction(signal_number, &action, NULL);
}

int vmsi_sweep_catch_signals(void)
{
	static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	void *shared = mmap(NULL, sizeof *interruption, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return -errno;
	interruption = shared;
	for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
		catch_signal(ending[i]);
	return 0;
}

int vmsi_sweep_interrupted(void)
{
	return *interruption;
}

void vmsi_sweep_end_if_interrupted(void)
{
	const int signal_number = *interruption;

	if (!signal_number)
		return;
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}
