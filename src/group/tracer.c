/* SPDX-License-Identifier: MIT */
#include "group/tracer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "group/state.h"
#include "group/tracer_bell.h"

/* A thread, and not a process: yama lets only an ancestor trace. */

#define PROCESS_OPTIONS (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
			 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

/* A waiter looks whether a thread vanished without a word: soon, then less often. */
#define LOOK_FIRST_NS (200l * 1000)
#define LOOK_MOST_NS (50l * 1000 * 1000)

#define KERNEL_ERESTARTNOINTR 513

enum kind { SEIZE, LET_GO, ASK_STOP, RESUME, QUIT };

/* What another thread asks of the tracer; it waits for done. */
struct command {
	struct command *next;
	enum kind kind;
	pid_t pid;
	pid_t caller;     /* the thread whose call id is */
	uint64_t id;
	enum vmsi_then then;
	struct vmsi_stop *stop;
	int result;
	bool done;
};

/* A thread that is let go as soon as it stops. */
struct leaving {
	pid_t thread, process;
	uint64_t id;      /* the call that goes on when all have left */
	enum vmsi_then then;
};

struct vmsi_tracer {
	pthread_t thread;
	pid_t tid;
	pid_t first;
	int listener;
	struct vmsi_bell bell;
	/* Of the tracer's thread alone. */
	struct leaving *leaving;
	size_t leaving_count, leaving_room;
	bool quits;
	/* lock guards what follows; changed is told of each change. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct command *commands;
	struct vmsi_stop *stops;
	int started;      /* 1: it runs; -errno: it does not; 0: not known */
	bool has_first;
	bool first_ended;
	int first_status;
	int first_signal;
};

/* --- threads of a process ------------------------------------------------- */

/* Calls visit with each thread of a process; its first error ends the walk. */
static int each_thread(struct vmsi_tracer *tracer, pid_t process,
		       int (*visit)(struct vmsi_tracer *tracer, pid_t thread,
				    void *context),
		       void *context)
{
	DIR *threads = vmsi_proc_open_threads(process);
	struct dirent *entry;
	int error = 0;

	if (!threads)
		return errno == ENOENT ? 0 : -errno;
	while (!error && (entry = readdir(threads)))
		if (entry->d_name[0] != '.')
			error = visit(tracer,
				      (pid_t)strtol(entry->d_name, NULL, 10),
				      context);
	closedir(threads);
	return error;
}

static bool has_ended(pid_t thread)
{
	struct vmsi_proc_running running;

	return !vmsi_proc_read_running(thread, thread, &running) ||
		running.state == 'Z' || running.state == 'X';
}

static int seize_thread(struct vmsi_tracer *tracer, pid_t thread, void *context)
{
	size_t *seized = context;
	int error;

	if (ptrace(PTRACE_SEIZE, thread, NULL, (void *)PROCESS_OPTIONS) == 0) {
		++*seized;
		return 0;
	}
	error = errno;
	return error == ESRCH || vmsi_proc_tracer(thread) == tracer->tid ||
		has_ended(thread) ? 0 : -error;
}

/* Until no thread is found that one which was not traced yet had made. */
static int seize(struct vmsi_tracer *tracer, pid_t process)
{
	size_t seized;
	int error;

	do {
		seized = 0;
		error = each_thread(tracer, process, seize_thread, &seized);
	} while (!error && seized);
	if (!error && process == tracer->first) {
		pthread_mutex_lock(&tracer->lock);
		tracer->has_first = true;
		pthread_mutex_unlock(&tracer->lock);
	}
	return error;
}

static void lose_first(struct vmsi_tracer *tracer, pid_t thread)
{
	if (thread != tracer->first)
		return;
	pthread_mutex_lock(&tracer->lock);
	tracer->has_first = false;
	pthread_mutex_unlock(&tracer->lock);
}

/* --- stops ---------------------------------------------------------------- */

static int event_of(int status)
{
	return status >> 16;
}

/* Of all threads of a process, by a signal: they stay stopped. */
static bool is_group_stop(int status)
{
	return event_of(status) == PTRACE_EVENT_STOP &&
		WSTOPSIG(status) != SIGTRAP;
}

