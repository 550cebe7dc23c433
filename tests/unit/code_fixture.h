/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_CODE_FIXTURE_H
#define VMSI_TESTS_CODE_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <vmspace.h>

#include "code/check.h"
#include "code_machine.h"

/* What the tests of pools of code share: a pool, blocks, and what a jump does. */

static vms_code *code;

static inline void open_pool(enum vms_code_mode mode)
{
	const struct vms_code_options options = {
		.struct_size = sizeof(options),
		.reserve = (size_t)4 << 20,
		.mode = mode,
	};

	code = vms_code_open(&options);
	if (!code && (errno == EACCES || errno == EPERM || errno == ENOSYS)) {
		print_message("# %s\n", vms_code_problem(NULL));
		skip();
	}
	assert_non_null(code);
}

static inline struct vms_code_stats figures(void)
{
	struct vms_code_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_code_get_stats(code, &stats), 0);
	return stats;
}

static inline void assert_sound(void)
{
	const char *broken = vmsi_code_check(code, VMSI_CHECK_ALL);

	if (broken)
		fail_msg("%s", broken);
}

static inline int close_pool(void **state)
{
	(void)state;
	if (!code)
		return 0;
	assert_sound();
	assert_int_equal(vms_code_close(code), 0);
	code = NULL;
	return 0;
}

static inline struct vms_code_block make(size_t size, uint32_t value)
{
	struct vms_code_block block;

	assert_int_equal(vms_code_alloc(code, size, &block), 0);
	write_return(block.write, value);
	return block;
}

static inline struct vms_code_block make_published(size_t size, uint32_t value)
{
	struct vms_code_block block = make(size, value);

	assert_int_equal(vms_code_publish(code, &block), 0);
	return block;
}

/* What a child that does something ends by: a signal, or 0. */
static inline int signal_of(int (*act)(void *), void *argument)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGTRAP, SIG_DFL);
		signal(SIGILL, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		_exit(act(argument));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static inline int jump(void *run)
{
	(void)call(run);
	return 0;
}

static inline int store(void *address)
{
	*(volatile char *)address = 1;
	return 0;
}

static inline void assert_refused(int result, int error)
{
	const int got = errno;

	assert_int_equal(result, -1);
	assert_int_equal(got, error);
}

#endif
