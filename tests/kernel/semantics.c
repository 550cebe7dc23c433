/* SPDX-License-Identifier: MIT */
#include "semantics.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define CASE_SECONDS 100

/* How a case ended. Its process shares this with the runner. */
struct outcome {
	enum { UNFINISHED, RAN, SKIPPED, DIFFERED, AS_KERNEL } state;
	int line;
	intptr_t actual;
	intptr_t expected;
	char text[400];
};

/* A case on the kernel or on a space. */
struct run {
	const struct semantics_case *test;
	enum caller_kind kind;
	struct outcome *outcome;      /* of this run */
	const struct outcome *kernel; /* of the run on the kernel; NULL: this is it */
};

static const struct run *current;
static uintptr_t window_start;

/* Addresses in the window are compared by their offset. */
static intptr_t relative(intptr_t value)
{
	return value > 4096 ? value - (intptr_t)window_start : value;
}

_Noreturn static void end_case(int state, int line, intptr_t actual,
			       intptr_t expected, const char *text)
{
	struct outcome *outcome = current->outcome;

	/* A fork of the case may have reported a failure first. */
	if (outcome->state != UNFINISHED)
		_exit(0);
	outcome->state = state;
	outcome->line = line;
	outcome->actual = actual;
	outcome->expected = expected;
	(void)snprintf(outcome->text, sizeof outcome->text, "%s", text);
	_exit(0);
}

void semantics_check(intptr_t actual, intptr_t expected, int line,
		     const char *text)
{
	const struct outcome *kernel = current->kernel;

	if (actual == expected)
		return;
	actual = relative(actual);
	expected = relative(expected);
	if (kernel != NULL && kernel->state == DIFFERED &&
	    kernel->line == line && kernel->actual == actual)
		end_case(AS_KERNEL, line, actual, expected, text);
	end_case(DIFFERED, line, actual, expected, text);
}

_Noreturn void semantics_skip(const char *reason)
{
	end_case(SKIPPED, 0, 0, 0, reason);
}

/*
 * Return whether the kernel is at least as new as the one that docs/semantics.md
 * describes. If it is and answers otherwise, the case fails; an older one is only
 * noted.
 */
