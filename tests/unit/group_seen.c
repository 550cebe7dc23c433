/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "group/serve/seen.h"

/*
 * Stacks are named by a thread, here by one that takes as long as the test says, on a
 * clock that the test moves.
 */

static _Atomic time_t ahead_s;         /* of the machine's clock */
static atomic_bool may_name = true;
static atomic_uint begun;

/* In place of libc's, in this program. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	const long result = syscall(SYS_clock_gettime, clock, now);

	now->tv_sec += atomic_load(&ahead_s);
	return (int)result;
}

char *vmsi_names_of(const struct vmsi_frames *frames)
{
	(void)frames;
	(void)atomic_fetch_add(&begun, 1);
	while (!atomic_load(&may_name))
		(void)sched_yield();
	return strdup("named\n");
}

void vmsi_names_close(void)
{
}

/* None is captured here. */
const char *vmsi_capture_unwind(struct vmsi_capture *capture,
				struct vmsi_frames *frames)
{
	(void)capture;
	(void)frames;
	abort();
}

void vmsi_capture_free(struct vmsi_capture *capture)
{
	assert_null(capture);
}

void vmsi_backtrace_forget(void)
{
}

static struct vmsi_taken *take(uint64_t at)
{
	struct vmsi_frames frames = { .count = 1, .list[0].at = at };
	struct vmsi_taken *stack = vmsi_seen_take_frames(&frames);

	assert_non_null(stack);
	return stack;
}

static void await_naming(unsigned which)
{
	while (atomic_load(&begun) < which)
		(void)sched_yield();
}

static void a_stack_is_named_once(void **unused)
{
	struct vmsi_taken *stack = take(1), *again;
	const char *why = NULL;
	const char *text = vmsi_seen_text(stack, &why);

	(void)unused;
	assert_string_equal(text, "named\n");
	assert_null(why);
	assert_true(vmsi_seen_is_named(stack));
	again = take(1);
	assert_ptr_equal(vmsi_seen_text(again, &why), text);
	assert_int_equal(atomic_load(&begun), 1);
	vmsi_seen_drop(stack);
	vmsi_seen_drop(again);
}

/* Those who ask vmsi_seen_is_named from time to time would ask for ever. */
static void nobody_waits_for_one_that_takes_too_long(void **unused)
{
	struct vmsi_taken *stack, *next;
	const char *why = NULL;

	(void)unused;
	atomic_store(&may_name, false);
	stack = take(2);
	next = take(3);
	await_naming(2);
	assert_false(vmsi_seen_is_named(stack));
	assert_false(vmsi_seen_is_named(next));
	atomic_fetch_add(&ahead_s, 60);
	assert_true(vmsi_seen_is_named(next));
	assert_null(vmsi_seen_text(next, &why));
	assert_string_equal(why, "the stack cannot be named in time");
	/* The thread goes on when it can. */
	atomic_store(&may_name, true);
	await_naming(3);
	while (!vmsi_seen_text(next, &why))
		(void)sched_yield();
	assert_string_equal(vmsi_seen_text(stack, &why), "named\n");
	vmsi_seen_drop(stack);
	vmsi_seen_drop(next);
	vmsi_seen_forget();
}

/* Nobody waits for them, so they would become more and more. */
static void stacks_that_are_never_named_have_an_end(void **unused)
{
	struct vmsi_taken *first = take(100);
	const char *why = NULL;
	unsigned taken = 1;

	(void)unused;
	assert_string_equal(vmsi_seen_text(first, &why), "named\n");
	atomic_store(&may_name, false);
	for (; !vmsi_seen_is_full() && taken < 10000; taken++)
		vmsi_seen_drop(take(100 + taken));
	print_message("# %u stacks\n", taken);
	assert_in_range(taken, 64, 2000);
	atomic_store(&may_name, true);
	while (vmsi_seen_is_full())
		(void)sched_yield();
	vmsi_seen_drop(first);
	vmsi_seen_forget();
	assert_false(vmsi_seen_is_full());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_is_named_once),
		cmocka_unit_test(nobody_waits_for_one_that_takes_too_long),
		cmocka_unit_test(stacks_that_are_never_named_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
