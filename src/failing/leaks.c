/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failing/parts.h"

/*
 * Blocks that nothing points to at the end of the program are found by LeakSanitizer,
 * whose library is the next malloc then. It is asked by the last of all handlers of
 * exit(3), and goes on afterwards, so that the exit status is the program's own.
 */

/* LeakSanitizer asks for its options by this name; LSAN_OPTIONS comes behind them. */
VMSI_EXPORTED const char *__lsan_default_options(void);

VMSI_EXPORTED const char *__lsan_default_options(void)
{
	return "leak_check_at_exit=0:allocator_may_return_null=1:"
	       "fast_unwind_on_malloc=0:print_summary=0:"
	       "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:"
	       "stack_trace_format=\"@%m+%o %f\"";
}

typedef int find_function(void);
typedef void set_report_function(void *file);

static struct {
	struct vmsi_failing_memory *memory;
	find_function *find;
	set_report_function *set_report;
	int report;
	pid_t process; /* children that it forks have not all of its stacks */
} watch;

static void look_for_leaks(void)
{
	if (getpid() != watch.process)
		return;
	vmsi_failing_enter();
	watch.memory->outcome.leaks = VMSI_FAILING_LEAKS_BEGUN;
	watch.set_report((void *)(intptr_t)watch.report);
	(void)watch.find();
	watch.memory->outcome.leaks = VMSI_FAILING_LEAKS_LOOKED;
	vmsi_failing_leave();
}

/*
 * A program that is built with LeakSanitizer begins by this call. Without it the first
 * allocation does, and what comes before and passes through it, such as signal(2),
 * goes nowhere.
 */
static void begin_sanitizer(void)
{
	vmsi_function *init = vmsi_failing_find("__lsan_init");

	if (init)
		init();
}

void vmsi_failing_watch_leaks(struct vmsi_failing_memory *memory, int report)
{
	begin_sanitizer();
	watch.memory = memory;
	watch.process = getpid();
	watch.report = report;
	watch.set_report = (set_report_function *)
		vmsi_failing_find("__sanitizer_set_report_fd");
	watch.find = (find_function *)
		vmsi_failing_find("__lsan_do_recoverable_leak_check");
	if (!watch.find || !watch.set_report ||
	    fcntl(report, F_SETFD, FD_CLOEXEC) || atexit(look_for_leaks))
		return;
	memory->outcome.leaks = VMSI_FAILING_LEAKS_WATCHED;
}
