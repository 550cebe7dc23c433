/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "host/host.h"
#include "ring/ring.h"
#include "ring/wait.h"
#include "space/inside.h"

/* --- figures ----------------------------------------------------------------------------- */

static void add(_Atomic uint64_t *figure, uint64_t more)
{
	atomic_store_explicit(figure,
			      atomic_load_explicit(figure, memory_order_relaxed) + more,
			      memory_order_relaxed);
}

/*
 * The figures of a sole consumer are in the ring, for all to read. A consumer that takes
 * the part over goes on from there, whatever a peer has written.
 */
static void count(struct vms_ring *ring, uint64_t records, uint64_t bytes)
{
	struct vmsi_ring_control *control = &ring->shared->control;
	const bool is_broadcast = ring->kind == VMS_RING_BROADCAST;

	add(is_broadcast ? &ring->consumer.records : &control->records, records);
	add(is_broadcast ? &ring->consumer.bytes : &control->bytes, bytes);
}

static void count_ended(struct vms_ring *ring)
{
	struct vmsi_mpsc_reader *reader = &ring->consumer.mpsc;

	add(&ring->shared->control.skipped, reader->skipped);
	add(&ring->shared->control.aborted, reader->aborted);
	reader->skipped = reader->aborted = 0;
}

/* --- to peek ----------------------------------------------------------------------------- */

/* What ended without a record at the head makes room, too. */
static ssize_t peek_mpsc(struct vms_ring *ring, enum vmsi_mpsc_patience patience,
			 struct vms_ring_record *records, size_t most)
{
	struct vmsi_mpsc_reader *reader = &ring->consumer.mpsc;
	const uint64_t head = reader->head;
	ssize_t shown = vmsi_mpsc_peek(&ring->mpsc, reader, patience, records, most);

	if (__builtin_expect(reader->head != head, 0)) {
		count_ended(ring);
		vmsi_ring_wake_producers(ring);
	}
	return shown;
}

static ssize_t peek_broadcast(struct vms_ring *ring, struct vms_ring_record *records,
			      size_t most)
{
	struct vmsi_broadcast_reader *reader = &ring->consumer.broadcast;
	ssize_t shown = vmsi_broadcast_peek(&ring->broadcast, reader, records, most);

	atomic_store_explicit(&ring->consumer.missed_records, reader->missed_records,
			      memory_order_relaxed);
	atomic_store_explicit(&ring->consumer.missed_bytes, reader->missed_bytes,
			      memory_order_relaxed);
	return shown;
}

static inline ssize_t peek(struct vms_ring *ring, enum vmsi_mpsc_patience patience,
			   struct vms_ring_record *records, size_t most)
{
	switch (ring->kind) {
	case VMS_RING_SPSC:
		return vmsi_spsc_peek(&ring->spsc, &ring->consumer.spsc, records, most);
	case VMS_RING_MPSC:
		return peek_mpsc(ring, patience, records, most);
	case VMS_RING_BROADCAST:
	default:
		return peek_broadcast(ring, records, most);
	}
}

static __attribute__((noinline)) ssize_t peek_slowly(struct vms_ring *ring,
						     struct vms_ring_record *records,
						     size_t most)
{
	ssize_t shown = vmsi_ring_may(ring, VMS_RING_CONSUMER);

	if (shown == 0)
		shown = peek(ring, VMSI_MPSC_POLLS, records, most);
	if (__builtin_expect(shown < 0, 0))
		return vmsi_status(vmsi_ring_answer(ring, (int)shown));
	return shown;
}

static __attribute__((noinline)) ssize_t peek_more(struct vms_ring *ring,
						   struct vms_ring_record *records,
						   size_t most)
{
	ssize_t shown = vmsi_spsc_show_more(&ring->spsc, &ring->consumer.spsc,
					    records + 1, most - 1);

	return shown >= 0 ? shown + 1 : peek_slowly(ring, records, most);
}

