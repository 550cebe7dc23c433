/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/share_lock.h>

#include "base/align.h"
#include "host/host.h"
#include "share/atomic.h"
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

static void set_free(vms_share_lock *lock)
{
	const uint32_t word = vmsi_share_exchange(&lock->owner, 0);

	if (word & VMSI_WAITERS)
		(void)vmsi_host.futex_wake(&lock->owner, 1);
}

/* It is ours: 0, 1, or -ENOTRECOVERABLE and it is not. */
static int answer(vms_share_lock *lock)
{
	switch (vmsi_share_load(&lock->state)) {
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
static bool inherit(const struct vms_share *share, vms_share_lock *lock, uint32_t word,
		    uint32_t owner)
{
	if (!vmsi_owner_is_dead(share, word) ||
	    !vmsi_share_swap(&lock->owner, word, owner | VMSI_WAITERS))
		return false;
	if (vmsi_share_load(&lock->state) == CONSISTENT)
		vmsi_share_store(&lock->state, INCONSISTENT);
	return true;
}

/*
 * The lock was seen as word. 0: look again; -EAGAIN, -ETIMEDOUT: and whether its owner
 * lives. Each time the clock is looked at, also if nothing was waited for: a peer that
 * changes the word all the time is not to keep the caller beyond its timeout.
 */
static int wait_for(vms_share_lock *lock, uint32_t word,
		    const struct vmsi_deadline *deadline)
{
	if (vmsi_deadline_has_passed(deadline))
		return -ETIMEDOUT;
	if (word == 0)
		return 0;
	if (!(word & VMSI_WAITERS) &&
	    !vmsi_share_swap(&lock->owner, word, word | VMSI_WAITERS))
		return 0;
	return vmsi_share_wait(&lock->owner, word | VMSI_WAITERS, deadline);
}

static int take(const struct vms_share *share, vms_share_lock *lock,
		uint32_t owner, const struct vmsi_deadline *deadline)
{
	uint32_t word = 0;
	/* Once it has waited, others may be waiting as well. */
	uint32_t waited = 0;
	int error = 0;

	for (;; word = vmsi_share_load(&lock->owner)) {
		if (word == 0 && vmsi_share_swap(&lock->owner, 0, owner | waited))
			return answer(lock);
		if (word != 0 && error && inherit(share, lock, word, owner))
			return answer(lock);
		if (error == -ETIMEDOUT)
			return error;
		error = wait_for(lock, word, deadline);
		waited = word != 0 ? VMSI_WAITERS : waited;
	}
}

int vms_share_lock_take(vms_share *share, vms_share_lock *lock, uint64_t timeout)
{
	const struct vmsi_deadline deadline = vmsi_deadline(timeout);
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
	return (vmsi_share_load(&lock->owner) & VMSI_OWNER) == *owner ? 0 : -EPERM;
}

int vms_share_lock_recovered(vms_share *share, vms_share_lock *lock)
{
	uint32_t owner;
	int error = check_owned(share, lock, &owner);

	if (!error)
		vmsi_share_store(&lock->state, CONSISTENT);
	return vmsi_status(error);
}

static void release(vms_share_lock *lock)
{
	if (vmsi_share_load(&lock->state) == INCONSISTENT)
		vmsi_share_store(&lock->state, NOT_RECOVERABLE);
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
	const struct vmsi_deadline deadline = vmsi_deadline(vmsi_max(timeout,
								     AGAIN_LEAST));
	const int result = take(share, lock, owner, &deadline);

	return result == -ETIMEDOUT ? -EBUSY : result;
}

static int wait_released(struct vms_share *share, vms_share_condition *condition,
			 vms_share_lock *lock, uint32_t owner, uint64_t timeout)
{
	const struct vmsi_deadline deadline = vmsi_deadline(timeout);
	const uint32_t sequence = vmsi_share_load(&condition->sequence);
	int error, result;

	release(lock);
	/* -EAGAIN: not woken for a while. */
	do
		error = vmsi_share_wait(&condition->sequence, sequence, &deadline);
	while (error == -EAGAIN);
	/* Who signals may have died before it could wake anybody. */
	if (vmsi_share_load(&condition->sequence) != sequence)
		error = 0;
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
	const int error = vmsi_share_check_words(share, condition, sizeof(*condition));

	if (error)
		return vmsi_status(error);
	(void)vmsi_share_add(&condition->sequence, 1);
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