/* The signal that the stop is for; 0: it is for an event. */
static long signal_of(int status)
{
	return event_of(status) ? 0 : WSTOPSIG(status);
}

static void resume(pid_t thread, int status)
{
	if (is_group_stop(status))
		(void)ptrace(PTRACE_LISTEN, thread, NULL, NULL);
	else
		(void)ptrace(PTRACE_CONT, thread, NULL,
			     (void *)signal_of(status));
}

static void detach(struct vmsi_tracer *tracer, pid_t thread, int status)
{
	(void)ptrace(PTRACE_DETACH, thread, NULL, (void *)signal_of(status));
	lose_first(tracer, thread);
}

static struct vmsi_stop **find_stop(struct vmsi_tracer *tracer, pid_t thread)
{
	struct vmsi_stop **link = &tracer->stops;

	while (*link && ((*link)->thread != thread || (*link)->gone))
		link = &(*link)->next;
	return link;
}

/* Whether somebody waits for the stop of a thread, which then stays stopped. */
static bool keep_stopped(struct vmsi_tracer *tracer, pid_t thread, int status)
{
	struct vmsi_stop *stop;

	pthread_mutex_lock(&tracer->lock);
	stop = *find_stop(tracer, thread);
	if (stop) {
		stop->resume = status;
		stop->gone = vmsi_registers_read(thread, &stop->registers) != 0;
		stop->stopped = !stop->gone;
		pthread_cond_broadcast(&tracer->changed);
	}
	pthread_mutex_unlock(&tracer->lock);
	return stop != NULL;
}

static void end_stop(struct vmsi_tracer *tracer, pid_t thread)
{
	struct vmsi_stop *stop;

	pthread_mutex_lock(&tracer->lock);
	stop = *find_stop(tracer, thread);
	if (stop) {
		stop->gone = true;
		pthread_cond_broadcast(&tracer->changed);
	}
	pthread_mutex_unlock(&tracer->lock);
}

/* --- letting go ----------------------------------------------------------- */

static int interrupt_thread(struct vmsi_tracer *tracer, pid_t thread,
			    void *context)
{
	struct leaving one = *(const struct leaving *)context;
	struct leaving *all;

	if (vmsi_proc_tracer(thread) != tracer->tid || has_ended(thread))
		return 0;
	for (size_t i = 0; i < tracer->leaving_count; i++)
		if (tracer->leaving[i].thread == thread)
			return 0;
	all = vmsi_with_room(tracer->leaving, tracer->leaving_count,
			     &tracer->leaving_room, sizeof *all);
	if (!all)
		return -ENOMEM;
	tracer->leaving = all;
	if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL))
		return errno == ESRCH ? 0 : -errno;
	one.thread = thread;
	all[tracer->leaving_count++] = one;
	return 0;
}

static bool any_leaves(const struct vmsi_tracer *tracer, pid_t process)
{
	for (size_t i = 0; i < tracer->leaving_count; i++)
		if (tracer->leaving[i].process == process)
			return true;
	return false;
}

/* Threads that were made meanwhile are let go as well. */
static void let_all_go(struct vmsi_tracer *tracer, const struct leaving *one)
{
	(void)each_thread(tracer, one->process, interrupt_thread,
			  (void *)(uintptr_t)one);
	if (any_leaves(tracer, one->process))
		return;
	if (one->then == VMSI_THEN_CONTINUE)
		(void)vmsi_listener_continue(tracer->listener, one->id);
}

static bool is_leaving(const struct vmsi_tracer *tracer, pid_t thread)
{
	for (size_t i = 0; i < tracer->leaving_count; i++)
		if (tracer->leaving[i].thread == thread)
			return true;
	return false;
}

/*
 * A thread that asks to be traced itself (PTRACE_TRACEME) cannot stop before it
 * has its answer. It is answered so that the kernel makes the call again, and
 * stops and is let go before that.
 */
