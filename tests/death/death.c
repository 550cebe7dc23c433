/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Run the program of each misuse and check how it ends. */

enum build { ANY_BUILD, DEBUG_BUILD };

struct misuse {
	const char *program;
	int signal;
	const char *message;    /* part of the line on standard error; "": none */
	enum build noticed_in;
	const char *path;
};

static struct misuse misuses[] = {
	{ "touch_hole", SIGSEGV, "", ANY_BUILD, NULL },
	{ "touch_guard", SIGSEGV, "", ANY_BUILD, NULL },
	{ "touch_unmapped", SIGSEGV, "", ANY_BUILD, NULL },
	{ "touch_old_place", SIGSEGV, "", ANY_BUILD, NULL },
	{ "stack_overflow", SIGSEGV,
	  "stack overflow: stack 0 \"endless\" of pool \"stacks\"", ANY_BUILD,
	  NULL },
	{ "touch_past_end", SIGSEGV, "", ANY_BUILD, NULL },
	{ "touch_past_buffer", SIGSEGV, "", ANY_BUILD, NULL },
	{ "touch_past_file", SIGBUS, "", ANY_BUILD, NULL },
	{ "touch_cut_file", SIGBUS, "", ANY_BUILD, NULL },
	{ "file_access_order", SIGABRT, "accesses end in reverse order",
	  DEBUG_BUILD, NULL },
	{ "file_later_handler", SIGABRT,
	  "a handler of SIGBUS was installed after", DEBUG_BUILD, NULL },
	{ "touch_decommitted", SIGSEGV, "", ANY_BUILD, NULL },
	{ "touch_closed_space", SIGSEGV, "", ANY_BUILD, NULL },
	{ "touch_guard_gap", SIGSEGV, "", ANY_BUILD, NULL },
	{ "write_read_only", SIGSEGV, "", ANY_BUILD, NULL },
	{ "write_grown_read_only", SIGSEGV, "", ANY_BUILD, NULL },
	{ "code_run_freed", SIGTRAP, "", ANY_BUILD, NULL },
	{ "code_run_freed_page", SIGSEGV, "", ANY_BUILD, NULL },
	{ "code_write_run", SIGSEGV, "", ANY_BUILD, NULL },
	{ "code_write_settled", SIGSEGV, "", ANY_BUILD, NULL },
	{ "execute_data", SIGSEGV, "", ANY_BUILD, NULL },
	{ "write_records", SIGSEGV, "", ANY_BUILD, NULL },
	{ "uncharge_too_much", SIGABRT,
	  "more was uncharged than had been charged",
	  ANY_BUILD, NULL },
	{ "lost_move", SIGABRT, "a mapping cannot be put together again",
	  ANY_BUILD, NULL },
	{ "stale_handle", SIGABRT, "a stale handle was used",
	  DEBUG_BUILD, NULL },
	{ "closed_handle", SIGABRT, "a stale handle was used",
	  DEBUG_BUILD, NULL },
	{ "wrong_lock_order", SIGABRT,
	  "a lock was taken out of rank order", DEBUG_BUILD,
	  NULL },
	{ "broken_buffer", SIGABRT, "a buffer's fields are not in order",
	  DEBUG_BUILD, NULL },
	{ "broken_ledger", SIGABRT,
	  "the ledger is not the sum over the map",
	  DEBUG_BUILD, NULL },
	{ "heap_free_twice_small", SIGABRT,
	  "heap: given a block that is not in use", ANY_BUILD, NULL },
	{ "heap_free_twice_large", SIGABRT,
	  "heap: given a block that is not in use", ANY_BUILD, NULL },
	{ "heap_free_twice_collected", SIGABRT,
	  "heap: given a block that is not in use", ANY_BUILD, NULL },
	{ "heap_free_inner_small", SIGABRT,
	  "heap: given a pointer into a block", ANY_BUILD, NULL },
	{ "heap_free_inner_large", SIGABRT,
	  "heap: given a pointer into a block", ANY_BUILD, NULL },
	{ "heap_free_never_made", SIGABRT,
	  "heap: given a block that is not in use", ANY_BUILD, NULL },
	{ "heap_free_next_block", SIGABRT,
	  "heap: given a block that is not in use", ANY_BUILD, NULL },
	{ "heap_free_foreign", SIGABRT,
	  "heap: given a pointer that it does not own", ANY_BUILD, NULL },
	{ "heap_realloc_freed_small", SIGABRT,
	  "heap: given a block that is not in use", ANY_BUILD, NULL },
	{ "heap_realloc_freed_large", SIGABRT,
	  "heap: given a block that is not in use", ANY_BUILD, NULL },
	{ "heap_realloc_moved", SIGABRT,
	  "heap: given a block that is not in use", ANY_BUILD, NULL },
	{ "heap_usable_freed", SIGABRT,
	  "heap: given a block that is not in use", ANY_BUILD, NULL },
	{ "heap_write_past_large", SIGSEGV, "", ANY_BUILD, NULL },
	{ "heap_broken_sum", SIGABRT,
	  "what is retained is not the sum over its parts", DEBUG_BUILD, NULL },
};

