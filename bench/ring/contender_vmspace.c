/* SPDX-License-Identifier: MIT */
#include <vmspace.h>

#include "contender.h"

/* Rings that are polled: records are written and read in place, and read in batches. */

#define BATCH 64

static vms_ring *open_part(int fd, unsigned part)
{
	const struct vms_ring_options options = {
		.struct_size = sizeof(options), .flags = part,
	};
	vms_ring *ring = vms_ring_attach(fd, &options);

	if (!ring)
		bench_fail("vms_ring_attach");
	return ring;
}

static vms_ring *make(enum vms_ring_kind kind)
{
	vms_ring *ring = vms_ring_create(NULL, kind, CHANNEL_BYTES, NULL);

	if (!ring)
		bench_fail("vms_ring_create");
	return ring;
}

static void *make_spsc(size_t length)
{
	(void)length;
	return make(VMS_RING_SPSC);
}

static void *make_mpsc(size_t length)
{
	(void)length;
	return make(VMS_RING_MPSC);
}

static void *join_producer(void *channel)
{
	return open_part(vms_ring_fd(channel), VMS_RING_PRODUCER);
}

static void *join_consumer(void *channel)
{
	return open_part(vms_ring_fd(channel), VMS_RING_CONSUMER);
}

static void produce(void *end, size_t length, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		void *record;

		while (!(record = vms_ring_try_claim(end, length)))
			bench_pause();
		write_record(record, length, i);
		if (vms_ring_commit(end, record, length) != 0)
			bench_fail("vms_ring_commit");
	}
}

/* Where there are more processes than processors, to poll is to be in the way. */
static void produce_waiting(void *end, size_t length, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		void *record = vms_ring_claim(end, length, VMS_RING_FOREVER);

		if (!record)
			bench_fail("vms_ring_claim");
		write_record(record, length, i);
		if (vms_ring_commit(end, record, length) != 0)
			bench_fail("vms_ring_commit");
	}
}

static void produce_copies(void *end, size_t length, uint64_t count)
{
	static uint64_t record[1024];

	for (uint64_t i = 0; i < count; i++) {
		write_record(record, length, i);
		while (vms_ring_write(end, record, length, VMS_RING_NO_WAIT) != 0)
			bench_pause();
	}
}

static ssize_t peek(void *end, struct vms_ring_record *records, int64_t timeout)
{
	ssize_t shown = vms_ring_peek(end, records, BATCH);

	if (shown < 0)
		bench_fail("vms_ring_peek");
	if (shown > 0)
		return shown;
	if (timeout == VMS_RING_NO_WAIT)
		bench_pause();
	else if (vms_ring_wait(end, timeout) != 0)
		bench_fail("vms_ring_wait");
	return 0;
}

static inline uint64_t consume_by(void *end, size_t length, uint64_t count,
				  int64_t timeout)
{
	struct vms_ring_record records[BATCH];
	uint64_t sum = 0;

	while (count > 0) {
		ssize_t shown = peek(end, records, timeout);

		if (shown == 0)
			continue;
		for (ssize_t i = 0; i < shown; i++)
			sum += read_record(records[i].data, length);
		if (vms_ring_release(end, &records[shown - 1]) != 0)
			bench_fail("vms_ring_release");
		count -= (uint64_t)shown;
	}
	return sum;
}

static uint64_t consume(void *end, size_t length, uint64_t count)
{
	return consume_by(end, length, count, VMS_RING_NO_WAIT);
}

static uint64_t consume_waiting(void *end, size_t length, uint64_t count)
{
	return consume_by(end, length, count, VMS_RING_FOREVER);
}

static uint64_t consume_copies(void *end, size_t length, uint64_t count)
{
	static uint64_t record[1024];
	uint64_t sum = 0;

	for (; count > 0; count--) {
		while (vms_ring_read(end, record, sizeof(record), VMS_RING_NO_WAIT) < 0)
			bench_pause();
		sum += read_record(record, length);
	}
	return sum;
}

static void drop(void *channel)
{
	(void)vms_ring_close(channel);
}

const struct contender contender_spsc = {
	"vms_ring, one producer", make_spsc, join_producer, join_consumer, produce,
	consume, drop, 1,
};

const struct contender contender_mpsc = {
	"vms_ring, many producers", make_mpsc, join_producer, join_consumer, produce,
	consume, drop, 64,
};

const struct contender contender_waiting = {
	"vms_ring, many that wait", make_mpsc, join_producer, join_consumer,
	produce_waiting, consume_waiting, drop, 64,
};

const struct contender contender_written = {
	"vms_ring, by copies", make_spsc, join_producer, join_consumer, produce_copies,
	consume_copies, drop, 1,
};
