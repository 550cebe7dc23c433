/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Processes that ask all the time, while they are killed, stopped, interrupted
 * by signals, or execute another program; and while their supervisor dies.
 */

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define VICTIMS 6
#define THREADS 2 /* of a victim, besides the first one */
#define THREAD_STACK (64 * KIB)
#define SECONDS 1.0
#define LIFE_S 3600
#define WRONG 1   /* the exit status of a victim */

static struct {
	atomic_int over;
	atomic_size_t interrupted; /* calls that answered EINTR */
	atomic_size_t asked;
	/* Of threads that are left alone. */
	atomic_size_t ready, asking;
	atomic_int may_ask;
} *shared;

/* Whether a signal handler may be seen: it does not restart calls. */
static int may_be_interrupted;

static void *map(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* --- victims -------------------------------------------------------------- */

static void expect_answer(int failed)
{
	const int error = errno;

	atomic_fetch_add(&shared->asked, 1);
	if (!failed || error == ENOMEM)
		return;
	if (error != EINTR || !may_be_interrupted)
		_exit(WRONG);
	atomic_fetch_add(&shared->interrupted, 1);
}

/* What is asked for is given back at once, so that little is used. */
static void ask(unsigned *seed)
{
	size_t bytes = (size_t)(1 + rand_r(seed) % 256) * 4 * KIB;
	void *start = map(bytes), *moved;

	expect_answer(start == MAP_FAILED);
	if (start == MAP_FAILED)
		return;
	moved = mremap(start, bytes, 2 * bytes, MREMAP_MAYMOVE);
	expect_answer(moved == MAP_FAILED);
	if (moved == MAP_FAILED)
		munmap(start, bytes);
	else
		munmap(moved, 2 * bytes);
}

/* What a killed victim leaves is an orphan that ends by itself. */
static void fork_once(unsigned *seed)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		ask(seed);
		_exit(0);
	}
	expect_answer(child < 0);
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			_exit(WRONG);
	if (status)
		_exit(WRONG);
}

static void *ask_all_the_time(void *context)
{
	unsigned seed = (unsigned)(uintptr_t)context;
	sigset_t none;

	/* Nothing interrupts a thread before it knows what that may do. */
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	while (!shared->over) {
		ask(&seed);
		if (rand_r(&seed) % 16 == 0)
			fork_once(&seed);
	}
	return NULL;
}

static pthread_t start_thread(void *(*run)(void *context), unsigned seed)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	if (pthread_create(&thread, &attributes, run,
			   (void *)(uintptr_t)seed))
		_exit(WRONG);
	return thread;
}

static void start_threads(unsigned seed)
{
	for (unsigned i = 0; i < THREADS; i++)
		(void)start_thread(ask_all_the_time, seed * 10 + i);
}

static _Noreturn void run_victim(unsigned seed)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFE_S);
	start_threads(seed);
	ask_all_the_time((void *)(uintptr_t)(seed * 10 + THREADS));
	_exit(0);
}

/* --- troubles ------------------------------------------------------------- */

struct victims {
	pid_t list[VICTIMS];
	unsigned seed, count;
};

static void start_victim(struct victims *victims, unsigned i)
{
	unsigned seed = victims->seed * 1000 + victims->count++;
	pid_t child = fork();

	if (child == 0)
		run_victim(seed);
	victims->list[i] = child;
}

static struct victims start_victims(size_t seed)
{
	struct victims victims = { .seed = (unsigned)seed };

	shared = share(sizeof *shared);
	for (unsigned i = 0; i < VICTIMS; i++)
		start_victim(&victims, i);
	return victims;
}

/* Whether each has ended by itself, and well. */
static int end_victims(void)
{
	int status, result = 0;

	shared->over = 1;
	while (wait(&status) > 0)
		if (status)
			result = ECHILD;
	say("troubled", shared->asked > 100 ? "enough" : "too little");
	return result;
}

static void wait_a_moment(unsigned *seed, unsigned most_us)
{
	usleep((useconds_t)rand_r(seed) % most_us);
}

/* A victim that is not killed has found something wrong. */
static int do_kills(size_t seed)
{
	struct victims victims = start_victims(seed);
	const double until = now() + SECONDS;
	unsigned random = (unsigned)seed;
	int status;

	while (now() < until) {
		const unsigned i = (unsigned)rand_r(&random) % VICTIMS;

		wait_a_moment(&random, 4000);
		kill(victims.list[i], SIGKILL);
		if (waitpid(victims.list[i], &status, 0) < 0)
			return errno;
		if (!WIFSIGNALED(status))
			return EPROTO;
		start_victim(&victims, i);
		if (victims.list[i] < 0)
			return errno;
	}
	return end_victims();
}

static int do_stops(size_t seed)
{
	struct victims victims = start_victims(seed);
	const double until = now() + SECONDS;
	unsigned random = (unsigned)seed;

	while (now() < until) {
		const unsigned i = (unsigned)rand_r(&random) % VICTIMS;

		kill(victims.list[i], SIGSTOP);
		wait_a_moment(&random, 2000);
		kill(victims.list[i], SIGCONT);
		wait_a_moment(&random, 500);
	}
	return end_victims();
}

static void handle(int number)
{
	(void)number;
}

