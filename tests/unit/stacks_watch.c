/* SPDX-License-Identifier: MIT */
#include "stacks_child.h"

#include "host/chain.h"

/* Threads are watched and not any more, and their stacks for signal handlers. */

/* --- with other handlers of the library ----------------------------------------------- */

static volatile int visited;

/* Mapped files have a handler of SIGSEGV, too. */
static void another_of_the_library(int signal, siginfo_t *info, void *context)
{
	visited++;
	vmsi_chain_call(another_of_the_library, signal, info, context);
}

static void exit_with_visits(int signal)
{
	_exit(visited + signal);
}

static void watch_beside_another(void)
{
	vms_stack stack = open_and_take("pool", "mine");

	must(signal(SIGSEGV, exit_with_visits) != SIG_ERR);
	drop_signal_stack();
	must(vmsi_chain_install(SIGSEGV, another_of_the_library) == 0);
	must(vms_stacks_watch_thread(pool) == 0);
	/* Each is in the chain once. */
	must(vmsi_chain_install(SIGSEGV, another_of_the_library) == 0);
	must(vms_stacks_watch_thread(pool) == 0);
	run_coroutine_on(&stack, overflow);
}

static void handlers_of_the_library_form_a_chain(void **state)
{
	struct end end = run(watch_beside_another);

	(void)state;
	assert_exited(&end, SIGSEGV + 1);
	assert_report(&end, "libvmspace: stack overflow: stack 0 \"mine\" of pool "
			    "\"pool\"");
}

/* --- watching ------------------------------------------------------------------------- */

static void *no_signal_stack(void *unused)
{
	vms_stack found;
	stack_t signals;

	(void)unused;
	drop_signal_stack();
	must(vms_stacks_unwatch_thread(pool) == 0);
	must(pool_stats().taken == 1);
	must(vms_stacks_watch_thread(pool) == 0);
	must(vms_stacks_watch_thread(pool) == 0);
	must(pool_stats().taken == 2);
	must(sigaltstack(NULL, &signals) == 0);
	must(vms_stacks_find(pool, signals.ss_sp, &found) == 0);
	must(vms_stacks_close(pool) == -1 && errno == EBUSY);
	must(vms_stacks_unwatch_thread(pool) == 0);
	must(sigaltstack(NULL, &signals) == 0);
	must(signals.ss_flags == SS_DISABLE);
	must(pool_stats().taken == 1);
	return NULL;
}

static void watch_and_unwatch(void)
{
	vms_stack stack = open_and_take("pool", "stack");

	run_thread_on(&stack, no_signal_stack);
}

static void watch_on_small_stacks(void)
{
	struct vms_stacks_options options = {
		.struct_size = sizeof(options), .colours = VMS_STACKS_NO_COLOURS,
	};

	pool = vms_stacks_open(COUNT, page(), &options);
	must(pool != NULL);
	drop_signal_stack();
	if (page() < 10240)
		must(vms_stacks_watch_thread(pool) == -1 && errno == EINVAL);
	must(pool_stats().taken == 0);
}

static void threads_are_watched_and_not(void **state)
{
	struct end end = run(watch_and_unwatch);

	(void)state;
	assert_exited(&end, 0);
	end = run(watch_on_small_stacks);
	assert_exited(&end, 0);
}

/* --- threads that end -------------------------------------------------------------------- */

static void *watch_and_return(void *argument)
{
	drop_signal_stack();
	must(vms_stacks_watch_thread(pool) == 0);
	return argument;
}

static void *watch_and_exit(void *argument)
{
	pthread_exit(watch_and_return(argument));
}

static void *watch_and_be_cancelled(void *argument)
{
	(void)watch_and_return(argument);
	while (true)
		(void)pause();
	return argument;
}

static void end_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < COUNT; i++) {
		must(pthread_create(&thread, NULL,
				    i % 2 ? watch_and_return : watch_and_exit,
				    NULL) == 0);
		must(pthread_join(thread, NULL) == 0);
		must(pool_stats().taken == 1);
	}
	must(pthread_create(&thread, NULL, watch_and_be_cancelled, NULL) == 0);
	must(pthread_cancel(thread) == 0 && pthread_join(thread, NULL) == 0);
	must(pool_stats().taken == 1);
}

/* A thread of the pool, whose stack for signal handlers is of it, too. */
static void end_watched_threads(void)
{
	vms_stack stack = open_and_take("pool", "stack");

	end_threads();
	for (int i = 0; i < COUNT; i++)
		run_thread_on(&stack, watch_and_return);
	must(pool_stats().taken == 1);
	must(pool_stats().made <= 3);
}

static void a_thread_that_ends_gives_it_back(void **state)
{
	struct end end = run(end_watched_threads);

	(void)state;
	assert_exited(&end, 0);
}

/* --- the program's own -------------------------------------------------------------------- */

static void set_signal_stack(const vms_stack *stack)
{
	const stack_t signals = {
		.ss_sp = (char *)stack->base + 512, .ss_size = stack->size - 512,
	};

	must(sigaltstack(&signals, NULL) == 0);
}

static bool is_signal_stack(const vms_stack *stack)
{
	stack_t signals;

	must(sigaltstack(NULL, &signals) == 0);
	return (char *)signals.ss_sp == (char *)stack->base + 512;
}

/* A stack that the program has taken is the program's, and nobody else gets it. */
static void keep_own_stack(void)
{
	vms_stack mine = open_and_take("pool", "mine"), other;

	set_signal_stack(&mine);
	must(vms_stacks_watch_thread(pool) == 0);
	must(vms_stacks_unwatch_thread(pool) == 0);
	must(is_signal_stack(&mine));
	must(pool_stats().taken == 1);
	must(vms_stacks_take(pool, "another", &other) == 0);
	must(other.base != mine.base);
}

