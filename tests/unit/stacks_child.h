/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_STACKS_CHILD_H
#define VMSI_TESTS_STACKS_CHILD_H

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <ucontext.h>

#include "stacks_fixture.h"

/* Overflows happen in children, whose standard error the test reads. */

/* What ends a child is no assert: that would go on with the next test. */
static inline void must(bool condition)
{
	if (!condition)
		abort();
}

struct end {
	char error[2048];
	int status;
};

/*
 * Drop the lines of what stands between the program and the kernel: sanitizers and
 * valgrind begin them with their process, qemu with its name.
 */
static inline void drop_lines_of_tools(char *text)
{
	while (*text) {
		char *end = strchr(text, '\n');
		char *next = end ? end + 1 : text + strlen(text);

		if (strncmp(text, "==", 2) == 0 || strncmp(text, "--", 2) == 0 ||
		    strncmp(text, "qemu: ", 6) == 0)
			memmove(text, next, strlen(next) + 1);
		else
			text = next;
	}
}

/* Run a function in a child that has no handler of SIGSEGV. */
static inline struct end run(void (*act)(void))
{
	const struct rlimit no_core = { 0, 0 };
	struct end end = { .status = -1 };
	size_t length = 0;
	ssize_t got;
	int error[2];
	pid_t child;

	assert_int_equal(pipe(error), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		must(signal(SIGSEGV, SIG_DFL) != SIG_ERR);
		must(setrlimit(RLIMIT_CORE, &no_core) == 0);
		must(dup2(error[1], STDERR_FILENO) == STDERR_FILENO);
		(void)close(error[0]);
		(void)close(error[1]);
		act();
		_exit(0);
	}
	(void)close(error[1]);
	while (length < sizeof(end.error) - 1 &&
	       (got = read(error[0], end.error + length,
			   sizeof(end.error) - 1 - length)) > 0)
		length += (size_t)got;
	end.error[length] = '\0';
	drop_lines_of_tools(end.error);
	(void)close(error[0]);
	assert_int_equal(waitpid(child, &end.status, 0), child);
	return end;
}

static inline void assert_killed(const struct end *end)
{
	assert_true(WIFSIGNALED(end->status));
	assert_int_equal(WTERMSIG(end->status), SIGSEGV);
}

static inline void assert_exited(const struct end *end, int status)
{
	assert_true(WIFEXITED(end->status));
	assert_int_equal(WEXITSTATUS(end->status), status);
}

/* Check that one report was written, which begins so, with a depth that is right. */
static inline void assert_report(const struct end *end, const char *begin)
{
	unsigned long long deep = 0, of = 0, address = 0, pointer = 0;
	const char *numbers;

	if (strncmp(end->error, begin, strlen(begin)) != 0)
		fail_msg("the report is: %s", end->error);
	numbers = end->error + strlen(begin);
	assert_int_equal(sscanf(numbers,
				", %llu bytes deep of %llu, at address 0x%llx, "
				"stack pointer 0x%llx\n",
				&deep, &of, &address, &pointer), 4);
	assert_true(deep > of && deep <= of + 16 * page());
	assert_true(address && pointer);
	assert_ptr_equal(strchr(end->error, '\n'),
			 end->error + strlen(end->error) - 1);
}

/* A sanitizer gives each thread a stack for signals. */
static inline void drop_signal_stack(void)
{
	must(sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL) == 0);
}

/* Use the stack up. Each frame has some bytes, which are used after the call too. */
static __attribute__((noinline, unused)) unsigned recurse(unsigned depth)
{
	volatile char bytes[200];

	if (depth == 1u << 30)
		return depth;
	bytes[0] = (char)depth;
	bytes[199] = (char)recurse(depth + 1);
	return (unsigned)bytes[0] + (unsigned)bytes[199];
}

static inline void overflow(void)
{
	_exit((int)recurse(0));
}

/* --- threads and coroutines ---------------------------------------------------------- */

static inline void run_thread_on(const vms_stack *stack, void *(*act)(void *))
{
	pthread_attr_t attributes;
	pthread_t thread;

	must(pthread_attr_init(&attributes) == 0);
	must(pthread_attr_setstack(&attributes, stack->base, stack->size) == 0);
	must(pthread_create(&thread, &attributes, act, NULL) == 0);
	must(pthread_join(thread, NULL) == 0);
	must(pthread_attr_destroy(&attributes) == 0);
}

static ucontext_t coroutine, scheduler;

static inline void run_coroutine_on(const vms_stack *stack, void (*act)(void))
{
	must(getcontext(&coroutine) == 0);
	coroutine.uc_stack.ss_sp = stack->base;
	coroutine.uc_stack.ss_size = stack->size;
	coroutine.uc_link = &scheduler;
	makecontext(&coroutine, act, 0);
	must(swapcontext(&scheduler, &coroutine) == 0);
}

/* A pool by this name, and a stack of it; the calls before the fault. */
static inline vms_stack open_and_take(const char *pool_name, const char *name)
{
	struct vms_stacks_options options = {
		.struct_size = sizeof(options),
		.name = pool_name,
		.colours = VMS_STACKS_NO_COLOURS,
	};
	vms_stack stack;

	/* No thread can have less than PTHREAD_STACK_MIN, 128 KiB on aarch64. */
	pool = vms_stacks_open(COUNT, 4 * SIZE, &options);
	must(pool != NULL);
	must(vms_stacks_take(pool, name, &stack) == 0);
	return stack;
}

#endif
