/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_STACK_H
#define VMSI_GROUP_STACK_H

#include <stdbool.h>
#include <sys/types.h>

#include "group/tracer.h"

/*
 * The stack of a thread, which the tracer stops on its way back from the call
 * that is refused. begin is called before the answer is sent, read after it;
 * between them stack is not to be used. Where it cannot be had, why says so.
 */
struct vmsi_stack {
	char *text;       /* malloc's */
	const char *why;  /* there is none */
	bool asked;       /* for a stop, which is to be waited for */
	struct vmsi_stop stop;
};

void vmsi_stack_begin(struct vmsi_stack *stack, struct vmsi_tracer *tracer,
		      pid_t thread);
void vmsi_stack_read(struct vmsi_stack *stack, struct vmsi_tracer *tracer,
		     pid_t process);
void vmsi_stack_free(struct vmsi_stack *stack);

/* Whether stacks can be unwound at all; why they cannot. NULL: they can. */
const char *vmsi_stack_why_not(void);

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

void vmsi_stack_unwind(struct vmsi_unwinding *unwinding);

#endif
