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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handlers_of_the_library_form_a_chain),
		cmocka_unit_test(threads_are_watched_and_not),
	};

	return cmocka_run_group_tests_name("stacks_watch", tests, NULL, NULL);
}
