/* SPDX-License-Identifier: MIT */
#include <ucontext.h>

#include "death.h"

/* A coroutine that calls itself for ever, in a thread that is watched. */

static __attribute__((noinline)) int recurse(int depth)
{
	volatile char bytes[100];

	if (depth == 1 << 30)
		return depth;
	bytes[0] = (char)recurse(depth + 1);
	return bytes[0] + depth;
}

static void run(void)
{
	misuse();
	exit(recurse(0) == 0);
}

int main(void)
{
	vms_stacks *stacks = vms_stacks_open(4, (size_t)64 << 10, NULL);
	const struct rlimit no_core = { 0, 0 };
	ucontext_t context;
	vms_stack stack;

	setrlimit(RLIMIT_CORE, &no_core);
	if (!stacks)
		give_up("vms_stacks_open");
	must(vms_stacks_take(stacks, "endless", &stack), "vms_stacks_take");
	must(vms_stacks_watch_thread(stacks), "vms_stacks_watch_thread");
	must(getcontext(&context), "getcontext");
	context.uc_stack.ss_sp = stack.base;
	context.uc_stack.ss_size = stack.size;
	makecontext(&context, run, 0);
	must(setcontext(&context), "setcontext");
	return 0;
}
