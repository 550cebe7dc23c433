/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_BACKTRACE_H
#define VMSI_GROUP_SERVE_BACKTRACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "group/serve/tracer.h"

/*
 * The stack of a thread, which the tracer stops on its way back from the call
 * that is refused. begin is called before the answer is sent, read after it;
 * between them stack is not to be used. Where it cannot be had, why says so.
 */
struct vmsi_backtrace {
	char *text;       /* malloc's */
	const char *why;  /* there is none */
	bool asked;       /* for a stop, which is to be waited for */
	struct vmsi_stop stop;
};

void vmsi_backtrace_begin(struct vmsi_backtrace *stack, struct vmsi_tracer *tracer,
		      pid_t thread);
void vmsi_backtrace_read(struct vmsi_backtrace *stack, struct vmsi_tracer *tracer,
		     pid_t process);
void vmsi_backtrace_free(struct vmsi_backtrace *stack);

/* Whether stacks can be unwound at all; why they cannot. NULL: they can. */
const char *vmsi_backtrace_why_not(void);

/*
 * Unwind from the registers of a stopped thread, by any thread of the caller's.
 * Its text or why is set. May take for ever.
 */
struct vmsi_unwinding {
	pid_t process, thread;
	struct vmsi_registers registers;
	char *text;
	const char *why;
};

void vmsi_backtrace_unwind(struct vmsi_unwinding *unwinding);

#endif