static int send_signals(size_t seed, int flags)
{
	const struct sigaction action = {
		.sa_handler = handle, .sa_flags = flags };
	struct victims victims;
	unsigned random = (unsigned)seed;
	sigset_t held;
	double until;

	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&held);
	sigaddset(&held, SIGUSR1);
	sigprocmask(SIG_BLOCK, &held, NULL);
	victims = start_victims(seed);
	until = now() + SECONDS;
	while (now() < until) {
		for (unsigned i = 0; i < VICTIMS; i++)
			kill(victims.list[i], SIGUSR1);
		wait_a_moment(&random, 300);
	}
	return end_victims();
}

static int do_signals(size_t seed)
{
	return send_signals(seed, SA_RESTART);
}

/* How many calls were interrupted is for the test to tell. */
static int do_interruptions(size_t seed)
{
	int error;

	may_be_interrupted = 1;
	error = send_signals(seed, 0);
	may_be_interrupted = 0;
	say_number("interrupted", shared->interrupted);
#ifdef __x86_64__
	if (shared->interrupted)
		return EINTR;
#endif
	return error;
}

/* --- execve --------------------------------------------------------------- */

static char *self_arguments(char *step, size_t size, const char *name,
			    size_t number)
{
	snprintf(step, size, "%s=%zu", name, number);
	return step;
}

static void execute(const char *name, size_t number)
{
	extern char **environ;
	char out[24], step[48], program[] = "troubled";
	char *arguments[] = { program, out, self_arguments(step, sizeof step,
							   name, number),
			      NULL };

	snprintf(out, sizeof out, "%s", said_to());
	execve("/proc/self/exe", arguments, environ);
	_exit(WRONG);
}

static size_t images_left;
static const char *next_image;

/* By a thread that is not the first, which ends with the others. */
static void *execute_soon(void *context)
{
	unsigned seed = (unsigned)(uintptr_t)context + (unsigned)images_left;

	wait_a_moment(&seed, 6000);
	execute(next_image, images_left - 1);
	return NULL;
}

static void begin_image(const char *name, size_t left)
{
	shared = share(sizeof *shared);
	next_image = name;
	images_left = left;
	if (left == 0)
		_exit(0);
}

/* One image after the other, each with threads that ask. */
static int do_image(size_t left)
{
	begin_image("image", left);
	start_threads((unsigned)left);
	(void)start_thread(execute_soon, 0);
	ask_all_the_time((void *)(uintptr_t)left);
	return 0;
}

static int do_images(size_t count)
{
	int status, result = 0;

	for (unsigned i = 0; i < VICTIMS; i++)
		if (fork() == 0)
			execute("image", count + i);
	while (wait(&status) > 0)
		if (status)
			result = ECHILD;
	return result;
}

/* The first thread is refused for ever, until another one executes. */
static int do_refused_image(size_t left)
{
	begin_image("refused-image", left);
	(void)start_thread(execute_soon, 0);
	while (map((size_t)1 << 40) == MAP_FAILED)
		continue;
	_exit(WRONG);
}

/* --- no supervisor -------------------------------------------------------- */

#define LOOK_US 500

static void wait_until(atomic_size_t *number, size_t enough)
{
	while (*number < enough)
		usleep(LOOK_US);
}

/*
 * Nobody asks before all have the threads that they need, which could not be
 * made where others ask for all that there is, or after the supervisor's death.
 */
static void *ask_until_enosys(void *context)
{
	void *start;

	(void)context;
	atomic_fetch_add(&shared->ready, 1);
	while (!shared->may_ask)
		usleep(LOOK_US);
	for (bool has_asked = false;; has_asked = true) {
		start = map(MIB);
		if (!has_asked)
			atomic_fetch_add(&shared->asking, 1);
		if (start != MAP_FAILED)
			munmap(start, MIB);
		else if (errno != ENOMEM)
			return (void *)(uintptr_t)errno;
	}
}

static _Noreturn void ask_and_tell(void)
{
	void *error, *other_error;
	pthread_t thread;

	alarm(LIFE_S);
	thread = start_thread(ask_until_enosys, 0);
	error = ask_until_enosys(NULL);
	pthread_join(thread, &other_error);
	say("left alone", strerrorname_np((int)(uintptr_t)error));
	say("left alone", strerrorname_np((int)(uintptr_t)other_error));
	_exit(0);
}

/* The processes are to live when their supervisor has died. */
static int do_orphanage(size_t count)
{
	prctl(PR_SET_PDEATHSIG, 0);
	alarm(LIFE_S);
	shared = share(sizeof *shared);
	for (size_t i = 0; i < count; i++)
		switch (fork()) {
		case 0:
			ask_and_tell();
		case -1:
			return errno;
		}
	wait_until(&shared->ready, 2 * count);
	shared->may_ask = 1;
	wait_until(&shared->asking, 2 * count);
	say("asking", "now");
	while (wait(NULL) > 0)
		continue;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "kills", do_kills }, { "stops", do_stops },
		{ "signals", do_signals },
		{ "interruptions", do_interruptions },
		{ "images", do_images }, { "image", do_image },
		{ "refused-image", do_refused_image },
		{ "orphanage", do_orphanage },
		{ "settled", do_settled }, { NULL, NULL },
	};

	return take_steps(argc, argv, steps, 1);
}