static void let_go(struct vmsi_tracer *tracer, const struct command *command)
{
	const struct leaving one = { .process = command->pid,
				     .id = command->id,
				     .then = command->then };

	let_all_go(tracer, &one);
	if (one.then != VMSI_THEN_REPEAT)
		return;
	if (is_leaving(tracer, command->caller))
		(void)vmsi_listener_answer(tracer->listener, one.id,
					   -KERNEL_ERESTARTNOINTR);
	else
		(void)vmsi_listener_continue(tracer->listener, one.id);
}

/* Returns whether the thread was to leave; it is traced no more. */
static bool note_left(struct vmsi_tracer *tracer, pid_t thread)
{
	for (size_t i = 0; i < tracer->leaving_count; i++) {
		const struct leaving one = tracer->leaving[i];

		if (one.thread != thread)
			continue;
		tracer->leaving[i] = tracer->leaving[--tracer->leaving_count];
		if (!any_leaves(tracer, one.process))
			let_all_go(tracer, &one);
		return true;
	}
	return false;
}

/* --- what waitpid tells --------------------------------------------------- */

static void note_first_stopped(struct vmsi_tracer *tracer, int signal)
{
	pthread_mutex_lock(&tracer->lock);
	tracer->first_signal = signal;
	pthread_mutex_unlock(&tracer->lock);
}

/* Its handlers are no more; and the thread may have had another number. */
static void handle_exec(struct vmsi_tracer *tracer, pid_t thread)
{
	unsigned long former = 0;

	(void)ptrace(PTRACE_GETEVENTMSG, thread, NULL, &former);
	end_stop(tracer, (pid_t)former);
	end_stop(tracer, thread);
	detach(tracer, thread, 0);
	(void)note_left(tracer, (pid_t)former);
	(void)note_left(tracer, thread);
}

static void handle_stopped(struct vmsi_tracer *tracer, pid_t thread, int status)
{
	if (event_of(status) == PTRACE_EVENT_EXEC) {
		/* With this status no signal is delivered. */
		handle_exec(tracer, thread);
		return;
	}
	if (signal_of(status))
		vmsi_restart_call(thread);
	if (is_group_stop(status) && thread == tracer->first)
		note_first_stopped(tracer, WSTOPSIG(status));
	if (keep_stopped(tracer, thread, status))
		return;
	if (is_leaving(tracer, thread)) {
		detach(tracer, thread, status);
		(void)note_left(tracer, thread);
		return;
	}
	resume(thread, status);
}

static void handle_ended(struct vmsi_tracer *tracer, pid_t thread, int status)
{
	end_stop(tracer, thread);
	(void)note_left(tracer, thread);
	if (thread != tracer->first)
		return;
	pthread_mutex_lock(&tracer->lock);
	tracer->first_status = status;
	tracer->first_ended = true;
	pthread_cond_broadcast(&tracer->changed);
	pthread_mutex_unlock(&tracer->lock);
}

/* --- commands ------------------------------------------------------------- */

static int ask_stop(struct vmsi_tracer *tracer, struct vmsi_stop *stop)
{
	stop->seized = vmsi_proc_tracer(stop->thread) != tracer->tid;
	if (stop->seized && ptrace(PTRACE_SEIZE, stop->thread, NULL,
				   (void *)PTRACE_O_TRACEEXEC))
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, stop->thread, NULL, NULL))
		return -errno;
	pthread_mutex_lock(&tracer->lock);
	if (stop->seized && stop->thread == tracer->first)
		tracer->has_first = true;
	stop->next = tracer->stops;
	tracer->stops = stop;
	pthread_mutex_unlock(&tracer->lock);
	return 0;
}

static void end_ask(struct vmsi_tracer *tracer, struct vmsi_stop *stop)
{
	struct vmsi_stop **link;

	pthread_mutex_lock(&tracer->lock);
	for (link = &tracer->stops; *link != stop; link = &(*link)->next)
		;
	*link = stop->next;
	pthread_mutex_unlock(&tracer->lock);
	if (stop->gone && vmsi_proc_tracer(stop->thread) != tracer->tid)
		lose_first(tracer, stop->thread);
	if (!stop->stopped || stop->gone)
		return;
	if (stop->seized)
		detach(tracer, stop->thread, stop->resume);
	else
		resume(stop->thread, stop->resume);
}

