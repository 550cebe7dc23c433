/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

#include <pthread.h>
#include <sys/time.h>

/* Handlers that map memory, and handlers that leave by longjmp. */

static sigjmp_buf back;
static volatile sig_atomic_t alarms;

static void handle(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigaction(number, &action, NULL);
}

static void every(long microseconds)
{
	struct itimerval timer = {
		{ 0, microseconds }, { 0, microseconds },
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

static bool map_and_unmap(size_t pages)
{
	char *memory = mmap(NULL, pages * page, RW, ANON, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	memory[0] = 1;
	memory = mremap(memory, pages * page, 2 * pages * page,
			MREMAP_MAYMOVE);
	if (memory == MAP_FAILED || memory[0] != 1)
		return false;
	return munmap(memory, 2 * pages * page) == 0;
}

static void mapping_handler(int number)
{
	int saved = errno;

	(void)number;
	if (!map_and_unmap(3))
		abort();
	alarms++;
	errno = saved;
}

static void jumping_handler(int number)
{
	(void)number;
	alarms++;
	siglongjmp(back, 1);
}

static void handlers_map(void)
{
	bool fine = true;

	alarms = 0;
	handle(SIGALRM, mapping_handler);
	every(200);
	while (alarms < 200 && fine)
		fine = map_and_unmap(1 + (size_t)alarms % 9);
	every(0);
	say("handlers that map", "%s", fine ? "fine" : "trouble");
}

static void handlers_jump(void)
{
	volatile bool fine = true;

	handle(SIGALRM, jumping_handler);
	alarms = 0;
	if (sigsetjmp(back, 1) == 0)
		every(300);
	while (alarms < 200 && fine)
		fine = map_and_unmap(1 + (size_t)alarms % 9);
	every(0);
	say("handlers that jump out", "%s", fine ? "fine" : "trouble");
	handle(SIGALRM, SIG_IGN);
	say("and all works after", "%d", map_and_unmap(5));
}

static char *guarded;

/* What garbage collectors do: open the page that was written to. */
static void opening_handler(int number)
{
	(void)number;
	if (mprotect(guarded, page, RW))
		abort();
	alarms++;
}

static void faults_are_served(void)
{
	guarded = anonymous(1);
	handle(SIGSEGV, opening_handler);
	alarms = 0;
	for (int i = 0; i < 100; i++) {
		mprotect(guarded, page, PROT_NONE);
		guarded[0] = (char)i;
	}
	say("write barriers", "%d", (int)alarms);
	catch_faults();
	munmap(guarded, page);
}

static void masks_are_kept(void)
{
	sigset_t before, after;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	sigaddset(&before, SIGRTMIN + 3);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	map_and_unmap(4);
	pthread_sigmask(SIG_SETMASK, NULL, &after);

	int same = 1;

	for (int i = 1; i < 65; i++)
		same &= sigismember(&before, i) == sigismember(&after, i);
	say("signal mask", "%d", same);
	sigemptyset(&before);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void *endless(void *argument)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	while (map_and_unmap(2))
		;
	return argument;
}

static void cancelling(void)
{
	for (int i = 0; i < 10; i++) {
		pthread_t one;
		void *its = NULL;

		if (pthread_create(&one, NULL, endless, NULL))
			abort();
		usleep(3000);
		pthread_cancel(one);
		pthread_join(one, &its);
		if (its != PTHREAD_CANCELED || !map_and_unmap(1)) {
			say("cancelled threads", "trouble");
			return;
		}
	}
	say("cancelled threads", "fine");
}

static void handler_on_our_stack(void)
{
	char *memory = anonymous(64);
	stack_t stack = { .ss_sp = memory, .ss_size = 64 * page };
	struct sigaction action = {
		.sa_handler = mapping_handler, .sa_flags = SA_ONSTACK,
	};

	alarms = 0;
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	say("a signal stack in our memory", "%d", (int)alarms);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	munmap(memory, 64 * page);
}

int main(void)
{
	begin();
	handlers_map();
	handlers_jump();
	faults_are_served();
	masks_are_kept();
	cancelling();
	handler_on_our_stack();
	return 0;
}
