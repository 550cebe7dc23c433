/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/*
 * Preloaded into 'vmspace limit': SIGTERM comes right before the job forks the supervisor,
 * and the job gets no processor until the program has made the file VMSPACE_TEST_LATE.
 */

static int is_blocked(int number)
{
	sigset_t blocked;

	return sigprocmask(SIG_BLOCK, NULL, &blocked) == 0 &&
		sigismember(&blocked, number) == 1;
}

static void wait_for_file(const char *path)
{
	const struct timespec pause = { 0, 1000000 };

	while (access(path, F_OK) != 0)
		nanosleep(&pause, NULL);
}

/* Only the job blocks signals when it forks. */
__attribute__((visibility("default"))) pid_t fork(void)
{
	void *const found = dlsym(RTLD_NEXT, "fork");
	pid_t (*real)(void);
	const char *path = getenv("VMSPACE_TEST_LATE");
	const int is_job = path && is_blocked(SIGTERM);
	pid_t child;

	/* ISO C converts no pointer to an object to one to a function. */
	memcpy(&real, &found, sizeof real);
	if (is_job)
		kill(getpid(), SIGTERM);
	child = real();
	if (is_job && child > 0)
		wait_for_file(path);
	return child;
}
