/* SPDX-License-Identifier: MIT */
#include "stacks_child.h"

/* Code that runs on stacks: entered by contexts and by their tops. */

static vms_stack running;
static int refusals[2];

static void give_own_stack(void)
{
	refusals[0] = vms_stacks_give(pool, &running) == 0 ? 0 : errno;
	refusals[1] = vms_stacks_close(pool) == 0 ? 0 : errno;
}

/* Call a function with the stack pointer at the top, as code that switches does. */
static void call_on(void *top, void (*act)(void))
{
#ifdef __x86_64__
	__asm__ volatile("movq %%rsp, %%rbx\n\t"
			 "movq %0, %%rsp\n\t"
			 "call *%1\n\t"
			 "movq %%rbx, %%rsp"
			 : "+r"(top), "+r"(act)
			 :
			 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9",
			   "r10", "r11", "memory", "cc");
#else
	__asm__ volatile("mov x19, sp\n\t"
			 "mov sp, %0\n\t"
			 "blr %1\n\t"
			 "mov sp, x19"
			 : "+r"(top), "+r"(act)
			 :
			 : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8",
			   "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
			   "x17", "x18", "x19", "x30", "memory", "cc");
#endif
}

static void code_that_switches_begins_at_the_top(void **state)
{
	struct vms_stacks_options options = {
		.struct_size = sizeof(options), .colours = 128,
	};

	(void)state;
	pool = vms_stacks_open(COUNT, 4 * SIZE, &options);
	assert_non_null(pool);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vms_stacks_take(pool, NULL, &running), 0);
		refusals[0] = 0;
		call_on(running.top, give_own_stack);
		assert_int_equal(refusals[0], EBUSY);
		assert_int_equal(refusals[1], EBUSY);
	}
}

static void nobody_gives_back_what_he_runs_on(void **state)
{
	(void)state;
	running = open_and_take("pool", "running");
	run_coroutine_on(&running, give_own_stack);
	assert_int_equal(refusals[0], EBUSY);
	assert_int_equal(refusals[1], EBUSY);
	give(&running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pool_test(nobody_gives_back_what_he_runs_on),
		pool_test(code_that_switches_begins_at_the_top),
	};

	return cmocka_run_group_tests_name("stacks_entry", tests, NULL, NULL);
}
