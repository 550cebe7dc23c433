/* SPDX-License-Identifier: MIT */
#include "ring/mpsc.h"

#include <errno.h>

#include "ring/atomic.h"

/* --- cells ----------------------------------------------------------------------------- */

static enum vmsi_cell_state state_of(uint64_t cell)
{
	return (enum vmsi_cell_state)(cell & (((uint64_t)1 << VMSI_CELL_STATE_BITS) - 1));
}

static uint64_t length_of(uint64_t cell)
{
	return cell >> VMSI_CELL_LENGTH_SHIFT;
}

/* The owner of a claim, or the places of what was one. */
static uint32_t middle_of(uint64_t cell)
{
	return (uint32_t)(cell >> VMSI_CELL_STATE_BITS) & VMSI_OWNER_MASK;
}

static uint64_t make_cell(enum vmsi_cell_state state, uint64_t length, uint64_t middle)
{
	return length << VMSI_CELL_LENGTH_SHIFT | middle << VMSI_CELL_STATE_BITS | state;
}

/*
 * The bytes that a cell which is not free says are taken, with those to the next place.
 * 0: it is nonsense.
 */
static uint64_t span_of(const struct vmsi_mpsc *mpsc, uint64_t cell)
{
	uint64_t places;

	switch (state_of(cell)) {
	case VMSI_CELL_CLAIMED:
		places = vmsi_mpsc_places(mpsc, length_of(cell));
		break;
	case VMSI_CELL_COMMITTED:
	case VMSI_CELL_ABORTED:
	case VMSI_CELL_SKIPPED:
		places = middle_of(cell);
		break;
	case VMSI_CELL_FREE:
	default:
		return 0;
	}
	if (places > mpsc->capacity >> mpsc->shift ||
	    vmsi_mpsc_places(mpsc, length_of(cell)) > places)
		return 0;
	return places << mpsc->shift;
}

static _Atomic uint64_t *cell_at(const struct vmsi_mpsc *mpsc, uint64_t position)
{
	return &mpsc->cells[(position & (mpsc->capacity - 1)) >> mpsc->shift];
}

/* --- to claim ---------------------------------------------------------------------------- */

/*
 * Each try that fails is another one's success, or an attempt to keep this one busy. Who
 * has tried so often is answered that there is no room now.
 */
#define TRIES 4096

enum found {
	FOUND_ROOM,
	FOUND_FULL,
	FOUND_OLD,       /* the tail has moved meanwhile: once more */
	FOUND_NONSENSE,
};

/*
 * The head never passes the tail, and the tail never the head by more than the capacity.
 * Where it seems so, the tail that was read is an old one, or the words are nonsense.
 */
static enum found look_again(const struct vmsi_mpsc *mpsc, uint64_t tail)
{
	return vmsi_ring_load(&mpsc->control->tail) != tail ? FOUND_OLD : FOUND_NONSENSE;
}

static enum found find_room(const struct vmsi_mpsc *mpsc, _Atomic uint64_t *known_head,
			    uint64_t tail, uint64_t span)
{
	uint64_t head = atomic_load_explicit(known_head, memory_order_acquire);

	if (tail - head <= mpsc->capacity - span)
		return FOUND_ROOM;
	head = vmsi_ring_load(&mpsc->control->head);
	if (tail - head > mpsc->capacity)
		return look_again(mpsc, tail);
	atomic_store_explicit(known_head, head, memory_order_release);
	return tail - head <= mpsc->capacity - span ? FOUND_ROOM : FOUND_FULL;
}

/* Move the tail behind a claim, whosever it is; somebody else may have done it. */
static enum found move_tail(const struct vmsi_mpsc *mpsc, uint64_t tail, uint64_t cell)
{
	const uint64_t span = span_of(mpsc, cell);

	if (span == 0)
		return look_again(mpsc, tail);
	(void)vmsi_ring_swap(&mpsc->control->tail, tail, tail + span);
	return FOUND_OLD;
}

/* One try at a tail that has room behind it. */
static enum found take_cell(const struct vmsi_mpsc *mpsc, uint64_t tail, uint64_t claim)
{
	_Atomic uint64_t *cell = cell_at(mpsc, tail);
	const uint64_t seen = vmsi_ring_load(cell);

	if (state_of(seen) != VMSI_CELL_FREE)
		return move_tail(mpsc, tail, seen);
	if (seen >= tail)
		return look_again(mpsc, tail);
	if (!vmsi_ring_swap(cell, seen, claim))
		return FOUND_OLD;
	(void)move_tail(mpsc, tail, claim);
	return FOUND_ROOM;
}