#define MISUSES (sizeof(misuses) / sizeof(misuses[0]))

/* A program's output and how it ended. */
struct end {
	char output[256];
	char error[4096];
	int status;
};

/* A sanitizer would report and exit in place of the signal. */
static void leave_signals_alone(void)
{
	const char *options = "handle_segv=0:handle_sigbus=0:handle_abort=0:"
		"detect_leaks=0";

	setenv("ASAN_OPTIONS", options, 1);
	setenv("TSAN_OPTIONS", options, 1);
	setenv("UBSAN_OPTIONS", "handle_segv=0:handle_sigbus=0:handle_abort=0",
	       1);
}

static void read_all(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;

	while (length < size - 1 &&
	       (got = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	close(fd);
}

static void run(const char *path, struct end *end)
{
	int output[2], error[2];
	pid_t child;

	assert_int_equal(pipe(output), 0);
	assert_int_equal(pipe(error), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		dup2(output[1], STDOUT_FILENO);
		dup2(error[1], STDERR_FILENO);
		close(output[0]);
		close(output[1]);
		close(error[0]);
		close(error[1]);
		leave_signals_alone();
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	close(output[1]);
	close(error[1]);
	read_all(output[0], end->output, sizeof(end->output));
	read_all(error[0], end->error, sizeof(end->error));
	assert_int_equal(waitpid(child, &end->status, 0), child);
}

static int build_notices(const struct misuse *misuse)
{
#ifdef VMSI_DEBUG
	(void)misuse;
	return 1;
#else
	return misuse->noticed_in == ANY_BUILD;
#endif
}

static void it_ends_as_it_must(void **state)
{
	const struct misuse *misuse = *state;
	struct end end;

	assert_non_null(misuse->path);
	run(misuse->path, &end);
	/* The program must have reached the misuse, and not more. */
	assert_string_equal(end.output, "misuse\n");
	if (!build_notices(misuse)) {
		assert_true(WIFEXITED(end.status));
		assert_int_equal(WEXITSTATUS(end.status), 0);
		return;
	}
	if (misuse->message[0]) {
		assert_ptr_equal(strstr(end.error, "libvmspace: "), end.error);
		assert_non_null(strstr(end.error, misuse->message));
	} else {
		assert_string_equal(end.error, "");
	}
	assert_true(WIFSIGNALED(end.status));
	assert_int_equal(WTERMSIG(end.status), misuse->signal);
}

static void find_program(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	if (strncmp(name, "death-", 6) == 0)
		name += 6;
	for (size_t i = 0; i < MISUSES; i++)
		if (strcmp(misuses[i].program, name) == 0)
			misuses[i].path = path;
}

/* death PROGRAM... */
int main(int argc, char **argv)
{
	struct CMUnitTest tests[MISUSES];

	for (int i = 1; i < argc; i++)
		find_program(argv[i]);
	for (size_t i = 0; i < MISUSES; i++)
		tests[i] = (struct CMUnitTest){
			.name = misuses[i].program,
			.test_func = it_ends_as_it_must,
			.initial_state = &misuses[i],
		};
	return cmocka_run_group_tests_name("death", tests, NULL, NULL);
}
