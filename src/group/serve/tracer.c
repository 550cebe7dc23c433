/* SPDX-License-Identifier: MIT */
#include "group/serve/tracer_state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group/process/proc.h"
#include "group/serve/own_thread.h"

/* The tracer is a thread, not a process: yama lets only ancestors trace. */

#define PROCESS_OPTIONS (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
			 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

enum kind { SEIZE, LET_GO, ASK_STOP, RESUME, QUIT };

/* What the serving thread asks of the tracer; it waits until done is set. */
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

/* --- threads of a process ------------------------------------------------- */

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
		vmsi_traced_has_ended(thread) ? 0 : -error;
}

/*
 * A thread that is not traced yet may make others meanwhile: all are seized
 * again until no new one is found.
 */
static int seize(struct vmsi_tracer *tracer, pid_t process)
{
	size_t seized;
	int error;

	do {
		seized = 0;
		error = vmsi_traced_each(tracer, process, seize_thread, &seized);
	} while (!error && seized);
	if (!error && process == tracer->first) {
		pthread_mutex_lock(&tracer->lock);
		tracer->has_first = true;
		pthread_mutex_unlock(&tracer->lock);
	}
	return error;
}

/* --- what waitpid tells --------------------------------------------------- */

static void note_first_stopped(struct vmsi_tracer *tracer, int signal)
{
	pthread_mutex_lock(&tracer->lock);
	tracer->first_signal = signal;
	pthread_mutex_unlock(&tracer->lock);
}

/*
 * A program that is executed has no handlers, so it is traced no more. The
 * thread that has executed it had another number, if it was not the first.
 */
static void handle_exec(struct vmsi_tracer *tracer, pid_t thread)
{
	unsigned long former = 0;

	(void)ptrace(PTRACE_GETEVENTMSG, thread, NULL, &former);
	vmsi_stop_end(tracer, (pid_t)former);
	vmsi_stop_end(tracer, thread);
	vmsi_traced_detach(tracer, thread, 0);
	(void)vmsi_leaving_note_left(tracer, (pid_t)former);
	(void)vmsi_leaving_note_left(tracer, thread);
}

static void handle_stopped(struct vmsi_tracer *tracer, pid_t thread, int status)
{
	if (vmsi_status_event(status) == PTRACE_EVENT_EXEC) {
		/* With this status no signal is delivered. */
		handle_exec(tracer, thread);
		return;
	}
	if (vmsi_status_signal(status))
		vmsi_restart_call(thread);
	if (vmsi_status_is_group_stop(status) && thread == tracer->first)
		note_first_stopped(tracer, WSTOPSIG(status));
	if (vmsi_stop_keep(tracer, thread, status))
		return;
	if (vmsi_leaving_has(tracer, thread)) {
		vmsi_traced_detach(tracer, thread, status);
		(void)vmsi_leaving_note_left(tracer, thread);
		return;
	}
	vmsi_traced_resume(thread, status);
}

static void handle_ended(struct vmsi_tracer *tracer, pid_t thread, int status)
{
	vmsi_stop_end(tracer, thread);
	(void)vmsi_leaving_note_left(tracer, thread);
	if (thread != tracer->first)
		return;
	pthread_mutex_lock(&tracer->lock);
	tracer->first_status = status;
	tracer->first_ended = true;
	pthread_cond_broadcast(&tracer->changed);
	pthread_mutex_unlock(&tracer->lock);
}

/* --- commands ------------------------------------------------------------- */

static void do_command(struct vmsi_tracer *tracer, struct command *command)
{
	switch (command->kind) {
	case SEIZE:
		command->result = seize(tracer, command->pid);
		break;
	case LET_GO:
		vmsi_leaving_let_go(tracer, command->caller, &(struct vmsi_leaving){
			.process = command->pid, .id = command->id,
			.then = command->then });
		break;
	case ASK_STOP:
		command->result = vmsi_stop_begin(tracer, command->stop);
		break;
	case RESUME:
		vmsi_stop_finish(tracer, command->stop);
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

/* By the serving thread. Returns the command's result when it is done. */
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
		/* The bell is a process that anybody may have killed. */
		if (!tracer->bell.pid && vmsi_bell_make(&tracer->bell) == 0)
			do_commands(tracer);
		thread = waitpid(-1, &status, __WALL | __WNOTHREAD);
		if (thread > 0)
			handle(tracer, thread, status);
	}
	vmsi_bell_end(&tracer->bell);
	return NULL;
}

static int start_thread(struct vmsi_tracer *tracer)
{
	int error = vmsi_own_thread_start(&tracer->thread, run_tracer, tracer);

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
	int error;

	if (!tracer)
		return -ENOMEM;
	tracer->first = first;
	tracer->listener = listener;
	pthread_mutex_init(&tracer->lock, NULL);
	vmsi_own_condition_init(&tracer->changed);
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

	int error;

	*stop = (struct vmsi_stop){ .thread = thread,
				    .capture = vmsi_capture_make(thread) };
	if (!stop->capture)
		return -ENOMEM;
	error = order(tracer, &command);
	if (error)
		vmsi_capture_free(stop->capture);
	return error;
}

void vmsi_tracer_resume(struct vmsi_tracer *tracer, struct vmsi_stop *stop)
{
	struct command command = { .kind = RESUME, .stop = stop };

	/* The tracer knows nothing more of one that runs again. */
	if (!stop->resumed)
		(void)order(tracer, &command);
	vmsi_capture_free(stop->capture);
	stop->capture = NULL;
}
