/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_PLAIN_SHIELD_H
#define VMSI_POOL_PLAIN_SHIELD_H

#include <signal.h>
#include <stdbool.h>

#include "pool/pool.h"

/*
 * Where pages come by faults, a handler of the program's for some signal may touch a page
 * at any instant. It would wait for ever if it had interrupted a call on the same pool
 * that has the page, or a lock that is needed to bring it. So signals are blocked while a
 * thread is in such a call, but for those of the processor (SIGSEGV and the like), and let
 * in again while it waits for others or calls the program back.
 *
 * In a fault all signals are blocked anyway. There the program must not be called back:
 * what it was doing may be in the midst of anything.
 */
struct vmsi_shield {
	sigset_t earlier;
	struct vmsi_shield *outer;
	bool is_up;
	bool is_raised;     /* signals are blocked by it */
	bool is_fault;
};

/* What raise and lower do in a pool whose pages come by faults. */
void vmsi_shield_put_up(struct vmsi_shield *shield);
void vmsi_shield_take_down(struct vmsi_shield *shield);

/* Block signals, in a pool whose pages come by faults; lower lets them in again. */
static inline void vmsi_shield_raise(const struct vms_pool *pool, struct vmsi_shield *shield)
{
	shield->is_up = vmsi_pool_has(pool, VMS_POOL_TRANSPARENT);
	if (shield->is_up)
		vmsi_shield_put_up(shield);
}

static inline void vmsi_shield_lower(struct vmsi_shield *shield)
{
	if (shield->is_up)
		vmsi_shield_take_down(shield);
}

/* A fault is handled. Ended by lower. */
void vmsi_shield_raise_for_fault(struct vmsi_shield *shield);

/* Whether the thread is in a fault. */
bool vmsi_shield_is_fault(void);

/*
 * A thread of the library's own calls the program back, which may touch the pool: signals
 * of faults are let in, which it was begun without.
 */
void vmsi_shield_let_faults_in(const struct vms_pool *pool);

/* Let signals in meanwhile. Returns what resume wants. Not in a fault. */
struct vmsi_shield *vmsi_shield_pause(void);
void vmsi_shield_resume(struct vmsi_shield *shield);

#endif
