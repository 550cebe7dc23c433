/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_SPSC_H
#define VMSI_RING_SPSC_H

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vmspace/ring.h>

#include "ring/atomic.h"
#include "ring/layout.h"

/*
 * The protocol of one producer and one consumer: each has a position that only it writes.
 * A record is a word with its length, then its bytes up to a multiple of 8. A claim is
 * the producer's own until the tail is moved behind it, so that nothing is left of it
 * where the producer dies.
 *
 * Each side knows an old position of the other one, and reads the shared word only where
 * that does not suffice. What it reads must lie where the other one can have gone.
 */

#define VMSI_SPSC_HEADER 8u

struct vmsi_spsc {
	struct vmsi_ring_control *control;
	char *data;
	uint64_t capacity;
};

struct vmsi_spsc_writer {
	uint64_t tail;
	uint64_t head;   /* of the consumer, as known */
};

struct vmsi_spsc_reader {
	uint64_t head;
	uint64_t peeked; /* the end of the records that were shown */
	uint64_t tail;   /* of the producer, as known */
	uint64_t records; /* that were shown, and their bytes */
	uint64_t bytes;
};

static inline uint64_t vmsi_spsc_span(uint64_t length)
{
	return (VMSI_SPSC_HEADER + length + 7) & ~(uint64_t)7;
}

static inline char *vmsi_spsc_at(const struct vmsi_spsc *spsc, uint64_t position)
{
	return spsc->data + (position & (spsc->capacity - 1));
}

/* Learn of the other side's position, which must lie in [first, last]. */
static inline int vmsi_spsc_learn(_Atomic uint64_t *word, uint64_t first, uint64_t last,
				  uint64_t *known)
{
	const uint64_t read = vmsi_ring_load(word);

	if (read - first > last - first || read % 8)
		return -EBADMSG;
	*known = read;
	return 0;
}

/* Read both positions, to begin as the producer or as the consumer. */
static inline int vmsi_spsc_begin(const struct vmsi_spsc *spsc, uint64_t *head,
				  uint64_t *tail)
{
	*head = vmsi_ring_load(&spsc->control->head);
	*tail = vmsi_ring_load(&spsc->control->tail);
	return *head < spsc->capacity || *head % 8 || *tail % 8 ||
		*tail - *head > spsc->capacity ? -EBADMSG : 0;
}

/* Whether there is room for so many bytes: 0, -EAGAIN or -EBADMSG. */
static inline int vmsi_spsc_room(const struct vmsi_spsc *spsc,
				 struct vmsi_spsc_writer *writer, uint64_t span)
{
	int error;

	if (writer->tail - writer->head <= spsc->capacity - span)
		return 0;
	error = vmsi_spsc_learn(&spsc->control->head, writer->head, writer->tail,
				&writer->head);
	if (error)
		return error;
	return writer->tail - writer->head <= spsc->capacity - span ? 0 : -EAGAIN;
}

/* The bytes of the record at the tail. */
static inline char *vmsi_spsc_claimed(const struct vmsi_spsc *spsc,
				      const struct vmsi_spsc_writer *writer)
{
	return vmsi_spsc_at(spsc, writer->tail) + VMSI_SPSC_HEADER;
}

static inline void vmsi_spsc_commit(const struct vmsi_spsc *spsc,
				    struct vmsi_spsc_writer *writer, uint64_t length)
{
	memcpy(vmsi_spsc_at(spsc, writer->tail), &length, sizeof(length));
	writer->tail += vmsi_spsc_span(length);
	vmsi_ring_store(&spsc->control->tail, writer->tail);
}

/* The length of the record at a position before end. False: it is nonsense. */
static inline int vmsi_spsc_length(const struct vmsi_spsc *spsc, uint64_t position,
				   uint64_t end, uint64_t *length)
{
	*length = __atomic_load_n((const uint64_t *)(const void *)
				  vmsi_spsc_at(spsc, position), __ATOMIC_RELAXED);
	return *length <= spsc->capacity && vmsi_spsc_span(*length) <= end - position;
}

/* Show up to most records from the head on. Returns how many, or -EBADMSG. */
static inline ssize_t vmsi_spsc_peek(const struct vmsi_spsc *spsc,
				     struct vmsi_spsc_reader *reader,
				     struct vms_ring_record *records, size_t most)
{
	uint64_t position = reader->head, bytes = 0, length;
	size_t count = 0;

	if (reader->tail == position &&
	    vmsi_spsc_learn(&spsc->control->tail, position, position + spsc->capacity,
			    &reader->tail))
		return -EBADMSG;
	for (; count < most && position != reader->tail; count++) {
		if (!vmsi_spsc_length(spsc, position, reader->tail, &length))
			return -EBADMSG;
		records[count].data = vmsi_spsc_at(spsc, position) + VMSI_SPSC_HEADER;
		records[count].length = length;
		position += vmsi_spsc_span(length);
		records[count].end = position;
		bytes += length;
	}
	reader->peeked = position;
	reader->records = count;
	reader->bytes = bytes;
	return (ssize_t)count;
}

/* Count what of the shown records lies before end: 0; -EINVAL: they do not end there. */
static inline int vmsi_spsc_count(const struct vmsi_spsc *spsc,
				  const struct vmsi_spsc_reader *reader, uint64_t end,
				  uint64_t *records, uint64_t *bytes)
{
	uint64_t position = reader->head, length;

	for (*records = *bytes = 0; position != end; ++*records) {
		if (!vmsi_spsc_length(spsc, position, end, &length))
			return -EINVAL;
		position += vmsi_spsc_span(length);
		*bytes += length;
	}
	return 0;
}

static inline void vmsi_spsc_release(const struct vmsi_spsc *spsc,
				     struct vmsi_spsc_reader *reader, uint64_t end)
{
	reader->head = end;
	vmsi_ring_store(&spsc->control->head, end);
}

#endif
