/* SPDX-License-Identifier: MIT */
#include "stacks_child.h"

/* Overflows are told, and then the program ends as it would have. */

/* --- where ------------------------------------------------------------------------- */

static void *overflow_thread(void *unused)
{
	(void)unused;
	must(vms_stacks_watch_thread(pool) == 0);
	return (void *)(uintptr_t)recurse(0);
}

static void overflow_in_thread(void)
{
	vms_stack stack = open_and_take("workers", "reader");

	run_thread_on(&stack, overflow_thread);
}

static void a_thread(void **state)
{
	struct end end = run(overflow_in_thread);

	(void)state;
	assert_killed(&end);
	assert_report(&end, "libvmspace: stack overflow: stack 0 \"reader\" of "
			    "pool \"workers\"");
}

static void overflow_in_coroutine(void)
{
	vms_stack stack;

	(void)open_and_take("coroutines", "first");
	must(vms_stacks_take(pool, NULL, &stack) == 0);
	must(vms_stacks_watch_thread(pool) == 0);
	run_coroutine_on(&stack, overflow);
}

static void a_coroutine(void **state)
{
	struct end end = run(overflow_in_coroutine);

	(void)state;
	assert_killed(&end);
	assert_report(&end, "libvmspace: stack overflow: stack 1 of pool "
			    "\"coroutines\"");
}

static void recurse_in_handler(int signal)
{
	_exit((int)recurse((unsigned)signal));
}

static void overflow_in_handler(void)
{
	const struct sigaction action = {
		.sa_handler = recurse_in_handler, .sa_flags = SA_ONSTACK,
	};
	vms_stack stack = open_and_take("handlers", "signals of main");
	const stack_t signals = {
		.ss_sp = (char *)stack.base + 512, .ss_size = stack.size - 512,
	};

	must(sigaltstack(&signals, NULL) == 0);
	must(vms_stacks_watch_thread(pool) == 0);
	must(pool_stats().taken == 1);
	must(sigaction(SIGUSR1, &action, NULL) == 0);
	must(raise(SIGUSR1) == 0);
}

/* The same on the stack that watching has set. */
static void overflow_in_watched_handler(void)
{
	const struct sigaction action = {
		.sa_handler = recurse_in_handler, .sa_flags = SA_ONSTACK,
	};

	(void)open_and_take("handlers", "unused");
	drop_signal_stack();
	must(vms_stacks_watch_thread(pool) == 0);
	must(sigaction(SIGUSR1, &action, NULL) == 0);
	must(raise(SIGUSR1) == 0);
}

static void a_signal_handler(void **state)
{
	struct end end = run(overflow_in_handler);

	(void)state;
	assert_killed(&end);
	assert_report(&end, "libvmspace: stack overflow: stack 0 \"signals of "
			    "main\" of pool \"handlers\"");
	end = run(overflow_in_watched_handler);
	assert_killed(&end);
	assert_report(&end, "libvmspace: stack overflow: stack 1 \"signals\" of "
			    "pool \"handlers\"");
}

/* --- larger frames -------------------------------------------------------------------- */

/* A frame of pages, of which only the lowest bytes are touched. */
static __attribute__((noinline)) void touch_far_below(size_t bytes)
{
	volatile char *frame = __builtin_alloca(bytes);

	frame[0] = 1;
}

static vms_stack above;
static size_t frame_bytes;

static void step_over_guard(void)
{
	touch_far_below(frame_bytes);
}

static void step_far(size_t guard, size_t frame)
{
	struct vms_stacks_options options = {
		.struct_size = sizeof(options), .name = "steps", .guard = guard,
		.colours = VMS_STACKS_NO_COLOURS,
	};
	vms_stack below;

	pool = vms_stacks_open(COUNT, SIZE, &options);
	must(pool && vms_stacks_take(pool, "below", &below) == 0);
	must(vms_stacks_take(pool, "above", &above) == 0);
	must(above.base > below.base);
	must(vms_stacks_watch_thread(pool) == 0);
	frame_bytes = frame;
	run_coroutine_on(&above, step_over_guard);
}

static void step_over_small_guard(void)
{
	step_far(page(), SIZE + 2 * page());
	_exit(7);
}

