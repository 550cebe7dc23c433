/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "ring/ring.h"
#include "ring/wait.h"
#include "space/inside.h"

/* A claim and a commit are a few instructions, so what they consist of is no calls. */
#define HOT __attribute__((always_inline))

/* --- the short way ------------------------------------------------------------------------ */

/*
 * What is usual in a ring of one producer. All else, and what fails, takes the long way,
 * which begins anew: these calls change nothing then.
 */
static inline HOT char *claim_quickly(struct vms_ring *ring, size_t length)
{
	struct vmsi_ring_producer *producer = &ring->producer;

	if (producer->claim || length > ring->record_most ||
	    !vmsi_spsc_has_room(&ring->spsc, &producer->spsc, vmsi_spsc_span(length)))
		return NULL;
	producer->claimed = length;
	producer->claim = vmsi_spsc_claimed(&ring->spsc, &producer->spsc);
	return producer->claim;
}

static inline HOT bool commit_quickly(struct vms_ring *ring, const void *data,
				      size_t length)
{
	struct vmsi_ring_producer *producer = &ring->producer;

	if (!data || data != producer->claim || length != producer->claimed ||
	    !vmsi_spsc_commit_at_once(&ring->spsc, &producer->spsc, length))
		return false;
	producer->claim = NULL;
	vmsi_ring_wake_consumers(ring);
	return true;
}

/* --- one producer ------------------------------------------------------------------------ */

static inline HOT int claim_sole(struct vms_ring *ring, size_t length, char **data)
{
	struct vmsi_ring_producer *producer = &ring->producer;
	char *claim;
	int error;

	if (producer->claim)
		return -EBUSY;
	if (ring->kind == VMS_RING_SPSC) {
		error = vmsi_spsc_room(&ring->spsc, &producer->spsc,
				       vmsi_spsc_span(length));
		if (__builtin_expect(error != 0, 0))
			return error;
		claim = vmsi_spsc_claimed(&ring->spsc, &producer->spsc);
	} else {
		claim = vmsi_broadcast_claim(&ring->broadcast, &producer->broadcast,
					     length);
		if (!claim)
			return -EBADMSG;
	}
	producer->claimed = length;
	*data = producer->claim = claim;
	return 0;
}

static inline HOT int end_sole_claim(struct vms_ring *ring, const void *data,
				 enum vmsi_cell_state state, size_t length)
{
	struct vmsi_ring_producer *producer = &ring->producer;

	if (!data || data != producer->claim || length > producer->claimed)
		return -EINVAL;
	producer->claim = NULL;
	if (state == VMSI_CELL_ABORTED)
		vmsi_spsc_soil(&producer->spsc, producer->spsc.tail);
	else if (ring->kind == VMS_RING_SPSC)
		vmsi_spsc_commit(&ring->spsc, &producer->spsc, producer->claimed, length);
	else
		vmsi_broadcast_commit(&ring->broadcast, &producer->broadcast, length);
	return 0;
}

/* --- many producers ---------------------------------------------------------------------- */

static inline HOT int claim_mpsc(struct vms_ring *ring, size_t length, char **data)
{
	uint64_t position;
	int error = vmsi_mpsc_claim(&ring->mpsc, &ring->producer.mpsc_head, ring->owner,
				    length, &position);

	if (!error)
		*data = ring->data + (position & (ring->capacity - 1));
	return error;
}

static inline HOT int end_shared_claim(struct vms_ring *ring, const void *data,
			    enum vmsi_cell_state state, size_t length)
{
	const uintptr_t offset = (uintptr_t)data - (uintptr_t)ring->data;

	if (offset >= ring->capacity || (offset & (ring->alignment - 1)))
		return -EINVAL;
	return vmsi_mpsc_end_claim(&ring->mpsc, offset, ring->owner, state, length);
}

/* --- all kinds --------------------------------------------------------------------------- */

/* A claim of a ring that is checked. */
static inline HOT int claim(struct vms_ring *ring, size_t length, char **data)
{
	if (length > ring->record_most)
		return -EMSGSIZE;
	return ring->kind == VMS_RING_MPSC ? claim_mpsc(ring, length, data) :
		claim_sole(ring, length, data);
}

static void count_refused(struct vms_ring *ring)
{
	atomic_fetch_add_explicit(&ring->producer.refused, 1, memory_order_relaxed);
}