static void do_command(struct vmsi_tracer *tracer, struct command *command)
{
	switch (command->kind) {
	case SEIZE:
		command->result = seize(tracer, command->pid);
		break;
	case LET_GO:
		let_go(tracer, command);
		break;
	case ASK_STOP:
		command->result = ask_stop(tracer, command->stop);
		break;
	case RESUME:
		end_ask(tracer, command->stop);
		break;
	case QUIT:
		tracer->quits = true;
		break;
	}
}

static struct command *take_command(struct vmsi_tracer *tracer)
{
	struct command *command;

	pthread_mutex_lock(&tracer->lock);
	command = tracer->commands;
	if (command)
		tracer->commands = command->next;
	pthread_mutex_unlock(&tracer->lock);
	return command;
}

static void do_commands(struct vmsi_tracer *tracer)
{
	struct command *command;

	while ((command = take_command(tracer))) {
		do_command(tracer, command);
		pthread_mutex_lock(&tracer->lock);
		command->done = true;
		pthread_cond_broadcast(&tracer->changed);
		pthread_mutex_unlock(&tracer->lock);
	}
}

static int order(struct vmsi_tracer *tracer, struct command *command)
{
	pthread_mutex_lock(&tracer->lock);
	command->next = tracer->commands;
	tracer->commands = command;
	vmsi_bell_ring(&tracer->bell);
	while (!command->done)
		pthread_cond_wait(&tracer->changed, &tracer->lock);
	pthread_mutex_unlock(&tracer->lock);
	return command->result;
}

/* --- the thread ----------------------------------------------------------- */

static void set_started(struct vmsi_tracer *tracer, int started)
{
	pthread_mutex_lock(&tracer->lock);
	tracer->started = started;
	pthread_cond_broadcast(&tracer->changed);
	pthread_mutex_unlock(&tracer->lock);
}

static void handle(struct vmsi_tracer *tracer, pid_t thread, int status)
{
	if (thread == tracer->bell.pid) {
		if (WIFSTOPPED(status))
			vmsi_bell_reset(&tracer->bell);
		else
			tracer->bell.pid = 0;
		do_commands(tracer);
	} else if (WIFSTOPPED(status)) {
		handle_stopped(tracer, thread, status);
	} else {
		handle_ended(tracer, thread, status);
	}
}

static void *run_tracer(void *context)
{
	struct vmsi_tracer *tracer = context;
	int status, error;
	pid_t thread;

	tracer->tid = gettid();
	error = vmsi_bell_make(&tracer->bell);
	set_started(tracer, error ? error : 1);
	while (!error && !tracer->quits) {
		/* Somebody may have killed it. */
		if (!tracer->bell.pid && vmsi_bell_make(&tracer->bell) == 0)
			do_commands(tracer);
		thread = waitpid(-1, &status, __WALL | __WNOTHREAD);
		if (thread > 0)
			handle(tracer, thread, status);
	}
	vmsi_bell_end(&tracer->bell);
	return NULL;
}

/* No signal of the caller's is for it. */
static int start_thread(struct vmsi_tracer *tracer)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&tracer->thread, NULL, run_tracer, tracer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return -error;
	pthread_mutex_lock(&tracer->lock);
	while (!tracer->started)
		pthread_cond_wait(&tracer->changed, &tracer->lock);
	error = tracer->started;
	pthread_mutex_unlock(&tracer->lock);
	if (error < 0)
		pthread_join(tracer->thread, NULL);
	return error < 0 ? error : 0;
}

static void release(struct vmsi_tracer *tracer)
{
	if (tracer->bell.event >= 0)
		close(tracer->bell.event);
	pthread_cond_destroy(&tracer->changed);
	pthread_mutex_destroy(&tracer->lock);
	free(tracer->leaving);
	free(tracer);
}

