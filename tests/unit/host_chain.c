/* SPDX-License-Identifier: MIT */
#include <sys/ptrace.h>
#include <ucontext.h>

#include "guard_fixture.h"

/*
 * Handlers of SIGBUS that a program had before its first file. Each case is a process
 * of its own, since the library installs its handler once.
 */

/* What an earlier handler has seen. */
static volatile sig_atomic_t calls;
static siginfo_t seen;
static sigset_t mask_inside;
static void *context_seen;
static volatile uintptr_t stack_at;
static sigjmp_buf back;

static void need(int condition, int status)
{
	if (!condition)
		_exit(status);
}

/*
 * A call that sends a signal is declared not to come back into this file; so the
 * compiler is told that what the handler writes has changed.
 */
static void see_what_changed(void)
{
	__asm__ volatile("" : : : "memory");
}

static void look(void)
{
	calls++;
	stack_at = (uintptr_t)__builtin_frame_address(0);
	pthread_sigmask(SIG_SETMASK, NULL, &mask_inside);
}

static void plain(int signal)
{
	need(signal == SIGBUS, 90);
	look();
}

static void plain_jumps(int signal)
{
	plain(signal);
	siglongjmp(back, 1);
}

static void with_information(int signal, siginfo_t *info, void *context)
{
	need(signal == SIGBUS, 90);
	seen = *info;
	context_seen = context;
	look();
}

static void informed_jumps(int signal, siginfo_t *info, void *context)
{
	with_information(signal, info, context);
	siglongjmp(back, 1);
}

static void install(struct sigaction action)
{
	need(sigaction(SIGBUS, &action, NULL) == 0, 80);
	write_pages(path, FILE_PAGES);
	open_with(0);
}

/* A page of the file that is gone, touched outside of an access. */
static volatile char *gone(void)
{
	need(truncate(path, (off_t)page()) == 0, 81);
	return at_page(5);
}