static bool kernel_is_reference(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	if (uname(&name) != 0 ||
	    sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return true;
	return major > 6 || (major == 6 && minor >= 18);
}

static sigjmp_buf fault_return;

static void on_fault(int signal)
{
	siglongjmp(fault_return, signal);
}

static void catch_faults(void)
{
	struct sigaction action = {
		.sa_handler = on_fault,
		.sa_flags = SA_NODEFER,
	};

	(void)sigaction(SIGSEGV, &action, NULL);
	(void)sigaction(SIGBUS, &action, NULL);
}

int peek(const char *address)
{
	int signal = sigsetjmp(fault_return, 0);

	if (signal != 0)
		return -signal;
	return *(const volatile unsigned char *)address;
}

int poke(char *address, int byte)
{
	int signal = sigsetjmp(fault_return, 0);

	if (signal != 0)
		return -signal;
	*(volatile unsigned char *)address = (unsigned char)byte;
	return 0;
}

static void run_case(const struct run *run)
{
	struct caller caller;
	size_t size = DEFAULT_WINDOW;
	int result;

	current = run;
	(void)alarm(CASE_SECONDS);
	catch_faults();
	if (run->test->window != NULL)
		size = run->test->window();
	result = caller_open(&caller, run->kind, size, NULL, 0);
	if (result != 0)
		end_case(DIFFERED, 0, result, 0, "opening the window");
	window_start = (uintptr_t)caller.base;
	run->test->body(&caller);
	if (run->outcome->state == UNFINISHED)
		run->outcome->state = RAN;
	_exit(0);
}

/*
 * Run a case in a process of its own, since it may seal, give up rights and fill the
 * map count. Return false if the process did not end as a case does.
 */
static bool run_in_process(const struct run *run)
{
	int status;
	pid_t pid;

	(void)memset(run->outcome, 0, sizeof *run->outcome);
	(void)fflush(stdout);
	(void)fflush(stderr);
	pid = fork();
	if (pid < 0)
		return false;
	if (pid == 0)
		run_case(run);
	if (waitpid(pid, &status, 0) != pid)
		return false;
	if (status == 0 && run->outcome->state != UNFINISHED)
		return true;
	(void)printf("# ended with status %#x\n", (unsigned)status);
	return false;
}

static const char *number_text(intptr_t value, char *buffer, size_t size)
{
	if (value < 0 && value > -4096 && strerrorname_np((int)-value) != NULL)
		(void)snprintf(buffer, size, "-%s", strerrorname_np((int)-value));
	else if (value > 4096 || value < -4096)
		(void)snprintf(buffer, size, "0x%zx", (size_t)value);
	else
		(void)snprintf(buffer, size, "%zd", (ssize_t)value);
	return buffer;
}

static const char *caller_name(const struct run *run)
{
	return run->kind == CALLER_KERNEL ? "kernel" : "space";
}

static void explain(const struct run *run)
{
	const struct outcome *outcome = run->outcome;
	char actual[32], expected[32];

	(void)printf("# line %d: %s: got %s, not %s\n", outcome->line,
		     outcome->text,
		     number_text(outcome->actual, actual, sizeof actual),
		     number_text(outcome->expected, expected, sizeof expected));
	if (outcome->state == AS_KERNEL)
		(void)printf("# as the running kernel answers\n");
}

/*
 * Print a line of TAP, since cmocka prints skipped cases as "not ok". Return whether
 * the case failed.
 */
static bool report(const struct run *run, size_t number, bool ended)
{
	const struct outcome *outcome = run->outcome;
	const char *skipped = NULL;
	bool failed = !ended;

	if (ended && outcome->state == SKIPPED)
		skipped = outcome->text;
	if (ended && outcome->state != RAN && outcome->state != SKIPPED)
		explain(run);
	if (ended && outcome->state == DIFFERED) {
		failed = run->kind == CALLER_SPACE || kernel_is_reference();
		skipped = failed ? NULL : "this kernel answers otherwise";
	}
	(void)printf("%sok %zu - %s (%s): %s%s%s\n", failed ? "not " : "",
		     number, run->test->name, caller_name(run),
		     run->test->line, skipped != NULL ? " # SKIP " : "",
		     skipped != NULL ? skipped : "");
	return failed;
}

static int list_cases(const struct semantics_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)printf("%s\t%s\n", cases[i].name, cases[i].line);
	return 0;
}

static bool wanted(const struct semantics_case *test, int argc, char **argv)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++)
		if (strstr(test->name, argv[i]) != NULL)
			return true;
	return false;
}

static size_t plan(struct run *runs, const struct semantics_case *cases,
		   size_t count, int argc, char **argv)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++) {
		if (!wanted(&cases[i], argc, argv))
			continue;
		if (cases[i].on != ON_SPACE)
			runs[total++] = (struct run){ .test = &cases[i],
						      .kind = CALLER_KERNEL };
		if (cases[i].on != ON_KERNEL)
			runs[total++] = (struct run){ .test = &cases[i],
						      .kind = CALLER_SPACE };
	}
	return total;
}

int semantics_main(int argc, char **argv, const struct semantics_case *cases,
		   size_t count)
{
	struct outcome *outcomes = mmap(NULL, 2 * count * sizeof *outcomes,
					RW, SHARED_ANON, -1, 0);
	struct run *runs = calloc(2 * count, sizeof *runs);
	size_t total;
	int failed = 0;

	if (argc > 1 && strcmp(argv[1], "--list") == 0) {
		free(runs);
		return list_cases(cases, count);
	}
	if (outcomes == MAP_FAILED || runs == NULL) {
		free(runs);
		return 1;
	}
	total = plan(runs, cases, count, argc, argv);
	(void)printf("1..%zu\n", total);
	for (size_t i = 0; i < total; i++) {
		runs[i].outcome = &outcomes[i];
		if (runs[i].kind == CALLER_SPACE && i > 0 &&
		    runs[i - 1].test == runs[i].test)
			runs[i].kernel = &outcomes[i - 1];
		failed |= report(&runs[i], i + 1, run_in_process(&runs[i]));
	}
	free(runs);
	return failed;
}
