/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/stat.h>

#include "base/align.h"
#include "base/versioned.h"
#include "ring/atomic.h"
#include "ring/ring.h"
#include "ring/slots.h"
#include "space/inside.h"

static uint64_t figure_of(const _Atomic uint64_t *figure)
{
	return atomic_load_explicit(figure, memory_order_relaxed);
}

/* The tail is read first, so that the head has not passed it by more than was read. */
static uint64_t used(const struct vms_ring *ring)
{
	struct vmsi_ring_control *control = &ring->shared->control;
	const uint64_t tail = vmsi_ring_load(&control->tail);
	const uint64_t behind = ring->kind == VMS_RING_BROADCAST ?
		vmsi_ring_load(&control->floor) : vmsi_ring_load(&control->head);

	return tail > behind ? vmsi_min(tail - behind, ring->capacity) : 0;
}

static void fill(const struct vms_ring *ring, struct vms_ring_stats *known)
{
	const struct vmsi_ring_control *control = &ring->shared->control;
	const struct vmsi_ring_consumer *consumer = &ring->consumer;
	const bool is_broadcast = ring->kind == VMS_RING_BROADCAST;

	*known = (struct vms_ring_stats){
		.struct_size = sizeof(*known),
		.capacity = ring->capacity,
		.kind = ring->kind,
		.alignment = ring->alignment,
		.record_most = ring->record_most,
		.used = used(ring),
		.records = figure_of(is_broadcast ? &consumer->records : &control->records),
		.bytes = figure_of(is_broadcast ? &consumer->bytes : &control->bytes),
		.refused = figure_of(&ring->producer.refused),
		.skipped = figure_of(&control->skipped),
		.aborted = figure_of(&control->aborted),
		.wakes = figure_of(&ring->producer.wakes) + figure_of(&consumer->wakes),
		.missed_records = figure_of(&consumer->missed_records),
		.missed_bytes = figure_of(&consumer->missed_bytes),
		.attached = vmsi_ring_attached(ring),
	};
}

int vms_ring_get_stats(vms_ring *ring, struct vms_ring_stats *stats)
{
	struct vms_ring_stats known;
	int error;

	if (!ring || !stats)
		return vmsi_status(-EINVAL);
	error = vmsi_check_struct_size(stats->struct_size, VMSI_FIRST_RING_STATS);
	if (!error && atomic_load(&ring->error) == EBADF)
		error = -EBADF;
	if (error)
		return vmsi_status(error);
	fill(ring, &known);
	vmsi_give_figures(stats, &known, sizeof(known));
	return 0;
}

int vms_stat_ring(vms_ring *ring, unsigned flags, struct vms_stat *stat)
{
	struct vms_stat known;
	int error = vmsi_stat_check(ring, flags, stat);

	if (!error && atomic_load(&ring->error) == EBADF)
		error = -EBADF;
	if (!error)
		error = vmsi_stat_of_space(ring->space, flags, &known);
	return vmsi_stat_give(error, &known, stat);
}
