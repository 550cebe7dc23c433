/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_SPSC_H
#define VMSI_RING_SPSC_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vmspace/ring.h>

#include "ring/atomic.h"
#include "ring/layout.h"

/*
 * The protocol of one producer and one consumer.
 *
 *        head                                    tail
 *   free  | header, bytes | header, bytes | ...   | 0 | free
 *
 * A record is a word, its header, and its bytes up to a multiple of 8. The header has the
 * length and is stored last, so that the consumer waits at the record itself: what tells of
 * a record and the record are in one cache line. Before that the word behind the record
 * is cleared, where the next header will be. So the word at the tail is 0, and the
 * consumer, who stops there, need not know the tail. The tail is stored for who produces
 * next: where the last one died before that, a header is there already.
 *
 * The producer clears some memory ahead, after it has told of a record. So the lines of
 * the next ones are its own by the time that they are written, and nobody waits for that.
 * Up to clear_at the word behind a record is known to be clear, and a commit consists of
 * two stores.
 *
 * A claim is the producer's own until its header is stored, so that nothing is left of it
 * where the producer dies.
 *
 * The producer knows an old head, and reads the shared one only where that does not
 * suffice.
 */

#define VMSI_SPSC_HEADER 8u

/* Of each ring: a header, and the cleared word behind the last record. */
#define VMSI_SPSC_OVERHEAD 16u

struct vmsi_spsc {
	struct vmsi_ring_control *control;
	char *data;
	uint64_t capacity;
};

struct vmsi_spsc_writer {
	uint64_t tail;
	uint64_t head;     /* of the consumer, as known */
	uint64_t cleared;  /* from the tail to here all is 0, but for an open claim */
	uint64_t clear_at; /* more is to be cleared from here on; before cleared by a word */
};

struct vmsi_spsc_reader {
	uint64_t head;
	uint64_t peeked;  /* the end of the records that were shown */
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

static inline _Atomic uint64_t *vmsi_spsc_header(const struct vmsi_spsc *spsc,
						 uint64_t position)
{
	return (_Atomic uint64_t *)(void *)vmsi_spsc_at(spsc, position);
}

/*
 * The length in a header that is not 0, of a record that ends before end. False: it is
 * nonsense.
 */
static inline bool vmsi_spsc_length(uint64_t header, uint64_t position, uint64_t end,
				    uint64_t *length)
{
	*length = header - 1;
	return *length < end - position && vmsi_spsc_span(*length) <= end - position;
}

/* --- the producer ------------------------------------------------------------------------ */

/* What was claimed may have been written to; what lies behind a word at end is forgotten. */
static inline void vmsi_spsc_soil(struct vmsi_spsc_writer *writer, uint64_t end)
{
	writer->cleared = end + VMSI_SPSC_HEADER;
	writer->clear_at = end;
}

/* Begin as the producer, after another one that may have died. 0 or -EBADMSG. */
static inline int vmsi_spsc_begin_writing(const struct vmsi_spsc *spsc,
					  struct vmsi_spsc_writer *writer)
{
	const uint64_t head = vmsi_ring_load(&spsc->control->head);
	uint64_t tail = vmsi_ring_load(&spsc->control->tail);
	const uint64_t end = head + spsc->capacity;
	uint64_t header, length;

	/* The consumer may have passed a tail that was not moved. */
	if (tail % 8 || (head > tail && head - tail > spsc->capacity) ||
	    (tail > head && tail - head > spsc->capacity))
		return -EBADMSG;
	if (head > tail)
		tail = head;
	while ((header = vmsi_ring_load(vmsi_spsc_header(spsc, tail))) != 0) {
		if (!vmsi_spsc_length(header, tail, end, &length))
			return -EBADMSG;
		tail += vmsi_spsc_span(length);
	}
	if (head < spsc->capacity || head % 8)
		return -EBADMSG;
	vmsi_ring_store(&spsc->control->tail, tail);
	*writer = (struct vmsi_spsc_writer){ .tail = tail, .head = head };
	vmsi_spsc_soil(writer, tail);
	return 0;
}

/* Learn of the consumer's position, which must lie between the known one and the tail. */
static inline int vmsi_spsc_learn(const struct vmsi_spsc *spsc,
				  struct vmsi_spsc_writer *writer)
{
	const uint64_t head = vmsi_ring_load(&spsc->control->head);

	if (head - writer->head > writer->tail - writer->head || head % 8)
		return -EBADMSG;
	writer->head = head;
	return 0;
}

/* Whether there is room for so many bytes, as far as is known. */
static inline bool vmsi_spsc_has_room(const struct vmsi_spsc *spsc,
				      const struct vmsi_spsc_writer *writer, uint64_t span)
{
	return writer->tail - writer->head <= spsc->capacity - VMSI_SPSC_HEADER - span;
}

/* The same, and find out: 0, -EAGAIN or -EBADMSG. */
static inline int vmsi_spsc_room(const struct vmsi_spsc *spsc,
				 struct vmsi_spsc_writer *writer, uint64_t span)
{
	int error;

