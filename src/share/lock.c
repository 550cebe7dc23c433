/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/share_lock.h>

#include "base/align.h"
#include "host/host.h"
#include "share/owner.h"
#include "share/share.h"
#include "share/wait.h"
#include "space/inside.h"

/*
 * A mutex whose owner may die.
 *
 *   free --take--> owned --release--> free
 *     owned --the owner dies--> found by who waits: owned by that one, INCONSISTENT
 *     INCONSISTENT --recovered--> as before;  --release--> NOT_RECOVERABLE
 *
 * Who waits looks whether the owner lives, each time that it was not woken for a while.
 */
enum state { CONSISTENT, INCONSISTENT, NOT_RECOVERABLE };

static int check(struct vms_share *share, const vms_share_lock *lock,
		 uint32_t *owner)
{
	return vmsi_share_has(share, lock, sizeof(*lock)) ?
		vmsi_owner_of(share, owner) : -EINVAL;
}

static bool replace(vms_share_lock *lock, uint32_t old, uint32_t word)
{
	return __atomic_compare_exchange_n(&lock->owner, &old, word, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void set_free(vms_share_lock *lock)
{
	const uint32_t word = __atomic_exchange_n(&lock->owner, 0, __ATOMIC_ACQ_REL);

	if (word & VMSI_WAITERS)
		(void)vmsi_host.futex_wake(&lock->owner, 1);
}

/* It is ours: 0, 1, or -ENOTRECOVERABLE and it is not. */
static int answer(vms_share_lock *lock)
{
	switch (__atomic_load_n(&lock->state, __ATOMIC_RELAXED)) {
	case CONSISTENT:
		return 0;
	case INCONSISTENT:
		return 1;
	default:
		set_free(lock);
		return -ENOTRECOVERABLE;
	}
}

/* Take it from an owner who is dead. Who waits may be others, too. */
static bool inherit(vms_share_lock *lock, uint32_t word, uint32_t owner)
{
	if (!replace(lock, word, owner | VMSI_WAITERS))
		return false;
	if (__atomic_load_n(&lock->state, __ATOMIC_RELAXED) == CONSISTENT)
		__atomic_store_n(&lock->state, INCONSISTENT, __ATOMIC_RELAXED);
	return true;
}

/* The lock was seen as word, and somebody has it. 1: it is ours now; 0: look again. */
static int wait_for(const struct vms_share *share, vms_share_lock *lock,
		    uint32_t word, uint32_t owner, struct vmsi_deadline *deadline)
{
	int error;

	if (!(word & VMSI_WAITERS)) {
		if (!replace(lock, word, word | VMSI_WAITERS))
			return 0;
		word |= VMSI_WAITERS;
	}
	error = vmsi_share_wait(&lock->owner, word, deadline);
	if (error != -ETIMEDOUT && error != -EAGAIN)
		return 0;
	if (vmsi_owner_is_dead(share, word) && inherit(lock, word, owner))
		return 1;
	return error == -ETIMEDOUT ? error : 0;
}

static int take(const struct vms_share *share, vms_share_lock *lock,
		uint32_t owner, struct vmsi_deadline *deadline)
{
	/* Once it has waited, others may be waiting as well. */
	uint32_t waited = 0;
	int error = 0;

	if (replace(lock, 0, owner))
		return answer(lock);
	while (error == 0) {
		const uint32_t word = __atomic_load_n(&lock->owner, __ATOMIC_RELAXED);

		if (word != 0) {
			error = wait_for(share, lock, word, owner, deadline);
			waited = VMSI_WAITERS;
		} else if (replace(lock, 0, owner | waited)) {
			error = 1;
		}
	}
	return error < 0 ? error : answer(lock);
}

int vms_share_lock_take(vms_share *share, vms_share_lock *lock, uint64_t timeout)
{
	struct vmsi_deadline deadline = vmsi_deadline(timeout);
	uint32_t owner;
	int result = check(share, lock, &owner);

	if (!result)
		result = take(share, lock, owner, &deadline);
	return result < 0 ? vmsi_status(result) : result;
}

static int check_owned(struct vms_share *share, const vms_share_lock *lock,
		       uint32_t *owner)
{
	int error = check(share, lock, owner);

	if (error)
		return error;
	return (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) & VMSI_OWNER) ==
		       *owner ? 0 : -EPERM;
}

int vms_share_lock_recovered(vms_share *share, vms_share_lock *lock)
{
	uint32_t owner;
	int error = check_owned(share, lock, &owner);

	if (!error)
		__atomic_store_n(&lock->state, CONSISTENT, __ATOMIC_RELAXED);
	return vmsi_status(error);
}

static void release(vms_share_lock *lock)
{
	if (__atomic_load_n(&lock->state, __ATOMIC_RELAXED) == INCONSISTENT)
		__atomic_store_n(&lock->state, NOT_RECOVERABLE, __ATOMIC_RELAXED);
	set_free(lock);
}

int vms_share_lock_release(vms_share *share, vms_share_lock *lock)
{
	uint32_t owner;
	int error = check_owned(share, lock, &owner);

	if (!error)
		release(lock);
	return vmsi_status(error);
}

/* --- conditions --------------------------------------------------------------------- */

/*
 * The lock is waited for once more, as long as for the signal and a second at least: a
 * peer that writes nonsense into it must not keep the caller for ever.
 */
#define AGAIN_LEAST UINT64_C(1000000000)

static int take_again(struct vms_share *share, vms_share_lock *lock, uint32_t owner,
		      uint64_t timeout)
{
	struct vmsi_deadline deadline = vmsi_deadline(vmsi_max(timeout,
							       AGAIN_LEAST));
	const int result = take(share, lock, owner, &deadline);

	return result == -ETIMEDOUT ? -EBUSY : result;
}

static int wait_released(struct vms_share *share, vms_share_condition *condition,
			 vms_share_lock *lock, uint32_t owner, uint64_t timeout)
{
	const struct vmsi_deadline deadline = vmsi_deadline(timeout);
	const uint32_t sequence = __atomic_load_n(&condition->sequence,
						  __ATOMIC_ACQUIRE);
	int error, result;

	release(lock);
	/* -EAGAIN: not woken for a while. */
	do
		error = vmsi_share_wait(&condition->sequence, sequence, &deadline);
	while (error == -EAGAIN);
	result = take_again(share, lock, owner, timeout);
	return result == 0 ? error : result;
}

int vms_share_condition_wait(vms_share *share, vms_share_condition *condition,
			     vms_share_lock *lock, uint64_t timeout)
{
	uint32_t owner;
	int result = vmsi_share_has(share, condition, sizeof(*condition)) ?
		check_owned(share, lock, &owner) : -EINVAL;

	if (!result)
		result = wait_released(share, condition, lock, owner, timeout);
	return result < 0 ? vmsi_status(result) : result;
}

static int wake(struct vms_share *share, vms_share_condition *condition, int count)
{
	uint32_t owner;
	int error = vmsi_share_has(share, condition, sizeof(*condition)) ?
		vmsi_owner_of(share, &owner) : -EINVAL;

	if (error)
		return vmsi_status(error);
	(void)__atomic_add_fetch(&condition->sequence, 1, __ATOMIC_RELEASE);
	(void)vmsi_host.futex_wake(&condition->sequence, count);
	return 0;
}

int vms_share_condition_signal(vms_share *share, vms_share_condition *condition)
{
	return wake(share, condition, 1);
}

int vms_share_condition_broadcast(vms_share *share, vms_share_condition *condition)
{
	return wake(share, condition, INT32_MAX);
}