static inline HOT int end_claim(struct vms_ring *ring, const void *data,
			    enum vmsi_cell_state state, size_t length)
{
	int error = ring->kind == VMS_RING_MPSC ?
		end_shared_claim(ring, data, state, length) :
		end_sole_claim(ring, data, state, length);

	/* Who waits behind a claim that is given up goes on, too. */
	if (!error)
		vmsi_ring_wake_consumers(ring);
	if (!error && ring->kind == VMS_RING_SPSC &&
	    ring->producer.spsc.tail >= ring->producer.spsc.clear_at)
		vmsi_spsc_clear_ahead(&ring->spsc, &ring->producer.spsc, length);
	return error;
}

static inline HOT int try_claim(struct vms_ring *ring, size_t length, char **data)
{
	int error = vmsi_ring_may(ring, VMS_RING_PRODUCER);

	if (!error)
		error = claim(ring, length, data);
	if (error == -EAGAIN)
		count_refused(ring);
	return vmsi_ring_answer(ring, error);
}

static __attribute__((noinline)) void *try_claim_slowly(struct vms_ring *ring,
							size_t length)
{
	char *data = NULL;
	int error = try_claim(ring, length, &data);

	if (__builtin_expect(error != 0, 0))
		(void)vmsi_status(error);
	return data;
}

void *vms_ring_try_claim(vms_ring *ring, size_t length)
{
	char *data = vmsi_ring_is_quick(ring, VMS_RING_PRODUCER) ?
		claim_quickly(ring, length) : NULL;

	return __builtin_expect(data != NULL, 1) ? data : try_claim_slowly(ring, length);
}

/* --- to wait for room -------------------------------------------------------------------- */

struct request {
	size_t length;
	char *data;
};

static int claim_again(struct vms_ring *ring, enum vmsi_mpsc_patience patience,
		       void *context)
{
	struct request *request = context;

	(void)patience;
	return claim(ring, request->length, &request->data);
}

static int wait_and_claim(struct vms_ring *ring, size_t length, int64_t timeout,
			  char **data)
{
	struct request request = { .length = length };
	int error = try_claim(ring, length, data);

	if (error != -EAGAIN || timeout == VMS_RING_NO_WAIT)
		return error;
	error = vmsi_ring_sleep_until(ring, VMSI_RING_PRODUCERS, timeout, claim_again,
				      &request);
	*data = error ? NULL : request.data;
	return vmsi_ring_answer(ring, error);
}

void *vms_ring_claim(vms_ring *ring, size_t length, int64_t timeout)
{
	char *data = NULL;
	int error = wait_and_claim(ring, length, timeout, &data);

	if (__builtin_expect(error != 0, 0))
		(void)vmsi_status(error);
	return data;
}

/* --- to end a claim ---------------------------------------------------------------------- */

static __attribute__((noinline)) int end(struct vms_ring *ring, const void *data,
		      enum vmsi_cell_state state, size_t length)
{
	int error = vmsi_ring_may(ring, VMS_RING_PRODUCER);

	if (!error)
		error = end_claim(ring, data, state, length);
	return __builtin_expect(error != 0, 0) ? vmsi_status(error) : 0;
}

int vms_ring_commit(vms_ring *ring, void *data, size_t length)
{
	if (vmsi_ring_is_quick(ring, VMS_RING_PRODUCER) &&
	    commit_quickly(ring, data, length))
		return 0;
	return end(ring, data, VMSI_CELL_COMMITTED, length);
}

int vms_ring_abort(vms_ring *ring, void *data)
{
	return end(ring, data, VMSI_CELL_ABORTED, 0);
}

static void fill(const struct vms_ring *ring, char *data, const void *bytes,
		 size_t length)
{
	if (ring->kind == VMS_RING_BROADCAST)
		vmsi_broadcast_copy_in(data, bytes, length);
	else if (length != 0)
		memcpy(data, bytes, length);
}

int vms_ring_write(vms_ring *ring, const void *bytes, size_t length, int64_t timeout)
{
	char *data = NULL;
	int error = wait_and_claim(ring, length, timeout, &data);

	if (error)
		return vmsi_status(error);
	fill(ring, data, bytes, length);
	error = end_claim(ring, data, VMSI_CELL_COMMITTED, length);
	/* A claim that was made here is lost to a peer's nonsense only. */
	return vmsi_status(error ? vmsi_ring_break(ring) : 0);
}
