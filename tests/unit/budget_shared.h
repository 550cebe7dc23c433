/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_BUDGET_SHARED_H
#define VMSI_TESTS_BUDGET_SHARED_H

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "budget_fixture.h"
#include "host/host.h"

/* A shared budget for a test, and child processes that charge it. */

#define PAGE vmsi_page_size()

static vms_budget *budget;

static inline int open_one(void **state)
{
	(void)state;
	budget = open_shared(100 * PAGE, VMS_COMMIT_STRICT);
	return 0;
}

static inline int close_one(void **state)
{
	(void)state;
	return vms_budget_close(budget);
}

#define WITH_SHARED(test) \
	cmocka_unit_test_setup_teardown(test, open_one, close_one)

static inline size_t charged_pages(void)
{
	return stats_of(budget).committed / PAGE;
}

/* --- other processes ----------------------------------------------------- */

enum how { BY_FORK, BY_RAW_CLONE };

/* A child acts once, writes the answer to a pipe, and waits to be killed. */
struct child {
	pid_t pid;
	int ready;
};

static inline void run_child(int (*act)(void), int ready)
{
	int answer;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	answer = act();
	/* When the test has died, nobody reads the answer and the child ends. */
	if (write(ready, &answer, sizeof(answer)) == sizeof(answer))
		(void)pause();
	_exit(0);
}

static inline struct child start_child(enum how how, int (*act)(void))
{
	struct child child;
	int ends[2], answer = -1;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child.pid = how == BY_FORK ? fork() :
		    (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	assert_true(child.pid >= 0);
	if (child.pid == 0)
		run_child(act, ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &answer, sizeof(answer)),
			 sizeof(answer));
	assert_int_equal(answer, 0);
	child.ready = ends[0];
	return child;
}

/* Kill the child and leave it a zombie. */
static inline void kill_child(const struct child *child)
{
	siginfo_t info;

	assert_int_equal(kill(child->pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child->pid, &info,
				WEXITED | WNOWAIT), 0);
}

static inline void bury(const struct child *child)
{
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
	close(child->ready);
}

#endif