int vmsi_mpsc_claim(const struct vmsi_mpsc *mpsc, _Atomic uint64_t *head,
		    uint32_t owner, uint64_t length, uint64_t *position)
{
	const uint64_t place = (uint64_t)1 << mpsc->shift;
	const uint64_t span = vmsi_mpsc_places(mpsc, length) << mpsc->shift;
	const uint64_t claim = make_cell(VMSI_CELL_CLAIMED, length, owner);

	for (unsigned tries = 0; tries < TRIES; tries++) {
		const uint64_t tail = vmsi_ring_load(&mpsc->control->tail);
		enum found found = tail % place ? FOUND_NONSENSE :
			find_room(mpsc, head, tail, span);

		if (found == FOUND_ROOM)
			found = take_cell(mpsc, tail, claim);
		if (found == FOUND_ROOM) {
			*position = tail;
			return 0;
		}
		if (found != FOUND_OLD)
			return found == FOUND_FULL ? -EAGAIN : -EBADMSG;
	}
	return -EAGAIN;
}

/*
 * Only its owner changes the cell of a claim as long as it lives, so a store suffices. A
 * peer may have changed it all the same, which spoils the record and nothing else.
 */
int vmsi_mpsc_end_claim(const struct vmsi_mpsc *mpsc, uint64_t offset, uint32_t owner,
			enum vmsi_cell_state state, uint64_t length)
{
	_Atomic uint64_t *cell = cell_at(mpsc, offset);
	const uint64_t claim = vmsi_ring_load_relaxed(cell);

	if (state_of(claim) != VMSI_CELL_CLAIMED || middle_of(claim) != owner ||
	    length > length_of(claim))
		return -EINVAL;
	vmsi_ring_store(cell, make_cell(state, length,
					vmsi_mpsc_places(mpsc, length_of(claim))));
	return 0;
}

/* --- to release ------------------------------------------------------------------------- */

bool vmsi_mpsc_is_end(const struct vmsi_mpsc *mpsc,
		      const struct vmsi_mpsc_reader *reader, uint64_t end)
{
	uint64_t position = reader->head;

	if (end == reader->peeked)
		return true;
	while (position != end) {
		const uint64_t span = span_of(
			mpsc, vmsi_ring_load_relaxed(cell_at(mpsc, position)));

		if (span == 0 || span > end - position)
			return false;
		position += span;
	}
	return true;
}

int vmsi_mpsc_release(const struct vmsi_mpsc *mpsc, struct vmsi_mpsc_reader *reader,
		      uint64_t end, uint64_t *records, uint64_t *bytes)
{
	uint64_t position = reader->head;

	vmsi_ring_store(&mpsc->control->releasing, end);
	while (position != end) {
		_Atomic uint64_t *cell = cell_at(mpsc, position);
		const uint64_t seen = vmsi_ring_load_relaxed(cell);
		const uint64_t span = span_of(mpsc, seen);

		if (span == 0 || span > end - position)
			return -EBADMSG;
		if (state_of(seen) == VMSI_CELL_COMMITTED) {
			*records += 1;
			*bytes += length_of(seen);
		}
		reader->aborted += state_of(seen) == VMSI_CELL_ABORTED;
		/* Who finds the cell free must find the tail behind it, too. */
		vmsi_ring_store(cell, position);
		position += span;
	}
	vmsi_ring_store(&mpsc->control->head, end);
	reader->head = end;
	return 0;
}

/* A cell between two records has a position from long ago, which is as free. */
int vmsi_mpsc_begin_reading(const struct vmsi_mpsc *mpsc,
			    struct vmsi_mpsc_reader *reader)
{
	const uint64_t place = (uint64_t)1 << mpsc->shift;
	const uint64_t head = vmsi_ring_load(&mpsc->control->head);
	const uint64_t releasing = vmsi_ring_load(&mpsc->control->releasing);

	if (head < mpsc->capacity || head % place || releasing % place ||
	    releasing - head > mpsc->capacity)
		return -EBADMSG;
	for (uint64_t position = head; position != releasing; position += place) {
		_Atomic uint64_t *cell = cell_at(mpsc, position);

		if (state_of(vmsi_ring_load(cell)) != VMSI_CELL_FREE)
			vmsi_ring_store_relaxed(cell, position);
	}
	vmsi_ring_store(&mpsc->control->head, releasing);
	*reader = (struct vmsi_mpsc_reader){ .head = releasing, .peeked = releasing };
	return 0;
}

/* --- to peek ------------------------------------------------------------------------------ */

/* Polls that find the same claim, until its owner is asked for, and then each so many. */
#define POLLS_FIRST 64
#define POLLS_THEN 4096

