/* SPDX-License-Identifier: MIT */
#include "stacks_child.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

/*
 * A program that dies of an overflow dies as it would have without the library: with
 * the same signal, and the registers of the instruction that has overflowed. What a
 * core would have is what a tracer sees.
 */

static void overflow_traced(void)
{
	vms_stack stack = open_and_take("pool", "traced");
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	must(nowhere >= 0 && dup2(nowhere, STDERR_FILENO) == STDERR_FILENO);
	must(vms_stacks_watch_thread(pool) == 0);
	must(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	run_coroutine_on(&stack, overflow);
}

struct stop {
	siginfo_t info;
	struct user_regs_struct registers;
};

/* Wait until the child stops for SIGSEGV. */
static void wait_for_stop(pid_t child, struct stop *stop)
{
	struct iovec vector = { &stop->registers, sizeof(stop->registers) };
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), SIGSEGV);
	assert_int_equal(ptrace(PTRACE_GETSIGINFO, child, NULL, &stop->info), 0);
	assert_int_equal(ptrace(PTRACE_GETREGSET, child, (void *)NT_PRSTATUS,
				&vector), 0);
}

static void the_end_has_the_registers_of_the_overflow(void **state)
{
	struct stop first = { 0 }, last = { 0 };
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		overflow_traced();
		_exit(1);
	}
	wait_for_stop(child, &first);
	assert_int_equal(ptrace(PTRACE_CONT, child, NULL, (void *)SIGSEGV), 0);
	wait_for_stop(child, &last);
	assert_int_equal(last.info.si_code, first.info.si_code);
	assert_ptr_equal(last.info.si_addr, first.info.si_addr);
	assert_memory_equal(&last.registers, &first.registers,
			    sizeof(first.registers));
	assert_int_equal(ptrace(PTRACE_CONT, child, NULL, (void *)SIGSEGV), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_has_the_registers_of_the_overflow),
	};

	return cmocka_run_group_tests_name("stacks_core", tests, NULL, NULL);
}