/* A sanitizer unmaps what a thread that ends has for its signals. */
static void *replace_and_end(void *argument)
{
	const vms_stack *mine = argument;

	(void)watch_and_return(NULL);
	set_signal_stack(mine);
	drop_signal_stack();
	return NULL;
}

static void *replace_and_unwatch(void *argument)
{
	const vms_stack *mine = argument;

	(void)watch_and_return(NULL);
	set_signal_stack(mine);
	must(pool_stats().taken == 2);
	must(vms_stacks_unwatch_thread(pool) == 0);
	must(is_signal_stack(mine));
	must(pool_stats().taken == 1);
	drop_signal_stack();
	return NULL;
}

static void replace_watched_stack(void)
{
	vms_stack mine = open_and_take("pool", "mine");
	pthread_t thread;

	must(pthread_create(&thread, NULL, replace_and_end, &mine) == 0);
	must(pthread_join(thread, NULL) == 0);
	must(pool_stats().taken == 1);
	must(pthread_create(&thread, NULL, replace_and_unwatch, &mine) == 0);
	must(pthread_join(thread, NULL) == 0);
	must(pool_stats().taken == 1);
}

/* What the program has taken away is not lost. */
static void watch_again(void)
{
	(void)open_and_take("pool", "stack");
	for (int i = 0; i < 3; i++) {
		drop_signal_stack();
		must(vms_stacks_watch_thread(pool) == 0);
		must(pool_stats().taken == 2);
	}
	drop_signal_stack();
	must(vms_stacks_unwatch_thread(pool) == 0);
	must(pool_stats().taken == 1);
}

static void only_what_was_taken_is_given_back(void **state)
{
	struct end end = run(keep_own_stack);

	(void)state;
	assert_exited(&end, 0);
	end = run(replace_watched_stack);
	assert_exited(&end, 0);
	end = run(watch_again);
	assert_exited(&end, 0);
}

/* --- ends in another order ------------------------------------------------------------------ */

static pthread_barrier_t meeting;

static void *outlive_pool(void *unused)
{
	(void)watch_and_return(NULL);
	drop_signal_stack();
	(void)pthread_barrier_wait(&meeting);
	(void)pthread_barrier_wait(&meeting);
	return unused;
}

static void open_in(vms_space *space)
{
	const struct vms_stacks_options options = {
		.struct_size = sizeof(options), .space = space,
	};

	pool = vms_stacks_open(COUNT, SIZE, &options);
	must(pool != NULL);
}

/* The next pool is where the first one was, and its stacks are those of others. */
static void close_before_thread_ends(void)
{
	vms_space *space = vms_space_open(2 * COUNT * SIZE, NULL);
	vms_stack first, second;
	pthread_t thread;

	open_in(space);
	must(pthread_barrier_init(&meeting, NULL, 2) == 0);
	must(pthread_create(&thread, NULL, outlive_pool, NULL) == 0);
	(void)pthread_barrier_wait(&meeting);
	must(vms_stacks_take(pool, NULL, &first) == 0 && first.number == 1);
	must(vms_stacks_close(pool) == 0);
	open_in(space);
	must(vms_stacks_take(pool, NULL, &second) == 0);
	must(vms_stacks_take(pool, NULL, &second) == 0);
	must(second.base == first.base);
	(void)pthread_barrier_wait(&meeting);
	must(pthread_join(thread, NULL) == 0);
	must(pool_stats().taken == 2);
}

static void exit_thread(int signal)
{
	pthread_exit((void *)(intptr_t)signal);
}

static void *end_in_handler(void *unused)
{
	(void)watch_and_return(NULL);
	must(raise(SIGUSR1) == 0);
	return unused;
}

/* On the stack that is given back: but it is left before that. */
static void end_thread_in_handler(void)
{
	const struct sigaction action = {
		.sa_handler = exit_thread, .sa_flags = SA_ONSTACK,
	};
	pthread_t thread;
	void *result;

	(void)open_and_take("pool", "stack");
	must(sigaction(SIGUSR1, &action, NULL) == 0);
	must(pthread_create(&thread, NULL, end_in_handler, NULL) == 0);
	must(pthread_join(thread, &result) == 0);
	must(result == (void *)SIGUSR1);
	must(pool_stats().taken == 1);
}

static void ends_in_another_order_do_no_harm(void **state)
{
	struct end end = run(close_before_thread_ends);

	(void)state;
	assert_exited(&end, 0);
	end = run(end_thread_in_handler);
	assert_exited(&end, 0);
}

static void fork_watched(void)
{
	pid_t child;
	int status;

	(void)open_and_take("pool", "stack");
	(void)watch_and_return(NULL);
	child = fork();
	must(child >= 0);
	if (child == 0) {
		must(pool_stats().taken == 2);
		must(vms_stacks_unwatch_thread(pool) == 0);
		must(pool_stats().taken == 1);
		_exit(vms_stacks_close(pool));
	}
	must(waitpid(child, &status, 0) == child && status == 0);
	must(pool_stats().taken == 2);
}

static void a_child_is_watched_as_its_parent(void **state)
{
	struct end end = run(fork_watched);

	(void)state;
	assert_exited(&end, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handlers_of_the_library_form_a_chain),
		cmocka_unit_test(threads_are_watched_and_not),
		cmocka_unit_test(a_thread_that_ends_gives_it_back),
		cmocka_unit_test(only_what_was_taken_is_given_back),
		cmocka_unit_test(ends_in_another_order_do_no_harm),
		cmocka_unit_test(a_child_is_watched_as_its_parent),
	};

	return cmocka_run_group_tests_name("stacks_watch", tests, NULL, NULL);
}