static void step_into_large_guard(void)
{
	step_far(16 * page(), SIZE + 2 * page());
	_exit(7);
}

static void a_frame_larger_than_the_guard_is_not_seen(void **state)
{
	struct end end = run(step_over_small_guard);

	(void)state;
	assert_exited(&end, 7);
	assert_string_equal(end.error, "");
}

static void a_frame_smaller_than_the_guard_is(void **state)
{
	struct end end = run(step_into_large_guard);

	(void)state;
	assert_killed(&end);
	assert_report(&end, "libvmspace: stack overflow: stack 1 \"above\" of pool "
			    "\"steps\"");
}

/* --- what is no overflow ------------------------------------------------------------- */

static void touch_given_back(void)
{
	vms_stack stack = open_and_take("pool", "gone");

	must(vms_stacks_watch_thread(pool) == 0);
	must(vms_stacks_give(pool, &stack) == 0);
	((volatile char *)stack.base)[-1] = 1;
}

static void a_guard_that_another_touches(void **state)
{
	struct end end = run(touch_given_back);

	(void)state;
	assert_killed(&end);
	assert_report(&end, "libvmspace: the guard of a stack was touched: stack 0 "
			    "of pool \"pool\", which nobody has");
}

static void touch_elsewhere(void)
{
	volatile char *nothing = mmap(NULL, page(), PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)open_and_take("pool", "stack");
	must(vms_stacks_watch_thread(pool) == 0);
	nothing[0] = 1;
}

/* The program's own, and no guard. */
static void touch_protected(void)
{
	vms_stack stack = open_and_take("pool", "stack");

	must(vms_stacks_watch_thread(pool) == 0);
	must(mprotect(stack.base, page(), PROT_READ) == 0);
	((volatile char *)stack.base)[0] = 1;
}

/* No slot has been made there yet. */
static void touch_unmade(void)
{
	vms_stack stack = open_and_take("pool", "stack");

	must(vms_stacks_watch_thread(pool) == 0);
	((volatile char *)stack.base)[20 * pool_stats().pitch - 1] = 1;
}

static void send_signal(void)
{
	(void)open_and_take("pool", "stack");
	must(vms_stacks_watch_thread(pool) == 0);
	must(raise(SIGSEGV) == 0);
}

static void others_die_as_before(void **state)
{
	void (*const acts[])(void) = { touch_elsewhere, touch_protected,
				       touch_unmade, send_signal };

	(void)state;
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		struct end end = run(acts[i]);

		assert_killed(&end);
		assert_string_equal(end.error, "");
	}
}

static void *overflow_unwatched_thread(void *unused)
{
	(void)unused;
	drop_signal_stack();
	return (void *)(uintptr_t)recurse(0);
}

static void overflow_unwatched(void)
{
	vms_stack stack = open_and_take("workers", "unwatched");

	must(vms_stacks_watch_thread(pool) == 0);
	run_thread_on(&stack, overflow_unwatched_thread);
}

static void a_thread_without_a_stack_for_signals_dies(void **state)
{
	struct end end = run(overflow_unwatched);

	(void)state;
	assert_killed(&end);
	assert_string_equal(end.error, "");
}

/* --- a standard error that nobody reads ---------------------------------------------- */

