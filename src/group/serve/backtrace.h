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
 * back from the call that is refused: so vmsi_backtrace_begin is called before
 * the answer is sent, vmsi_backtrace_read after it, and in between the struct
 * belongs to the tracer.
 */
struct vmsi_backtrace {
	struct vmsi_seen *stack; /* held; NULL: there is none */
	const char *why;  /* why there is none */
	bool asked;       /* a stop was asked for, and must be waited for */
	struct vmsi_stop stop;
};

void vmsi_backtrace_begin(struct vmsi_backtrace *backtrace, struct vmsi_tracer *tracer,
		      pid_t thread);
void vmsi_backtrace_read(struct vmsi_backtrace *backtrace, struct vmsi_tracer *tracer,
		     pid_t process);
void vmsi_backtrace_free(struct vmsi_backtrace *backtrace);

/* Why no stack can be unwound in this build; NULL: it can. */
const char *vmsi_backtrace_why_not(void);

/* A piece of the stack's memory, the last one that was read; a part of a page. */
#define VMSI_PIECE_BYTES ((size_t)1024)

struct vmsi_piece {
	bool is_read;
	uintptr_t begin;
	char bytes[VMSI_PIECE_BYTES];
};

/*
 * Unwind a stopped thread from its registers, by any thread of the supervisor.
 * Sets frames, whose files are held then, or why. It may take for ever: see
 * backtrace.c.
 */
struct vmsi_unwinding {
	pid_t process, thread;
	struct vmsi_registers registers;
	struct vmsi_piece piece;
	struct vmsi_frames frames;
	const char *why;
};

void vmsi_backtrace_unwind(struct vmsi_unwinding *unwinding);

/* Close the files of programs that are kept open for the next backtrace. */
void vmsi_backtrace_forget(void);

#endif
