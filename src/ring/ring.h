/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_RING_H
#define VMSI_RING_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/ring.h>

#include "ring/broadcast.h"
#include "ring/layout.h"
#include "ring/mpsc.h"
#include "ring/spsc.h"

/* What the producer's threads write. */
struct vmsi_ring_producer {
	/* The open claim of a sole producer, and its bytes; NULL: none. */
	char *claim;
	uint64_t claimed;
	struct vmsi_spsc_writer spsc;
	struct vmsi_broadcast_writer broadcast;
	_Atomic uint64_t mpsc_head;  /* of the consumer, as known to all threads */
	_Atomic uint64_t refused;
	_Atomic uint64_t wakes;
};

/* What the consumer's thread writes. */
struct vmsi_ring_consumer {
	struct vmsi_spsc_reader spsc;
	struct vmsi_mpsc_reader mpsc;
	struct vmsi_broadcast_reader broadcast;
	/* Figures, atomic as others read them; of a broadcast ring, this consumer's. */
	_Atomic uint64_t records;
	_Atomic uint64_t bytes;
	_Atomic uint64_t missed_records;
	_Atomic uint64_t missed_bytes;
	_Atomic uint64_t wakes;
};

/*
 * This process's part in a ring. The addresses of its space:
 *
 *   head, control, slots, cells | data | the same data again
 *
 * What the file says of its layout was copied and checked when the ring was opened, and
 * is not read again.
 */
struct vms_ring {
	/* Written before the ring is given out. */
	enum vms_ring_kind kind;
	unsigned flags;            /* VMS_RING_* */
	_Atomic int error;         /* EBADMSG: broken; EBADF: of a parent; 0 */
	/*
	 * The parts that may take the short way, VMS_RING_PRODUCER and _CONSUMER: those of
	 * one producer, until there is an error.
	 */
	_Atomic unsigned quick;
	uint32_t owner;            /* a slot and its generation; see mpsc.h */
	struct vmsi_ring_shared *shared;
	char *data;
	uint64_t capacity;
	uint64_t record_most;
	struct vmsi_spsc spsc;
	struct vmsi_mpsc mpsc;
	struct vmsi_broadcast broadcast;
	uint64_t data_offset;      /* of the data in the file */
	unsigned alignment;
	vms_space *space;
	int fd;                    /* a duplicate, to be given to others */
	int lock_fd;               /* a description of its own, which has the locks */
	int event_fd;              /* -1: none */
	struct vms_ring *next;     /* of all rings, for fork; guarded by their list */

	_Alignas(VMSI_RING_LINE) struct vmsi_ring_producer producer;
	_Alignas(VMSI_RING_LINE) struct vmsi_ring_consumer consumer;
};

/* From now on each call on the ring answers so: EBADMSG, or EBADF in a child. */
static inline void vmsi_ring_end(struct vms_ring *ring, int error)
{
	int none = 0;

	if (error == EBADF)
		atomic_store(&ring->error, EBADF);
	else
		(void)atomic_compare_exchange_strong(&ring->error, &none, error);
	atomic_store(&ring->quick, 0);
}

/* Returns -EBADMSG. */
static inline int vmsi_ring_break(struct vms_ring *ring)
{
	vmsi_ring_end(ring, EBADMSG);
	return -EBADMSG;
}

/* What breaks a ring does so; all else is passed on. */
static inline int vmsi_ring_answer(struct vms_ring *ring, int error)
{
	return error == -EBADMSG ? vmsi_ring_break(ring) : error;
}

/* Whether a call with that part may be made, of a ring of one producer. */
static inline bool vmsi_ring_is_quick(const struct vms_ring *ring, unsigned part)
{
	return __builtin_expect((atomic_load_explicit(&ring->quick, memory_order_relaxed) &
				 part) != 0, 1);
}

/* Whether a call with that part may be made: 0, or -EPERM, -EBADMSG, -EBADF. */
static inline int vmsi_ring_may(const struct vms_ring *ring, unsigned part)
{
	const int error = atomic_load_explicit(&ring->error, memory_order_relaxed);

	if (__builtin_expect(error != 0, 0))
		return -error;
	return __builtin_expect((ring->flags & part) != 0, 1) ? 0 : -EPERM;
}

#endif
