/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_BELL_H
#define VMSI_GROUP_SERVE_BELL_H

#include <sys/types.h>

/*
 * A tracer sleeps in waitpid(2), which nothing but a child or a traced thread
 * ends, except a signal, whose handlers are the caller's. So the tracer has a
 * small process of its own that reads an eventfd and then stops itself.
 */

#define VMSI_BELL_STACK_BYTES 16384

struct vmsi_bell {
	pid_t pid;          /* 0: it has not been made */
	int event;          /* who writes to it wakes the tracer */
	pid_t owner;        /* the process of the tracer */
	_Alignas(16) char stack[VMSI_BELL_STACK_BYTES];
};

/* By the thread that is to be woken. Returns 0 or -errno. */
int vmsi_bell_make(struct vmsi_bell *bell);

/* By the same thread: the stop has been seen, and the next may come. */
void vmsi_bell_reset(struct vmsi_bell *bell);
void vmsi_bell_end(struct vmsi_bell *bell);

/* By any other thread. */
void vmsi_bell_ring(const struct vmsi_bell *bell);

#endif