/* The short way of one producer; what is not usual takes the long one. */
static inline ssize_t peek_quickly(struct vms_ring *ring,
				   struct vms_ring_record *records, size_t most)
{
	struct vmsi_spsc_reader *reader = &ring->consumer.spsc;
	const uint64_t header =
		vmsi_ring_load(vmsi_spsc_header(&ring->spsc, reader->head));

	reader->peeked = reader->head;
	reader->records = reader->bytes = 0;
	if (header == 0)
		return 0;
	if (!vmsi_spsc_show(&ring->spsc, reader, header, records))
		return peek_slowly(ring, records, most);
	return most == 1 ? 1 : peek_more(ring, records, most);
}

ssize_t vms_ring_peek(vms_ring *ring, struct vms_ring_record *records, size_t most)
{
	return vmsi_ring_is_quick(ring, VMS_RING_CONSUMER) && most > 0 ?
		peek_quickly(ring, records, most) : peek_slowly(ring, records, most);
}

/* --- to release -------------------------------------------------------------------------- */

static int release_spsc(struct vms_ring *ring, uint64_t end)
{
	struct vmsi_spsc_reader *reader = &ring->consumer.spsc;
	uint64_t records = reader->records, bytes = reader->bytes;

	if (end - reader->head - 1 >= reader->peeked - reader->head)
		return -EINVAL;
	if (end != reader->peeked &&
	    vmsi_spsc_count(&ring->spsc, reader, end, &records, &bytes))
		return -EINVAL;
	count(ring, records, bytes);
	vmsi_spsc_release(&ring->spsc, reader, end);
	reader->records -= records;
	reader->bytes -= bytes;
	return 0;
}

static int release_mpsc(struct vms_ring *ring, uint64_t end)
{
	struct vmsi_mpsc_reader *reader = &ring->consumer.mpsc;
	uint64_t records = 0, bytes = 0;
	int error;

	if (end - reader->head - 1 >= reader->peeked - reader->head ||
	    !vmsi_mpsc_is_end(&ring->mpsc, reader, end))
		return -EINVAL;
	error = vmsi_mpsc_release(&ring->mpsc, reader, end, &records, &bytes);
	if (error)
		return error;
	count(ring, records, bytes);
	if (reader->aborted)
		count_ended(ring);
	return 0;
}

static int release_broadcast(struct vms_ring *ring, uint64_t end)
{
	struct vmsi_broadcast_reader *reader = &ring->consumer.broadcast;
	uint64_t bytes = 0;
	ssize_t records;

	if (end - reader->position - 1 >= reader->peeked - reader->position)
		return -EINVAL;
	records = vmsi_broadcast_release(&ring->broadcast, reader, end, &bytes);
	if (records < 0)
		return (int)records;
	count(ring, (uint64_t)records, bytes);
	return 0;
}

/* A broadcast producer waits for nobody. */
static inline int release(struct vms_ring *ring, uint64_t end)
{
	int error;

	if (ring->kind == VMS_RING_BROADCAST)
		return release_broadcast(ring, end);
	error = ring->kind == VMS_RING_SPSC ?
		release_spsc(ring, end) : release_mpsc(ring, end);
	if (!error)
		vmsi_ring_wake_producers(ring);
	return error;
}

/* All that was shown, of one producer: false, if that is not so. */
static inline bool release_quickly(struct vms_ring *ring, uint64_t end)
{
	struct vmsi_spsc_reader *reader = &ring->consumer.spsc;

	if (end != reader->peeked || end == reader->head)
		return false;
	add(&ring->shared->control.records, reader->records);
	add(&ring->shared->control.bytes, reader->bytes);
	vmsi_spsc_release(&ring->spsc, reader, end);
	vmsi_ring_wake_producers(ring);
	return true;
}

static __attribute__((noinline)) int release_slowly(struct vms_ring *ring,
						    const struct vms_ring_record *record)
{
	int error = vmsi_ring_may(ring, VMS_RING_CONSUMER);

	if (!error)
		error = release(ring, record->end);
	return __builtin_expect(error != 0, 0) ?
		vmsi_status(vmsi_ring_answer(ring, error)) : 0;
}

