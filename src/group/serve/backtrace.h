/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_BACKTRACE_H
#define VMSI_GROUP_SERVE_BACKTRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "group/serve/seen.h"
#include "group/serve/tracer.h"

/*
 * The calls on the stack of a thread. The tracer stops the thread on its way
 * back from a call that is refused or put off: so vmsi_backtrace_begin is called
 * before the answer is sent, vmsi_backtrace_read after it, and in between the struct
 * belongs to the tracer.
 */
struct vmsi_backtrace {
	struct vmsi_taken *stack; /* held; NULL: there is none */
	const char *why;  /* why there is none */
	bool asked;       /* a stop was asked for, and must be waited for */
	struct vmsi_stop stop;
};

void vmsi_backtrace_begin(struct vmsi_backtrace *backtrace, struct vmsi_tracer *tracer,
		      pid_t thread);
void vmsi_backtrace_read(struct vmsi_backtrace *backtrace,
			 struct vmsi_tracer *tracer);
void vmsi_backtrace_free(struct vmsi_backtrace *backtrace);

#endif
