/* SPDX-License-Identifier: MIT */
#include "ring/wait.h"

#include <errno.h>
#include <limits.h>
#include <linux/membarrier.h>

#include "base/align.h"
#include "host/host.h"

/* --- to wake --------------------------------------------------------------------------- */

static void wake_sleepers(_Atomic uint32_t *word)
{
	vmsi_ring_count(word, VMSI_RING_WAKES);
	(void)vmsi_host.futex_wake((const void *)word, INT_MAX);
}

void vmsi_ring_wake_consumers_now(struct vms_ring *ring)
{
	_Atomic uint32_t *word = &ring->shared->control.consumers;
	const uint32_t mine = VMSI_RING_SLEEPS |
		(ring->event_fd >= 0 ? VMSI_RING_EPOLLS : 0);
	const uint64_t one = 1;
	uint32_t bits = vmsi_ring_load_relaxed(word) & mine;

	if (bits)
		bits = vmsi_ring_take_bits(word, bits) & bits;
	if (!bits)
		return;
	atomic_fetch_add_explicit(&ring->producer.wakes, 1, memory_order_relaxed);
	if (bits & VMSI_RING_SLEEPS)
		wake_sleepers(word);
	if (bits & VMSI_RING_EPOLLS)
		(void)vmsi_host.write(ring->event_fd, &one, sizeof(one));
}

void vmsi_ring_wake_producers_now(struct vms_ring *ring)
{
	_Atomic uint32_t *word = &ring->shared->control.producers;

	if (!(vmsi_ring_take_bits(word, VMSI_RING_SLEEPS) & VMSI_RING_SLEEPS))
		return;
	atomic_fetch_add_explicit(&ring->consumer.wakes, 1, memory_order_relaxed);
	wake_sleepers(word);
}

/* --- to sleep --------------------------------------------------------------------------- */

/* Looks between the setting of the bit and the sleep: a microsecond or so. */
#ifdef VMSI_RING_LOOKS
#define LOOKS VMSI_RING_LOOKS
#else
#define LOOKS 32
#endif

/* Nanoseconds of the first sleep, and the longest. */
#define SLEEP_FIRST UINT64_C(1000000)
#define SLEEP_MOST UINT64_C(100000000)

static void pause_a_moment(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

struct sleep {
	struct vms_ring *ring;
	_Atomic uint32_t *word;
	bool is_sole;          /* nobody else sleeps on the word */
	uint64_t end;          /* of the time; UINT64_MAX: never */
	uint64_t longest;      /* nanoseconds of the next sleep */
	vmsi_ring_try *try;
	void *context;
};

static int look(const struct sleep *sleep, enum vmsi_mpsc_patience patience)
{
	return sleep->try(sleep->ring, patience, sleep->context);
}

/* The bit stays set where others may sleep, too: the next wake is one for nothing. */
static int look_often(const struct sleep *sleep)
{
	int error = look(sleep, VMSI_MPSC_POLLS);

	for (unsigned i = 0; error == -EAGAIN && i < LOOKS; i++) {
		pause_a_moment();
		error = look(sleep, VMSI_MPSC_POLLS);
	}
	if (error != -EAGAIN && sleep->is_sole)
		(void)vmsi_ring_take_bits(sleep->word, VMSI_RING_SLEEPS);
	return error;
}

/* Sleep on a word that was value. -EAGAIN: look again; -ETIMEDOUT, -EINTR. */
static int sleep_once(struct sleep *sleep, uint32_t value)
{
	uint64_t time = sleep->longest;
	long error;

	if (sleep->end != UINT64_MAX) {
		const uint64_t now = vmsi_host.clock();

		if (now >= sleep->end)
			return -ETIMEDOUT;
		time = vmsi_min(time, sleep->end - now);
	}
	error = vmsi_host.futex_wait((const void *)sleep->word, value, time);
	if (error == -EINTR)
		return -EINTR;
	if (error == -ETIMEDOUT && sleep->longest < SLEEP_MOST)
		sleep->longest *= 2;
	/* A peer that changes the word all the time shall not get all of this one's. */
	if (error == -EAGAIN)
		(void)vmsi_host.yield();
	return -EAGAIN;
}

static uint64_t end_of(int64_t timeout)
{
	uint64_t end;

	if (timeout < 0)
		return UINT64_MAX;
	return __builtin_add_overflow(vmsi_host.clock(), (uint64_t)timeout, &end) ?
		UINT64_MAX : end;
}

/* With patience, also when the time is over: else a short wait never asks for the dead. */
static int look_after(const struct sleep *sleep, int error)
{
	const int found = look(sleep, VMSI_MPSC_WAITS);

	return found == -EAGAIN ? error : found;
}

static int sleep_until(struct sleep *sleep)
{
	int error;

	do {
		const uint32_t bits = vmsi_ring_add_bits(sleep->word,
							 VMSI_RING_SLEEPS);

		error = look_often(sleep);
		if (error == -EAGAIN)
			error = sleep_once(sleep, bits | VMSI_RING_SLEEPS);
		if (error == -EAGAIN || error == -ETIMEDOUT)
			error = look_after(sleep, error);
	} while (error == -EAGAIN);
	return error;
}

int vmsi_ring_sleep_until(struct vms_ring *ring, enum vmsi_ring_side side,
			  int64_t timeout, vmsi_ring_try *try, void *context)
{
	struct vmsi_ring_control *control = &ring->shared->control;
	struct sleep sleep = {
		.ring = ring,
		.word = side == VMSI_RING_CONSUMERS ?
			&control->consumers : &control->producers,
		.is_sole = side == VMSI_RING_CONSUMERS ?
			ring->kind != VMS_RING_BROADCAST : ring->kind == VMS_RING_SPSC,
		.longest = SLEEP_FIRST,
		.try = try,
		.context = context,
	};
	int error = look(&sleep, VMSI_MPSC_POLLS);

	if (error != -EAGAIN || timeout == VMS_RING_NO_WAIT)
		return error;
	sleep.end = end_of(timeout);
	return sleep_until(&sleep);
}

/* --- the eventfd ------------------------------------------------------------------------- */

void vmsi_ring_join_fences(void)
{
	(void)vmsi_host.membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
}

/* Where the kernel makes no such fence, time does, as for those who sleep. */
void vmsi_ring_ask_for_event(struct vms_ring *ring)
{
	(void)vmsi_ring_add_bits(&ring->shared->control.consumers, VMSI_RING_EPOLLS);
	if (vmsi_host.membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0)
		for (unsigned i = 0; i < LOOKS; i++)
			pause_a_moment();
}