static void expect_whole(void (*piece)(void))
{
	int status = status_of(piece);

	if (WIFSIGNALED(status))
		fail_msg("signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- faults ------------------------------------------------------------------------- */

static void touch_with_information(void)
{
	struct sigaction action = { .sa_sigaction = informed_jumps,
				    .sa_flags = SA_SIGINFO };
	volatile char *at;
	struct vms_file_access access;

	sigaddset(&action.sa_mask, SIGUSR1);
	install(action);
	at = gone();
	if (sigsetjmp(back, 1) == 0) {
		(void)*at;
		_exit(1);
	}
	need(calls == 1, 2);
	need(seen.si_addr == at && seen.si_code == BUS_ADRERR, 3);
	need(context_seen != NULL, 4);
	need(sigismember(&mask_inside, SIGBUS) == 1, 5);
	need(sigismember(&mask_inside, SIGUSR1) == 1, 6);
	need(sigismember(&mask_inside, SIGUSR2) == 0, 7);
	/* In an access it is the library's all the same. */
	need(vms_file_begin_access(file, &access) == 0, 8);
	need(*at == 0 && calls == 1, 9);
	need(vms_file_end_access(&access, NULL) == -1, 10);
}

static void touch_plain(void)
{
	install((struct sigaction){ .sa_handler = plain_jumps,
				    .sa_flags = SA_NODEFER });
	if (sigsetjmp(back, 1) == 0) {
		(void)*gone();
		_exit(1);
	}
	need(calls == 1, 2);
	need(sigismember(&mask_inside, SIGBUS) == 0, 3);
}

static volatile char *inner_at;

static void touches_again(int signal)
{
	plain(signal);
	if (calls == 1)
		(void)*inner_at;
	siglongjmp(back, 1);
}

static void touch_in_the_handler(void)
{
	install((struct sigaction){ .sa_handler = touches_again,
				    .sa_flags = SA_NODEFER });
	inner_at = gone();
	if (sigsetjmp(back, 1) == 0) {
		(void)*inner_at;
		_exit(1);
	}
	need(calls == 2, 2);
}

static void touch_twice_with_reset(void)
{
	install((struct sigaction){ .sa_handler = plain_jumps,
				    .sa_flags = (int)SA_RESETHAND });
	if (sigsetjmp(back, 1) == 0) {
		(void)*gone();
		_exit(1);
	}
	need(calls == 1, 2);
	(void)*gone();
}

static void touch_with_default(void)
{
	install((struct sigaction){ .sa_handler = SIG_DFL });
	(void)*gone();
}

static void touch_with_ignore(void)
{
	install((struct sigaction){ .sa_handler = SIG_IGN });
	(void)*gone();
}

static void touch_by_option(void)
{
	need(sigaction(SIGBUS, &(struct sigaction){ .sa_handler = plain },
		       NULL) == 0, 80);
	write_pages(path, FILE_PAGES);
	open_with(VMS_FILE_ZERO_OUTSIDE);
	need(*gone() == 0 && calls == 0, 1);
}

static void touch_where_no_file_is(void)
{
	volatile char *at;
	int fd;

	install((struct sigaction){ .sa_sigaction = informed_jumps,
				    .sa_flags = SA_SIGINFO });
	fd = open(path, O_RDWR | O_CLOEXEC);
	at = mmap(NULL, 32 * page(), PROT_READ, MAP_SHARED, fd, 0);
	if (sigsetjmp(back, 1) == 0) {
		struct vms_file_access access;

		vms_file_begin_access(file, &access);
		(void)at[20 * page()];
		_exit(1);
	}
	need(calls == 1 && seen.si_addr == at + 20 * page(), 2);
}

static char alternative[1 << 16];

static void touch_on_another_stack(void)
{
	const stack_t stack = { .ss_sp = alternative,
				.ss_size = sizeof(alternative) };

	need(sigaltstack(&stack, NULL) == 0, 82);
	install((struct sigaction){ .sa_handler = plain_jumps,
				    .sa_flags = SA_ONSTACK });
	if (sigsetjmp(back, 1) == 0) {
		(void)*gone();
		_exit(1);
	}
	need(stack_at >= (uintptr_t)alternative &&
	     stack_at < (uintptr_t)alternative + sizeof(alternative), 2);
}

static void faults_go_to_the_earlier_handler(void **state)
{
	(void)state;
	expect_whole(touch_with_information);
	expect_whole(touch_plain);
	expect_whole(touch_in_the_handler);
	expect_whole(touch_by_option);
	expect_whole(touch_where_no_file_is);
}

static void it_runs_on_its_own_stack(void **state)
{
	(void)state;
	expect_whole(touch_on_another_stack);
}

static void expect_bus_error(void (*piece)(void))
{
	int status = status_of(piece);

	if (WIFEXITED(status))
		fail_msg("exit %d", WEXITSTATUS(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

static void without_one_the_program_ends(void **state)
{
	(void)state;
	expect_bus_error(touch_with_default);
	expect_bus_error(touch_with_ignore);
	expect_bus_error(touch_twice_with_reset);
}

/* --- signals that somebody sends ------------------------------------------------------ */

static void send_with_information(void)
{
	install((struct sigaction){ .sa_sigaction = with_information,
				    .sa_flags = SA_SIGINFO });
	need(kill(getpid(), SIGBUS) == 0 && calls == 1, 1);
	see_what_changed();
	need(seen.si_code == SI_USER && seen.si_pid == getpid(), 2);
	need(sigqueue(getpid(), SIGBUS,
		      (union sigval){ .sival_int = 1234 }) == 0, 3);
	see_what_changed();
	need(calls == 2 && seen.si_code == SI_QUEUE &&
	     seen.si_value.sival_int == 1234, 4);
}

static void send_plain(void)
{
	sigset_t before, after;

	install((struct sigaction){ .sa_handler = plain });
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	need(raise(SIGBUS) == 0 && calls == 1, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int i = 1; i < NSIG; i++)
		need(sigismember(&before, i) == sigismember(&after, i), 2);
}

static void send_ignored(void)
{
	install((struct sigaction){ .sa_handler = SIG_IGN });
	need(kill(getpid(), SIGBUS) == 0, 1);
	need(raise(SIGBUS) == 0, 2);
}

static void send_default(void)
{
	install((struct sigaction){ .sa_handler = SIG_DFL });
	kill(getpid(), SIGBUS);
}

static void send_twice_with_reset(void)
{
	install((struct sigaction){ .sa_handler = plain,
				    .sa_flags = (int)SA_RESETHAND });
	need(raise(SIGBUS) == 0 && calls == 1, 1);
	raise(SIGBUS);
}

static void sent_signals_go_there_too(void **state)
{
	(void)state;
	expect_whole(send_with_information);
	expect_whole(send_plain);
	expect_whole(send_ignored);
	expect_bus_error(send_default);
	expect_bus_error(send_twice_with_reset);
}

static void wait_in_read(int flags)
{
	struct sigaction action = { .sa_handler = plain, .sa_flags = flags };
	const pid_t parent = getpid();
	char byte = 0;
	int ends[2];
	pid_t child;
	ssize_t got;

	install(action);
	need(pipe(ends) == 0, 83);
	child = fork();
	if (child == 0) {
		/* Only when the parent sleeps is the signal of use: it is sent
		 * until the parent has left its read or had the byte. */
		for (int i = 0; i < 200; i++) {
			kill(parent, SIGBUS);
			usleep(1000);
		}
		_exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
	}
	got = read(ends[0], &byte, 1);
	if (flags & SA_RESTART)
		need(got == 1 && byte == 'x', 1);
	else
		need(got == -1 && errno == EINTR, 2);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void read_goes_on(void)
{
	wait_in_read(SA_RESTART);
}

static void read_ends(void)
{
	wait_in_read(0);
}

static void calls_go_on_as_the_earlier_handler_wants(void **state)
{
	(void)state;
	expect_whole(read_goes_on);
	expect_whole(read_ends);
}

/* --- what a core dump would tell ------------------------------------------------------ */

/* Run a piece under trace and give what it dies of. */
static siginfo_t last_words(void (*piece)(void))
{
	siginfo_t info = { .si_signo = 0 };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		piece();
		_exit(0);
	}
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		if (WSTOPSIG(status) == SIGBUS)
			ptrace(PTRACE_GETSIGINFO, child, NULL, &info);
		ptrace(PTRACE_CONT, child, NULL,
		       (void *)(intptr_t)WSTOPSIG(status));
	}
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	return info;
}

static void *shared_word;

static void touch_and_tell_where(void)
{
	volatile char *at;

	install((struct sigaction){ .sa_handler = SIG_DFL });
	at = gone();
	*(volatile char *volatile *)shared_word = at;
	(void)*at;
}

static void send_a_value(void)
{
	install((struct sigaction){ .sa_handler = SIG_DFL });
	sigqueue(getpid(), SIGBUS, (union sigval){ .sival_int = 1234 });
}

static void it_ends_with_the_signal_as_it_was(void **state)
{
	siginfo_t info;

	(void)state;
	shared_word = mmap(NULL, page(), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared_word, MAP_FAILED);
	info = last_words(touch_and_tell_where);
	assert_int_equal(info.si_code, BUS_ADRERR);
	assert_ptr_equal(info.si_addr, *(char **)shared_word);
	info = last_words(send_a_value);
	assert_int_equal(info.si_code, SI_QUEUE);
	assert_int_equal(info.si_value.sival_int, 1234);
	munmap(shared_word, page());
}

static int prepare(void **state)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	(void)state;
	/* cmocka, and sanitizers, have handlers of their own. */
	return sigaction(SIGBUS, &action, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(faults_go_to_the_earlier_handler),
		WITH_FILE(it_runs_on_its_own_stack),
		WITH_FILE(without_one_the_program_ends),
		WITH_FILE(sent_signals_go_there_too),
		WITH_FILE(calls_go_on_as_the_earlier_handler_wants),
		WITH_FILE(it_ends_with_the_signal_as_it_was),
	};

	return cmocka_run_group_tests_name("file_chain", tests, prepare, NULL);
}
