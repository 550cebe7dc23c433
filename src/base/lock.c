/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include "base/panic.h"

#ifdef VMSI_DEBUG

/*
 * A bit for each rank: a thread never holds two locks of one rank. In a
 * preloaded library, thread-local storage of the general model can call malloc
 * at its first use; the initial-exec model cannot.
 */
static _Thread_local unsigned long long held_low, held_high
	__attribute__((tls_model("initial-exec")));

static unsigned long long *held_word(enum vmsi_lock_rank rank)
{
	return rank < 64 ? &held_low : &held_high;
}

static unsigned long long rank_bit(enum vmsi_lock_rank rank)
{
	return 1ull << (rank % 64);
}

void vmsi_rank_acquired(enum vmsi_lock_rank rank)
{
	unsigned long long at_or_above_low =
		rank < 64 ? held_low & ~(rank_bit(rank) - 1) : 0;
	unsigned long long at_or_above_high =
		rank < 64 ? held_high : held_high & ~(rank_bit(rank) - 1);

	if (at_or_above_low || at_or_above_high)
		vmsi_panic("R4: a lock was taken out of rank order");
	*held_word(rank) |= rank_bit(rank);
}

void vmsi_rank_released(enum vmsi_lock_rank rank)
{
	*held_word(rank) &= ~rank_bit(rank);
}

bool vmsi_rank_is_held(void)
{
	return held_low || held_high;
}

#endif

void vmsi_lock_init(struct vmsi_lock *lock, enum vmsi_lock_rank rank)
{
	/* A default mutex cannot fail to initialise on Linux. */
	pthread_mutex_init(&lock->mutex, NULL);
	lock->rank = rank;
}

void vmsi_lock_acquire(struct vmsi_lock *lock)
{
	vmsi_rank_acquired(lock->rank);
	pthread_mutex_lock(&lock->mutex);
}

void vmsi_lock_release(struct vmsi_lock *lock)
{
	/* Whoever takes it next may end what it is part of. */
	const enum vmsi_lock_rank rank = lock->rank;

	pthread_mutex_unlock(&lock->mutex);
	vmsi_rank_released(rank);
}

bool vmsi_lock_try(struct vmsi_lock *lock)
{
	if (pthread_mutex_trylock(&lock->mutex) != 0)
		return false;
	vmsi_rank_acquired(lock->rank);
	return true;
}

void vmsi_lock_acquire_any(struct vmsi_lock *lock)
{
	pthread_mutex_lock(&lock->mutex);
}

void vmsi_lock_release_any(struct vmsi_lock *lock)
{
	pthread_mutex_unlock(&lock->mutex);
}

void vmsi_wait_for_change(pthread_cond_t *changed, pthread_mutex_t *mutex)
{
	int earlier;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &earlier);
	pthread_cond_wait(changed, mutex);
	(void)pthread_setcancelstate(earlier, NULL);
}