static bool is_time_to_ask(struct vmsi_mpsc_reader *reader,
			   enum vmsi_mpsc_patience patience)
{
	const unsigned polls = reader->polls++;

	return patience == VMSI_MPSC_WAITS || polls == POLLS_FIRST ||
		polls % POLLS_THEN == POLLS_THEN - 1;
}

/*
 * Skip the claim at the head, if its owner has died. It may have committed just before:
 * then the exchange fails. Or it may not have come to move the tail, which must not stay
 * before the head.
 */
static bool skip_dead(const struct vmsi_mpsc *mpsc, struct vmsi_mpsc_reader *reader,
		      enum vmsi_mpsc_patience patience, uint64_t claim)
{
	const uint64_t places = vmsi_mpsc_places(mpsc, length_of(claim));

	if (!is_time_to_ask(reader, patience) || mpsc->is_alive(mpsc, middle_of(claim)))
		return false;
	reader->polls = 0;
	(void)move_tail(mpsc, reader->head, claim);
	if (vmsi_ring_swap(cell_at(mpsc, reader->head), claim,
			   make_cell(VMSI_CELL_SKIPPED, 0, places)))
		reader->skipped++;
	return true;
}

/* What a cell at a position says, when it is looked at. */
enum shown {
	SHOWN_NOTHING,   /* and nothing behind it */
	SHOWN_AGAIN,     /* it was skipped just now */
	SHOWN_RECORD,
	SHOWN_GAP,       /* what is no record */
	SHOWN_NONSENSE,
};

static enum shown look_at(const struct vmsi_mpsc *mpsc, struct vmsi_mpsc_reader *reader,
			  enum vmsi_mpsc_patience patience, uint64_t position,
			  struct vms_ring_record *record)
{
	const uint64_t cell = vmsi_ring_load(cell_at(mpsc, position));
	uint64_t span;

	if (state_of(cell) == VMSI_CELL_FREE)
		return SHOWN_NOTHING;
	span = span_of(mpsc, cell);
	if (span == 0 || span > mpsc->capacity - (position - reader->head))
		return SHOWN_NONSENSE;
	if (state_of(cell) == VMSI_CELL_CLAIMED)
		return position == reader->head &&
			skip_dead(mpsc, reader, patience, cell) ?
			SHOWN_AGAIN : SHOWN_NOTHING;
	record->data = mpsc->data + (position & (mpsc->capacity - 1));
	record->length = length_of(cell);
	record->end = position + span;
	return state_of(cell) == VMSI_CELL_COMMITTED ? SHOWN_RECORD : SHOWN_GAP;
}

/* Show records from the head on. A gap before the first one ends that, to be released. */
static ssize_t show_from_head(const struct vmsi_mpsc *mpsc,
			      struct vmsi_mpsc_reader *reader,
			      enum vmsi_mpsc_patience patience,
			      struct vms_ring_record *records, size_t most)
{
	const uint64_t end = reader->head + mpsc->capacity;
	struct vms_ring_record next = { .end = reader->head };
	uint64_t position = reader->head;
	size_t count = 0;

	while (count < most && position != end) {
		enum shown shown = look_at(mpsc, reader, patience, position, &next);

		if (shown == SHOWN_NONSENSE)
			return -EBADMSG;
		if (shown == SHOWN_NOTHING || shown == SHOWN_AGAIN)
			break;
		position = next.end;
		if (shown == SHOWN_RECORD)
			records[count++] = next;
		else if (count == 0)
			break;
	}
	reader->peeked = position;
	return (ssize_t)count;
}

/*
 * What ended without a record at the head is released, so that its room is not lost when
 * no record follows. In one call no more than the ring can have, each of which may be
 * skipped and then released: a peer may add to it for ever.
 */
ssize_t vmsi_mpsc_peek(const struct vmsi_mpsc *mpsc, struct vmsi_mpsc_reader *reader,
		       enum vmsi_mpsc_patience patience,
		       struct vms_ring_record *records, size_t most)
{
	uint64_t left = 2 * (mpsc->capacity >> mpsc->shift);
	uint64_t none = 0;
	ssize_t count = 0;
	int error = 0;

	for (; left > 0; left--) {
		const uint64_t before = reader->skipped;

		count = show_from_head(mpsc, reader, patience, records, most);
		if (count != 0)
			break;
		if (reader->peeked != reader->head)
			error = vmsi_mpsc_release(mpsc, reader, reader->peeked, &none,
						  &none);
		else if (before == reader->skipped)
			break;
		if (error)
			return error;
	}
	if (count > 0)
		reader->polls = 0;
	return count;
}
