/* SPDX-License-Identifier: MIT */
#include "file/gate.h"

#include "base/lock.h"

void vmsi_gate_init(struct vmsi_gate *gate)
{
	atomic_init(&gate->state, 0);
	/* Default mutexes and conditions cannot fail to initialise on Linux. */
	pthread_mutex_init(&gate->mutex, NULL);
	pthread_cond_init(&gate->changed, NULL);
}

/* Wait until the state has none of the bits. */
static void wait_without(struct vmsi_gate *gate, uint32_t bits)
{
	pthread_mutex_lock(&gate->mutex);
	while (atomic_load(&gate->state) & bits)
		vmsi_wait_for_change(&gate->changed, &gate->mutex);
	pthread_mutex_unlock(&gate->mutex);
}

/* The mutex orders this after the look of one who is about to wait. */
static void tell_change(struct vmsi_gate *gate)
{
	pthread_mutex_lock(&gate->mutex);
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->mutex);
}

void vmsi_gate_enter(struct vmsi_gate *gate)
{
	while (atomic_fetch_add(&gate->state, 1) & VMSI_GATE_CLOSED) {
		vmsi_gate_leave(gate);
		wait_without(gate, VMSI_GATE_CLOSED);
	}
}

void vmsi_gate_leave(struct vmsi_gate *gate)
{
	/* The last one out lets the closing thread go on. */
	if (atomic_fetch_sub(&gate->state, 1) == (VMSI_GATE_CLOSED | 1))
		tell_change(gate);
}

void vmsi_gate_close(struct vmsi_gate *gate)
{
	if (atomic_fetch_or(&gate->state, VMSI_GATE_CLOSED) != 0)
		wait_without(gate, ~VMSI_GATE_CLOSED);
}

bool vmsi_gate_try_close(struct vmsi_gate *gate, uint32_t inside)
{
	uint32_t state = atomic_load(&gate->state);

	while (state <= inside)
		if (atomic_compare_exchange_weak(&gate->state, &state,
						 state | VMSI_GATE_CLOSED))
			return true;
	return false;
}

void vmsi_gate_open(struct vmsi_gate *gate)
{
	atomic_fetch_and(&gate->state, ~VMSI_GATE_CLOSED);
	tell_change(gate);
}
