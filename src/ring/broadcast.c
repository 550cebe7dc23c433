/* SPDX-License-Identifier: MIT */
#include "ring/broadcast.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "ring/atomic.h"

/* --- records ------------------------------------------------------------------------- */

/* The two words before the bytes of a record. */
struct header {
	_Atomic uint64_t length;
	_Atomic uint64_t number;
};

static char *at(const struct vmsi_broadcast *broadcast, uint64_t position)
{
	return broadcast->data + (position & (broadcast->capacity - 1));
}

static struct header *header_at(const struct vmsi_broadcast *broadcast,
				uint64_t position)
{
	return (struct header *)(void *)at(broadcast, position);
}

static uint64_t span_of(uint64_t length)
{
	return (VMSI_BROADCAST_HEADER + length + 7) & ~(uint64_t)7;
}

uint64_t vmsi_broadcast_most(const struct vmsi_broadcast *broadcast)
{
	return broadcast->capacity / 4 - VMSI_BROADCAST_HEADER;
}

/* The length of the record at a position that ends before end; false: it is nonsense. */
static bool read_length(const struct vmsi_broadcast *broadcast, uint64_t position,
			uint64_t end, uint64_t *length)
{
	*length = vmsi_ring_load_relaxed(&header_at(broadcast, position)->length);
	return *length <= vmsi_broadcast_most(broadcast) &&
		span_of(*length) <= end - position;
}

static uint64_t read_number(const struct vmsi_broadcast *broadcast, uint64_t position)
{
	return vmsi_ring_load_relaxed(&header_at(broadcast, position)->number);
}

/* --- the producer ---------------------------------------------------------------------- */

/* What lies before the floor is not looked at; records are, before they are overwritten. */
int vmsi_broadcast_begin_writing(const struct vmsi_broadcast *broadcast,
				 struct vmsi_broadcast_writer *writer)
{
	const uint64_t floor = vmsi_ring_load(&broadcast->control->floor);
	const uint64_t tail = vmsi_ring_load(&broadcast->control->tail);

	if (floor < broadcast->capacity || floor % 8 || tail % 8 ||
	    tail - floor > broadcast->capacity)
		return -EBADMSG;
	*writer = (struct vmsi_broadcast_writer){
		.tail = tail, .floor = floor, .number = read_number(broadcast, tail),
	};
	return 0;
}

/*
 * The fence keeps what is written to the record from being seen before the floor has
 * moved.
 */
char *vmsi_broadcast_claim(const struct vmsi_broadcast *broadcast,
			   struct vmsi_broadcast_writer *writer, uint64_t length)
{
	/* With the header behind it, which has the next number. */
	const uint64_t span = span_of(length) + VMSI_BROADCAST_HEADER;
	uint64_t floor = writer->floor, old;

	while (writer->tail - floor > broadcast->capacity - span) {
		if (!read_length(broadcast, floor, writer->tail, &old))
			return NULL;
		floor += span_of(old);
	}
	if (floor != writer->floor) {
		vmsi_ring_store_relaxed(&broadcast->control->floor, floor);
		atomic_thread_fence(memory_order_release);
		writer->floor = floor;
	}
	return at(broadcast, writer->tail) + VMSI_BROADCAST_HEADER;
}

void vmsi_broadcast_commit(const struct vmsi_broadcast *broadcast,
			   struct vmsi_broadcast_writer *writer, uint64_t length)
{
	vmsi_ring_store_relaxed(&header_at(broadcast, writer->tail)->length, length);
	writer->number++;
	writer->tail += span_of(length);
	vmsi_ring_store_relaxed(&header_at(broadcast, writer->tail)->number,
				writer->number);
	vmsi_ring_store(&broadcast->control->tail, writer->tail);
}

/* --- consumers ------------------------------------------------------------------------- */

/* How often a consumer tries to keep up with a producer that overtakes it. */
#define TRIES 64

/* And how often it does so at the oldest record, which may be gone each time. */
#define TRIES_OLDEST 8

/* The floor, after all that was read before is read. */
static uint64_t floor_now(const struct vmsi_broadcast *broadcast)
{
	atomic_thread_fence(memory_order_acquire);
	return vmsi_ring_load(&broadcast->control->floor);
}

/* Begin at a position that is the oldest record or the tail: 0, -EAGAIN or -EBADMSG. */
static int begin_at(const struct vmsi_broadcast *broadcast,
		    enum vmsi_broadcast_begin begin, uint64_t *position, uint64_t *number)
{
	const uint64_t floor = vmsi_ring_load(&broadcast->control->floor);
	const uint64_t tail = vmsi_ring_load(&broadcast->control->tail);
	const uint64_t at = begin == VMSI_BROADCAST_OLDEST ? floor : tail;

	if (floor < broadcast->capacity || floor % 8 || tail % 8)
		return -EBADMSG;
	*number = read_number(broadcast, at);
	*position = at;
	if (floor_now(broadcast) > at)
		return -EAGAIN;
	return tail - at <= broadcast->capacity ? 0 : -EBADMSG;
}

/*
 * The producer may always be faster than who begins at the oldest record; from the tail it
 * has a whole ring to go. Returns 0, -EAGAIN: it was faster all the same, or -EBADMSG.
 */