int vms_ring_release(vms_ring *ring, const struct vms_ring_record *record)
{
	if (vmsi_ring_is_quick(ring, VMS_RING_CONSUMER) &&
	    release_quickly(ring, record->end))
		return 0;
	return release_slowly(ring, record);
}

/* --- to wait ----------------------------------------------------------------------------- */

/* Show one record: 0, -EAGAIN or -EBADMSG. */
static int show_one(struct vms_ring *ring, enum vmsi_mpsc_patience patience,
		    void *context)
{
	ssize_t shown = peek(ring, patience, context, 1);

	if (shown < 0)
		return (int)shown;
	return shown > 0 ? 0 : -EAGAIN;
}

static int wait_for_one(struct vms_ring *ring, int64_t timeout,
			struct vms_ring_record *record)
{
	int error = vmsi_ring_may(ring, VMS_RING_CONSUMER);

	if (!error)
		error = show_one(ring, VMSI_MPSC_POLLS, record);
	if (error == -EAGAIN && timeout != VMS_RING_NO_WAIT)
		error = vmsi_ring_sleep_until(ring, VMSI_RING_CONSUMERS, timeout,
					      show_one, record);
	return vmsi_ring_answer(ring, error);
}

int vms_ring_wait(vms_ring *ring, int64_t timeout)
{
	struct vms_ring_record record;
	int error = wait_for_one(ring, timeout, &record);

	return error ? vmsi_status(error) : 0;
}

/* --- copies ------------------------------------------------------------------------------ */

/* What was overwritten while it was copied is no record: -EAGAIN, try the next one. */
static int copy_and_release(struct vms_ring *ring, void *buffer,
			    const struct vms_ring_record *record)
{
	int error;

	if (ring->kind != VMS_RING_BROADCAST) {
		if (record->length != 0)
			memcpy(buffer, record->data, record->length);
		return release(ring, record->end);
	}
	vmsi_broadcast_copy_out(buffer, record->data, record->length);
	error = release_broadcast(ring, record->end);
	return error == -ESTALE ? -EAGAIN : error;
}

struct copy {
	void *buffer;
	size_t size;
	struct vms_ring_record record;
};

static int read_one(struct vms_ring *ring, enum vmsi_mpsc_patience patience,
		    void *context)
{
	struct copy *copy = context;
	int error = show_one(ring, patience, &copy->record);

	if (error)
		return error;
	if (copy->record.length > copy->size)
		return -EMSGSIZE;
	return copy_and_release(ring, copy->buffer, &copy->record);
}

ssize_t vms_ring_read(vms_ring *ring, void *buffer, size_t size, int64_t timeout)
{
	struct copy copy = { .buffer = buffer, .size = size };
	int error = vmsi_ring_may(ring, VMS_RING_CONSUMER);

	if (!error)
		error = read_one(ring, VMSI_MPSC_POLLS, &copy);
	if (error == -EAGAIN && timeout != VMS_RING_NO_WAIT)
		error = vmsi_ring_sleep_until(ring, VMSI_RING_CONSUMERS, timeout,
					      read_one, &copy);
	if (error)
		return vmsi_status(vmsi_ring_answer(ring, error));
	return (ssize_t)copy.record.length;
}

/* --- the eventfd ------------------------------------------------------------------------- */

int vms_ring_arm(vms_ring *ring)
{
	struct vms_ring_record record;
	int error = vmsi_ring_may(ring, VMS_RING_CONSUMER);

	if (!error && ring->event_fd < 0)
		error = -ENOENT;
	if (!error)
		error = show_one(ring, VMSI_MPSC_WAITS, &record);
	if (error == -EAGAIN) {
		vmsi_ring_ask_for_event(ring);
		error = show_one(ring, VMSI_MPSC_WAITS, &record);
	}
	if (error == -EAGAIN)
		return 0;
	return error ? vmsi_status(vmsi_ring_answer(ring, error)) : 1;
}
