/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_BELL_H
#define VMSI_GROUP_SERVE_BELL_H

#include <sys/types.h>

/*
 * A tracer sleeps in waitpid(2). Only a child or a traced thread wakes it, or a
 * signal, but signal handlers belong to the program. So the tracer has a bell:
 * a small process of its own that reads an eventfd and then stops itself.
 */

#define VMSI_BELL_STACK_BYTES 16384

struct vmsi_bell {
	pid_t pid;          /* of the process; 0: there is none */
	int event;          /* an eventfd: a write to it wakes the tracer */
	pid_t owner;        /* the process of the tracer */
	_Alignas(16) char stack[VMSI_BELL_STACK_BYTES];
};

/* The thread that is to be woken makes the bell. Returns 0 or -errno. */
int vmsi_bell_make(struct vmsi_bell *bell);

/* The thread that made the bell has seen it stop: it can be rung again. */
void vmsi_bell_reset(struct vmsi_bell *bell);
void vmsi_bell_end(struct vmsi_bell *bell);

/* Any other thread wakes the tracer. */
void vmsi_bell_ring(const struct vmsi_bell *bell);

#endif
