/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_GATE_H
#define VMSI_FILE_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The gate of updates: any number of threads are inside, or one holds it closed and
 * nobody is. Whoever closes waits for those inside; who comes while it is closed
 * waits until it opens.
 *
 * To enter and to leave is one atomic operation each, as long as nobody closes.
 */
struct vmsi_gate {
	_Atomic uint32_t state;  /* threads inside; VMSI_GATE_CLOSED beside them: one
				    closes, or has closed */
	pthread_mutex_t mutex;   /* of those who wait, for either */
	pthread_cond_t changed;
};

#define VMSI_GATE_CLOSED 0x80000000u

void vmsi_gate_init(struct vmsi_gate *gate);
void vmsi_gate_enter(struct vmsi_gate *gate);
void vmsi_gate_leave(struct vmsi_gate *gate);

/* Close, when nobody is inside any more. One thread at a time, by the caller's lock. */
void vmsi_gate_close(struct vmsi_gate *gate);

/* Close at once, if no more threads than these are inside; else not. */
bool vmsi_gate_try_close(struct vmsi_gate *gate, uint32_t inside);

void vmsi_gate_open(struct vmsi_gate *gate);

#endif