static void break_standard_error(void)
{
	int ends[2];

	must(pipe(ends) == 0);
	must(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	must(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void return_at_once(void)
{
}

/* What a sanitizer has to say of coroutines it says once. */
static vms_stack open_and_hush(void)
{
	vms_stack stack = open_and_take("pool", "unheard");

	must(vms_stacks_watch_thread(pool) == 0);
	run_coroutine_on(&stack, return_at_once);
	return stack;
}

static void overflow_unheard(void)
{
	vms_stack stack = open_and_hush();

	break_standard_error();
	run_coroutine_on(&stack, overflow);
}

static bool is_pending(int signal)
{
	sigset_t set;

	must(sigpending(&set) == 0);
	return sigismember(&set, signal) == 1;
}

static void exit_unless_pipe_pends(int signal)
{
	_exit(is_pending(SIGPIPE) ? 6 : signal);
}

/* One that had come before is not taken away with the report's. */
static void overflow_unheard_with_signal(void)
{
	sigset_t set;

	must(signal(SIGSEGV, exit_unless_pipe_pends) != SIG_ERR);
	must(sigemptyset(&set) == 0 && sigaddset(&set, SIGPIPE) == 0);
	must(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGPIPE) == 0);
	overflow_unheard();
}

/* A file that may not become larger. */
static void overflow_at_file_limit(void)
{
	vms_stack stack = open_and_hush();
	const struct rlimit none = { 0, 0 };
	FILE *file = tmpfile();

	must(file && dup2(fileno(file), STDERR_FILENO) == STDERR_FILENO);
	must(setrlimit(RLIMIT_FSIZE, &none) == 0);
	run_coroutine_on(&stack, overflow);
}

static void a_report_that_is_not_heard_changes_nothing(void **state)
{
	struct end end = run(overflow_unheard);

	(void)state;
	assert_killed(&end);
	end = run(overflow_unheard_with_signal);
	assert_exited(&end, 6);
	end = run(overflow_at_file_limit);
	assert_killed(&end);
}

/* --- the program's handler ---------------------------------------------------------- */

static volatile uintptr_t fault_expected;

static void exit_by_handler(int signal, siginfo_t *info, void *context)
{
	const uintptr_t address = (uintptr_t)info->si_addr;

	must(signal == SIGSEGV && context && info->si_code > 0);
	must(address < fault_expected && address + page() >= fault_expected);
	_exit(5);
}

static void overflow_with_handler(void)
{
	struct sigaction action = { .sa_sigaction = exit_by_handler,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	vms_stack stack = open_and_take("pool", "mine");

	fault_expected = (uintptr_t)stack.base;
	must(sigaction(SIGSEGV, &action, NULL) == 0);
	must(vms_stacks_watch_thread(pool) == 0);
	run_coroutine_on(&stack, overflow);
}

static void the_programs_handler_comes_after(void **state)
{
	struct end end = run(overflow_with_handler);

	(void)state;
	assert_exited(&end, 5);
	assert_report(&end, "libvmspace: stack overflow: stack 0 \"mine\" of pool "
			    "\"pool\"");
}

static sigjmp_buf back;

static void jump_back(int signal)
{
	siglongjmp(back, signal);
}

/* A program that leaves its overflows by a jump can have them again and again. */
static void survive_overflows(void)
{
	struct sigaction action = { .sa_handler = jump_back };
	volatile int times = 0;
	vms_stack stack = open_and_take("pool", "again");

	drop_signal_stack();
	must(sigaction(SIGSEGV, &action, NULL) == 0);
	must(vms_stacks_watch_thread(pool) == 0);
	while (times < 3) {
		times++;
		if (sigsetjmp(back, 1) == 0)
			run_coroutine_on(&stack, overflow);
	}
	must(vms_stacks_give(pool, &stack) == 0);
	must(vms_stacks_unwatch_thread(pool) == 0);
	must(vms_stacks_close(pool) == 0);
	_exit(times);
}

static void a_handler_may_jump(void **state)
{
	struct end end = run(survive_overflows);
	size_t reports = 0;

	(void)state;
	assert_exited(&end, 3);
	for (const char *at = end.error; (at = strstr(at, "overflow: ")); at++)
		reports++;
	assert_int_equal(reports, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread),
		cmocka_unit_test(a_coroutine),
		cmocka_unit_test(a_signal_handler),
		cmocka_unit_test(a_frame_larger_than_the_guard_is_not_seen),
		cmocka_unit_test(a_frame_smaller_than_the_guard_is),
		cmocka_unit_test(a_guard_that_another_touches),
		cmocka_unit_test(others_die_as_before),
		cmocka_unit_test(a_thread_without_a_stack_for_signals_dies),
		cmocka_unit_test(a_report_that_is_not_heard_changes_nothing),
		cmocka_unit_test(the_programs_handler_comes_after),
		cmocka_unit_test(a_handler_may_jump),
	};

	return cmocka_run_group_tests_name("stacks_overflow", tests, NULL, NULL);
}
