/* SPDX-License-Identifier: MIT */
#include "share_steps.h"

#include <signal.h>
#include <sys/prctl.h>

#include "host/host.h"
#include "share_steps_kill.h"

static unsigned steps_told;
static unsigned steps_left;   /* until this process ends; 0: it does not */

void kill_step(void)
{
	if (steps_left != 0 && --steps_left == 0)
		(void)raise(SIGKILL);
}

static void *spoilt;
static uint32_t nonsense;

void spoil(void *word)
{
	spoilt = word;
	nonsense = 0;
}

void access_step(const void *word)
{
	kill_step();
	if (spoilt && word == spoilt) {
		assert_true(++nonsense < 100000000);
		*(volatile uint32_t *)spoilt = nonsense;
	}
}

/* --- the host's calls that are steps as well --------------------------------------------- */

static struct vmsi_host_calls host;

static long step_file_lock(int fd, int command, struct flock *lock)
{
	kill_step();
	return host.file_lock(fd, command, lock);
}

static long step_fallocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	kill_step();
	return host.fallocate(fd, mode, offset, length);
}

static long step_futex_wait(const void *word, uint32_t value, uint64_t nanoseconds)
{
	kill_step();
	return host.futex_wait(word, value, nanoseconds);
}

static long step_futex_wake(const void *word, int count)
{
	kill_step();
	return host.futex_wake(word, count);
}

static long step_memfd_create(const char *name, unsigned flags)
{
	kill_step();
	return host.memfd_create(name, flags);
}

static long step_open_file(const char *path, int flags, mode_t mode)
{
	kill_step();
	return host.open_file(path, flags, mode);
}

static long step_reopen(int fd)
{
	kill_step();
	return host.reopen(fd);
}

static long step_add_seals(int fd, int seals)
{
	kill_step();
	return host.add_seals(fd, seals);
}

static long step_pwrite(int fd, const void *bytes, size_t length, uint64_t offset)
{
	kill_step();
	return host.pwrite(fd, bytes, length, offset);
}

static long step_link(int fd, const char *path)
{
	kill_step();
	return host.link(fd, path);
}

static long step_close(int fd)
{
	kill_step();
	return host.close(fd);
}

static void step_host(void)
{
	host = vmsi_host;
	vmsi_host.file_lock = step_file_lock;
	vmsi_host.fallocate = step_fallocate;
	vmsi_host.futex_wait = step_futex_wait;
	vmsi_host.futex_wake = step_futex_wake;
	vmsi_host.memfd_create = step_memfd_create;
	vmsi_host.open_file = step_open_file;
	vmsi_host.reopen = step_reopen;
	vmsi_host.add_seals = step_add_seals;
	vmsi_host.pwrite = step_pwrite;
	vmsi_host.link = step_link;
	vmsi_host.close = step_close;
}

/* --- children ---------------------------------------------------------------------------- */

pid_t fork_stepped(unsigned steps)
{
	const pid_t child = fork();

	assert_true(child >= 0 && steps < STEPS_MOST);
	if (steps > 0)
		steps_told = steps;
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (steps > 0)
			step_host();
		steps_left = steps;
	}
	return child;
}

bool was_killed(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	else
		assert_int_equal(WTERMSIG(status), SIGKILL);
	return !WIFEXITED(status);
}

int tell_steps(void **state)
{
	(void)state;
	printf("# %u steps\n", steps_told - 1);
	return 0;
}
