/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/*
 * The stack of a thread whose call is refused. While the call waits for its
 * answer the thread cannot be stopped; the stop is asked for before the answer
 * is sent, and comes when the thread returns from the call, with the registers
 * that it had when it made it.
 */

#ifndef VMSI_WITH_LIBDW

bool vmsi_stack_seize(struct vmsi_stack *stack, pid_t thread)
{
	(void)thread;
	stack->why = "built without libdw";
	return false;
}

bool vmsi_stack_stop(struct vmsi_stack *stack, pid_t thread)
{
	(void)stack;
	(void)thread;
	return false;
}

void vmsi_stack_unwind(struct vmsi_stack *stack, pid_t process, pid_t thread)
{
	(void)stack;
	(void)process;
	(void)thread;
}

#else

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <unistd.h>

#define FRAMES_MOST 64
#define STOP_STEP_US 50

bool vmsi_stack_seize(struct vmsi_stack *stack, pid_t thread)
{
	if (ptrace(PTRACE_SEIZE, thread, NULL, NULL)) {
		stack->why = errno == EPERM ? "no right to trace the thread" :
					      "the thread cannot be traced";
		return false;
	}
	if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL)) {
		stack->why = "the thread cannot be stopped";
		return false;
	}
	return true;
}

/* --- frames ------------------------------------------------------------- */

struct frames {
	FILE *text;
	int count;
};

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void print_line(FILE *text, Dwfl_Module *module, Dwarf_Addr address)
{
	Dwfl_Line *line = dwfl_module_getsrc(module, address);
	const char *file;
	int number = 0;

	if (!line)
		return;
	file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
	if (file)
		fprintf(text, " at %s:%d", file_name(file), number);
}

static int print_frame(Dwfl_Frame *frame, void *context)
{
	struct frames *frames = context;
	Dwfl *dwfl = dwfl_thread_dwfl(dwfl_frame_thread(frame));
	const char *function = NULL, *object = NULL;
	Dwfl_Module *module;
	bool exact;
	Dwarf_Addr address;

	if (!dwfl_frame_pc(frame, &address, &exact))
		return DWARF_CB_ABORT;
	/* A return address is behind the call, maybe in the next function. */
	if (!exact)
		address--;
	module = dwfl_addrmodule(dwfl, address);
	if (module) {
		function = dwfl_module_addrname(module, address);
		object = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL,
					  NULL, NULL);
	}
	if (function)
		fputs(function, frames->text);
	else
		fprintf(frames->text, "0x%llx", (unsigned long long)address);
	if (object)
		fprintf(frames->text, " (%s)", file_name(object));
	if (module)
		print_line(frames->text, module, address);
	fputc('\n', frames->text);
	return ++frames->count < FRAMES_MOST ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static int print_frames(FILE *text, pid_t process, pid_t thread)
{
	static char *no_path;
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_linux_proc_find_elf,
		/* No other way: they open what a program names, or the network. */
		.find_debuginfo = dwfl_build_id_find_debuginfo,
		.debuginfo_path = &no_path,
	};
	struct frames frames = { .text = text };
	Dwfl *dwfl = dwfl_begin(&callbacks);

	if (!dwfl)
		return 0;
	if (dwfl_linux_proc_report(dwfl, process) == 0 &&
	    dwfl_report_end(dwfl, NULL, NULL) == 0 &&
	    dwfl_linux_proc_attach(dwfl, process, true) == 0)
		(void)dwfl_getthread_frames(dwfl, thread, print_frame, &frames);
	dwfl_end(dwfl);
	return frames.count;
}

static void unwind(struct vmsi_stack *stack, pid_t process, pid_t thread)
{
	size_t length;
	FILE *text = open_memstream(&stack->text, &length);
	int count;

	if (!text) {
		stack->why = "no memory";
		return;
	}
	count = print_frames(text, process, thread);
	fclose(text);
	if (count == 0) {
		vmsi_stack_free(stack);
		stack->why = "the stack cannot be unwound";
	}
}

/*
 * A thread whose process executes a program ends without a word to its tracer,
 * and its number may then be that of a process that the tracer is the parent
 * of: to wait for that one would be to wait for long.
 */
static bool await_stop(pid_t thread, int *status)
{
	pid_t got;

	while ((got = waitpid(thread, status, __WALL | WNOHANG)) != thread) {
		if (got < 0 && errno != EINTR)
			return false;
		if (vmsi_proc_tracer(thread) != gettid())
			return false;
		usleep(STOP_STEP_US);
	}
	return true;
}

bool vmsi_stack_stop(struct vmsi_stack *stack, pid_t thread)
{
	int status;

	if (!await_stop(thread, &status)) {
		stack->why = "the thread has ended";
		return false;
	}
	if (!WIFSTOPPED(status)) {
		stack->ended = true;
		stack->status = status;
		stack->why = "the thread was killed";
		return false;
	}
	/* A signal that came first is still to be delivered. */
	if (status >> 16 != PTRACE_EVENT_STOP)
		stack->signal = WSTOPSIG(status);
	return true;
}

void vmsi_stack_unwind(struct vmsi_stack *stack, pid_t process, pid_t thread)
{
	int status;

	unwind(stack, process, thread);
	if (ptrace(PTRACE_DETACH, thread, NULL, (void *)(long)stack->signal) &&
	    thread != process)
		/* Killed meanwhile: its tracer is to reap it before others can. */
		(void)waitpid(thread, &status, __WALL);
}

#endif

void vmsi_stack_free(struct vmsi_stack *stack)
{
	free(stack->text);
	stack->text = NULL;
}