static int find_begin(const struct vmsi_broadcast *broadcast,
		      enum vmsi_broadcast_begin begin, uint64_t *position,
		      uint64_t *number)
{
	int error = -EAGAIN;

	for (unsigned tries = 0; error == -EAGAIN && tries < TRIES; tries++)
		error = begin_at(broadcast, tries < TRIES_OLDEST ?
				 begin : VMSI_BROADCAST_NOW, position, number);
	return error;
}

int vmsi_broadcast_begin_reading(const struct vmsi_broadcast *broadcast,
				 struct vmsi_broadcast_reader *reader,
				 enum vmsi_broadcast_begin begin)
{
	int error;

	*reader = (struct vmsi_broadcast_reader){ .peeked = 0 };
	error = find_begin(broadcast, begin, &reader->position, &reader->number);
	reader->peeked = reader->position;
	return error == -EAGAIN ? -EBADMSG : error;
}

/* Go on at the oldest record, after the producer has overtaken this consumer. */
static int catch_up(const struct vmsi_broadcast *broadcast,
		    struct vmsi_broadcast_reader *reader)
{
	uint64_t position, number;
	int error = find_begin(broadcast, VMSI_BROADCAST_OLDEST, &position, &number);

	if (error)
		return error;
	if (position - reader->position > INT64_MAX)
		return -EBADMSG;
	reader->missed_bytes += position - reader->position;
	reader->missed_records += number - reader->number;
	reader->position = reader->peeked = position;
	reader->number = number;
	return 0;
}

static bool is_overtaken(uint64_t floor, uint64_t position)
{
	return floor > position;
}

/* One try: -EAGAIN: it was overtaken meanwhile. */
static ssize_t show(const struct vmsi_broadcast *broadcast,
		    struct vmsi_broadcast_reader *reader,
		    struct vms_ring_record *records, size_t most)
{
	const uint64_t tail = vmsi_ring_load(&broadcast->control->tail);
	uint64_t position = reader->position;
	bool is_good = tail % 8 == 0;
	size_t count = 0;
	uint64_t length;

	while (is_good && count < most && position != tail) {
		is_good = read_length(broadcast, position, tail, &length);
		if (!is_good)
			break;
		records[count].data = at(broadcast, position) + VMSI_BROADCAST_HEADER;
		records[count].length = length;
		position += span_of(length);
		records[count++].end = position;
		is_good = position - reader->position <= broadcast->capacity;
	}
	if (is_overtaken(floor_now(broadcast), reader->position))
		return -EAGAIN;
	if (!is_good)
		return -EBADMSG;
	reader->peeked = position;
	return (ssize_t)count;
}

ssize_t vmsi_broadcast_peek(const struct vmsi_broadcast *broadcast,
			    struct vmsi_broadcast_reader *reader,
			    struct vms_ring_record *records, size_t most)
{
	for (unsigned tries = 0; tries < TRIES; tries++) {
		ssize_t count = show(broadcast, reader, records, most);
		int error;

		if (count != -EAGAIN)
			return count;
		error = catch_up(broadcast, reader);
		if (error)
			return error == -EAGAIN ? 0 : error;
	}
	return 0;
}

int vmsi_broadcast_check(const struct vmsi_broadcast *broadcast,
			 const struct vmsi_broadcast_reader *reader)
{
	return is_overtaken(floor_now(broadcast), reader->position) ? -ESTALE : 0;
}

/* The lengths are read again, and looked at before they are known to be whole. */
ssize_t vmsi_broadcast_release(const struct vmsi_broadcast *broadcast,
			       struct vmsi_broadcast_reader *reader, uint64_t end,
			       uint64_t *bytes)
{
	uint64_t position = reader->position, sum = 0, length;
	ssize_t count = 0;
	bool is_good = true;

	while (is_good && position != end) {
		is_good = read_length(broadcast, position, end, &length);
		if (!is_good)
			break;
		position += span_of(length);
		sum += length;
		count++;
	}
	if (vmsi_broadcast_check(broadcast, reader))
		return -ESTALE;
	if (!is_good)
		return -EBADMSG;
	reader->position = end;
	reader->number += (uint64_t)count;
	*bytes += sum;
	return count;
}

/* --- copies ---------------------------------------------------------------------------- */

/* data is aligned to words; the ring has whole ones. */
void vmsi_broadcast_copy_in(char *data, const void *bytes, size_t length)
{
	const char *from = bytes;

	for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
		const size_t left = length - i;
		uint64_t word = 0;

		memcpy(&word, from + i, left < sizeof(word) ? left : sizeof(word));
		atomic_store_explicit((_Atomic uint64_t *)(void *)(data + i), word,
				      memory_order_relaxed);
	}
}

void vmsi_broadcast_copy_out(void *buffer, const char *data, size_t length)
{
	char *to = buffer;

	for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
		const size_t left = length - i;
		const uint64_t word = atomic_load_explicit(
			(const _Atomic uint64_t *)(const void *)(data + i),
			memory_order_relaxed);

		memcpy(to + i, &word, left < sizeof(word) ? left : sizeof(word));
	}
}