	if (vmsi_spsc_has_room(spsc, writer, span))
		return 0;
	error = vmsi_spsc_learn(spsc, writer);
	if (error)
		return error;
	return vmsi_spsc_has_room(spsc, writer, span) ? 0 : -EAGAIN;
}

/* The bytes of the record at the tail. */
static inline char *vmsi_spsc_claimed(const struct vmsi_spsc *spsc,
				      const struct vmsi_spsc_writer *writer)
{
	return vmsi_spsc_at(spsc, writer->tail) + VMSI_SPSC_HEADER;
}

/*
 * Where less than the lesser of these is clear, more is cleared up to the greater one: as
 * far as the consumer is known to have come. Behind a record that is longer than that the
 * line of the next header is enough, as it is all that is written out of turn.
 */
#define VMSI_SPSC_CLEAR_LEAST 512u
#define VMSI_SPSC_CLEAR_MOST 1024u
#define VMSI_SPSC_CLEAR_LONG 64u

static inline void vmsi_spsc_clear_ahead(const struct vmsi_spsc *spsc,
					 struct vmsi_spsc_writer *writer, uint64_t length)
{
	const bool is_long = length > VMSI_SPSC_CLEAR_LEAST;
	const uint64_t end = writer->head + spsc->capacity;
	const uint64_t most = writer->tail +
		(is_long ? VMSI_SPSC_CLEAR_LONG : VMSI_SPSC_CLEAR_MOST);
	const uint64_t to = most < end ? most : end;

	if (to > writer->cleared) {
		memset(vmsi_spsc_at(spsc, writer->cleared), 0, to - writer->cleared);
		writer->cleared = to;
	}
	writer->clear_at = to == most && !is_long ? most - VMSI_SPSC_CLEAR_LEAST :
		writer->cleared - VMSI_SPSC_HEADER;
}

/* Tell of a record, which ends at tail, where the next header is clear. */
static inline void vmsi_spsc_tell(const struct vmsi_spsc *spsc,
				  struct vmsi_spsc_writer *writer, uint64_t length,
				  uint64_t tail)
{
	vmsi_ring_store(vmsi_spsc_header(spsc, writer->tail), length + 1);
	vmsi_ring_store(&spsc->control->tail, tail);
	writer->tail = tail;
}

/* The whole claim is a record, and nothing else is to be done: false, if that is not so. */
static inline bool vmsi_spsc_commit_at_once(const struct vmsi_spsc *spsc,
					    struct vmsi_spsc_writer *writer,
					    uint64_t length)
{
	const uint64_t tail = writer->tail + vmsi_spsc_span(length);

	if (__builtin_expect(tail >= writer->clear_at, 0))
		return false;
	vmsi_spsc_tell(spsc, writer, length, tail);
	return true;
}

static inline void vmsi_spsc_commit(const struct vmsi_spsc *spsc,
				    struct vmsi_spsc_writer *writer, uint64_t claimed,
				    uint64_t length)
{
	const uint64_t tail = writer->tail + vmsi_spsc_span(length);

	if (tail + VMSI_SPSC_HEADER > writer->cleared || length < claimed) {
		vmsi_ring_store_relaxed(vmsi_spsc_header(spsc, tail), 0);
		vmsi_spsc_soil(writer, tail);
	}
	vmsi_spsc_tell(spsc, writer, length, tail);
}

/* --- the consumer ------------------------------------------------------------------------ */

/* Begin as the consumer. Returns 0 or -EBADMSG. */
static inline int vmsi_spsc_begin_reading(const struct vmsi_spsc *spsc,
					  struct vmsi_spsc_reader *reader)
{
	const uint64_t head = vmsi_ring_load(&spsc->control->head);

	if (head < spsc->capacity || head % 8)
		return -EBADMSG;
	*reader = (struct vmsi_spsc_reader){ .head = head, .peeked = head };
	return 0;
}

/*
 * Show the record behind those that are shown, whose header is not 0. False: it is
 * nonsense.
 */
static inline bool vmsi_spsc_show(const struct vmsi_spsc *spsc,
				  struct vmsi_spsc_reader *reader, uint64_t header,
				  struct vms_ring_record *record)
{
	const uint64_t position = reader->peeked;
	uint64_t length;

	if (!vmsi_spsc_length(header, position, reader->head + spsc->capacity, &length))
		return false;
	record->data = vmsi_spsc_at(spsc, position) + VMSI_SPSC_HEADER;
	record->length = length;
	record->end = reader->peeked = position + vmsi_spsc_span(length);
	reader->records++;
	reader->bytes += length;
	return true;
}

/* Show up to most records behind those that are shown. Returns how many, or -EBADMSG. */
static inline ssize_t vmsi_spsc_show_more(const struct vmsi_spsc *spsc,
					  struct vmsi_spsc_reader *reader,
					  struct vms_ring_record *records, size_t most)
{
	/* Copies, which an access to shared memory does not make a compiler read again. */
	const struct vmsi_spsc ring = *spsc;
	struct vmsi_spsc_reader now = *reader;
	size_t count = 0;

	for (; count < most && now.peeked - now.head != ring.capacity; count++) {
		const uint64_t header =
			vmsi_ring_load(vmsi_spsc_header(&ring, now.peeked));

		if (header == 0)
			break;
		if (!vmsi_spsc_show(&ring, &now, header, &records[count]))
			return -EBADMSG;
	}
	*reader = now;
	return (ssize_t)count;
}

/* Show up to most records from the head on. Returns how many, or -EBADMSG. */
static inline ssize_t vmsi_spsc_peek(const struct vmsi_spsc *spsc,
				     struct vmsi_spsc_reader *reader,
				     struct vms_ring_record *records, size_t most)
{
	reader->peeked = reader->head;
	reader->records = reader->bytes = 0;
	return vmsi_spsc_show_more(spsc, reader, records, most);
}

/* Count what of the shown records lies before end: 0; -EINVAL: they do not end there. */
static inline int vmsi_spsc_count(const struct vmsi_spsc *spsc,
				  const struct vmsi_spsc_reader *reader, uint64_t end,
				  uint64_t *records, uint64_t *bytes)
{
	uint64_t position = reader->head, length;

	for (*records = *bytes = 0; position != end; ++*records) {
		const uint64_t header =
			vmsi_ring_load_relaxed(vmsi_spsc_header(spsc, position));

		if (!vmsi_spsc_length(header, position, end, &length))
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
