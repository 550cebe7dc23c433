/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_MPSC_H
#define VMSI_RING_MPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/ring.h>

#include "ring/layout.h"

/*
 * The protocol of many producers and one consumer.
 *
 * For each place at which a record may start there is a cell, a word that is never a part
 * of a record. What a cell says of a position P at its place:
 *
 *               claim             commit
 *   FREE(x < P) -----> CLAIMED ----------> COMMITTED --+
 *                         |      abort                 | release
 *                         +--------------> ABORTED ----+--------> FREE(P)
 *                         |   owner died               |
 *                         +--------------> SKIPPED ----+
 *
 * A claim is one exchange: that of the cell at the tail, from free to claimed by whom and
 * how long. So there is no instant at which room is taken and nobody knows by whom, or how
 * far it reaches. Moving the tail behind it is left to whoever comes next: the producer
 * itself, or another one that finds a cell at the tail that is not free.
 *
 * A producer that was stopped for long cannot claim by what it has read before: the cell
 * at P has FREE(x < P) until P is claimed, and never again, since x is a position and only
 * grows. So where the exchange succeeds, nobody has claimed P, and the tail, which moves
 * behind P by its cell only, is still there. Room that was free stays free, as the head
 * only grows.
 *
 * The consumer looks at the cell at the head, and needs no tail. It frees the cells of
 * what it releases before it moves the head, since behind the head they are taken for
 * claims of the next round. releasing is stored before that: where a consumer has died
 * between, the next one frees what is left up to there.
 */

/* A word of a cell, by its lowest bits. */
enum vmsi_cell_state {
	VMSI_CELL_FREE = 0,      /* the whole word is a position, a multiple of 8 */
	VMSI_CELL_CLAIMED = 1,   /* length, owner */
	VMSI_CELL_COMMITTED = 2, /* length, places */
	VMSI_CELL_ABORTED = 3,   /* places */
	VMSI_CELL_SKIPPED = 4,   /* places */
};

#define VMSI_CELL_STATE_BITS 3
#define VMSI_CELL_LENGTH_SHIFT 32

/* An owner is a slot and its generation. */
#define VMSI_OWNER_SLOT_BITS 7
#define VMSI_OWNER_BITS 29
#define VMSI_OWNER_MASK (((uint32_t)1 << VMSI_OWNER_BITS) - 1)

struct vmsi_mpsc {
	struct vmsi_ring_control *control;
	_Atomic uint64_t *cells;
	char *data;
	uint64_t capacity;     /* bytes, a power of two */
	unsigned shift;        /* of a place */
	/* Whether an owner may still commit. */
	bool (*is_alive)(const struct vmsi_mpsc *mpsc, uint32_t owner);
};

/* What a consumer has of its own. */
struct vmsi_mpsc_reader {
	uint64_t head;
	uint64_t peeked;       /* the end of the records that were shown */
	uint64_t skipped;
	uint64_t aborted;
	unsigned polls;        /* that found the same claim at the head */
};

/* The places that a record of a length takes. */
static inline uint64_t vmsi_mpsc_places(const struct vmsi_mpsc *mpsc, uint64_t length)
{
	const uint64_t places = (length + ((uint64_t)1 << mpsc->shift) - 1) >>
		mpsc->shift;

	return places ? places : 1;
}

/*
 * Claim length bytes, which fit into the ring when it is empty, for an owner. head is what
 * the producers of a process know of the consumer's. Returns 0 and the position; -EAGAIN:
 * there is no room; -EBADMSG.
 */
int vmsi_mpsc_claim(const struct vmsi_mpsc *mpsc, _Atomic uint64_t *head,
		    uint32_t owner, uint64_t length, uint64_t *position);

/*
 * End the claim at an offset of the data. state: VMSI_CELL_COMMITTED or _ABORTED. Returns
 * 0; -EINVAL: there is no claim of the owner, or of less than length bytes.
 */
int vmsi_mpsc_end_claim(const struct vmsi_mpsc *mpsc, uint64_t offset, uint32_t owner,
			enum vmsi_cell_state state, uint64_t length);

/*
 * Begin as the consumer, after another one that may have died. Returns 0 or -EBADMSG.
 */
int vmsi_mpsc_begin_reading(const struct vmsi_mpsc *mpsc,
			    struct vmsi_mpsc_reader *reader);

/* How much is done about a claim that is not committed. */
enum vmsi_mpsc_patience {
	VMSI_MPSC_POLLS,   /* ask now and then whether its owner lives */
	VMSI_MPSC_WAITS,   /* ask now */
};

/*
 * Show up to most records from the head on. What was aborted or is skipped before the
 * first one is released. Returns how many, or -EBADMSG.
 */
ssize_t vmsi_mpsc_peek(const struct vmsi_mpsc *mpsc, struct vmsi_mpsc_reader *reader,
		       enum vmsi_mpsc_patience patience,
		       struct vms_ring_record *records, size_t most);

/* Whether a record, or what was one, that peek has shown ends there. */
bool vmsi_mpsc_is_end(const struct vmsi_mpsc *mpsc,
		      const struct vmsi_mpsc_reader *reader, uint64_t end);

/*
 * Release what lies before end, a boundary that peek has shown. records, bytes: of what is
 * released. Returns 0 or -EBADMSG.
 */
int vmsi_mpsc_release(const struct vmsi_mpsc *mpsc, struct vmsi_mpsc_reader *reader,
		      uint64_t end, uint64_t *records, uint64_t *bytes);

#endif