int vmsi_tracer_start(pid_t first, int listener, struct vmsi_tracer **made)
{
	struct vmsi_tracer *tracer = calloc(1, sizeof *tracer);
	pthread_condattr_t attributes;
	int error;

	if (!tracer)
		return -ENOMEM;
	tracer->first = first;
	tracer->listener = listener;
	pthread_mutex_init(&tracer->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&tracer->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	tracer->bell.event = eventfd(0, EFD_CLOEXEC);
	error = tracer->bell.event < 0 ? -errno : start_thread(tracer);
	if (error)
		release(tracer);
	else
		*made = tracer;
	return error;
}

void vmsi_tracer_stop(struct vmsi_tracer *tracer)
{
	struct command command = { .kind = QUIT };

	if (!tracer)
		return;
	(void)order(tracer, &command);
	pthread_join(tracer->thread, NULL);
	release(tracer);
}

/* --- what the serving thread asks ----------------------------------------- */

int vmsi_tracer_seize(struct vmsi_tracer *tracer, pid_t process)
{
	struct command command = { .kind = SEIZE, .pid = process };

	return order(tracer, &command);
}

bool vmsi_tracer_has(const struct vmsi_tracer *tracer, pid_t thread)
{
	return tracer && vmsi_proc_tracer(thread) == tracer->tid;
}

void vmsi_tracer_let_go(struct vmsi_tracer *tracer, pid_t process, pid_t caller,
			uint64_t id, enum vmsi_then then)
{
	struct command command = { .kind = LET_GO, .pid = process,
				   .caller = caller, .id = id, .then = then };

	(void)order(tracer, &command);
}

bool vmsi_tracer_first_stop(struct vmsi_tracer *tracer, int *signal)
{
	bool has_first;

	pthread_mutex_lock(&tracer->lock);
	has_first = tracer->has_first;
	*signal = tracer->first_signal;
	tracer->first_signal = 0;
	pthread_mutex_unlock(&tracer->lock);
	return has_first;
}

int vmsi_tracer_first_status(struct vmsi_tracer *tracer)
{
	int status;

	pthread_mutex_lock(&tracer->lock);
	while (!tracer->first_ended)
		pthread_cond_wait(&tracer->changed, &tracer->lock);
	status = tracer->first_status;
	pthread_mutex_unlock(&tracer->lock);
	return status;
}

int vmsi_tracer_ask_stop(struct vmsi_tracer *tracer, pid_t thread,
			 struct vmsi_stop *stop)
{
	struct command command = { .kind = ASK_STOP, .stop = stop };

	*stop = (struct vmsi_stop){ .thread = thread };
	return order(tracer, &command);
}

static void look_again_in(long pause, struct timespec *until)
{
	clock_gettime(CLOCK_MONOTONIC, until);
	until->tv_nsec += pause;
	if (until->tv_nsec >= 1000000000) {
		until->tv_nsec -= 1000000000;
		until->tv_sec++;
	}
}

/*
 * A first thread whose process executes a program by another thread ends without
 * a word to its tracer, and its number is then that of the other one.
 */
bool vmsi_tracer_await_stop(struct vmsi_tracer *tracer, struct vmsi_stop *stop)
{
	struct timespec until;
	long pause = LOOK_FIRST_NS;
	bool stopped;

	pthread_mutex_lock(&tracer->lock);
	while (!stop->stopped && !stop->gone) {
		look_again_in(pause, &until);
		pause = 2 * pause < LOOK_MOST_NS ? 2 * pause : LOOK_MOST_NS;
		if (pthread_cond_timedwait(&tracer->changed, &tracer->lock,
					   &until) == ETIMEDOUT &&
		    !stop->stopped && !stop->gone)
			stop->gone = vmsi_proc_tracer(stop->thread) !=
				tracer->tid;
	}
	stopped = stop->stopped;
	pthread_mutex_unlock(&tracer->lock);
	return stopped;
}

void vmsi_tracer_resume(struct vmsi_tracer *tracer, struct vmsi_stop *stop)
{
	struct command command = { .kind = RESUME, .stop = stop };

	(void)order(tracer, &command);
}
