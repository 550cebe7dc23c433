/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_BROADCAST_H
#define VMSI_RING_BROADCAST_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/ring.h>

#include "ring/layout.h"

/*
 * The protocol of one producer and many consumers, for whom it does not wait.
 *
 *   floor                                  tail
 *    | records that can be read             | the next one: up to floor + capacity
 *
 * Before the producer writes over records it moves the floor behind them. A consumer
 * looks at the floor after it has read: what lies before that may have been overwritten
 * meanwhile. Each record has a header of two words, its length and its number, so that a
 * consumer who was overtaken goes on at the floor, or at the tail where the producer is too
 * fast for that, and knows how many it has missed. The number is there before the record:
 * a commit writes that of the next one, at the new tail. It is what the next producer goes
 * on with.
 *
 * A record has at most a quarter of the ring, so that the floor does not reach the tail.
 */

#define VMSI_BROADCAST_HEADER 16u

struct vmsi_broadcast {
	struct vmsi_ring_control *control;
	char *data;
	uint64_t capacity;
};

struct vmsi_broadcast_writer {
	uint64_t tail;
	uint64_t floor;
	uint64_t number;       /* of the next record */
};

struct vmsi_broadcast_reader {
	uint64_t position;     /* of the next record */
	uint64_t number;       /* of it */
	uint64_t peeked;       /* the end of the records that were shown */
	uint64_t shown;        /* how many these are */
	uint64_t missed_records;
	uint64_t missed_bytes;
};

/* The longest record. */
uint64_t vmsi_broadcast_most(const struct vmsi_broadcast *broadcast);

/* Begin as the producer, after another one that may have died. 0 or -EBADMSG. */
int vmsi_broadcast_begin_writing(const struct vmsi_broadcast *broadcast,
				 struct vmsi_broadcast_writer *writer);

/*
 * Make room for a record of length bytes, overwriting old ones. Returns where its bytes
 * are to be written; NULL: the ring is broken.
 */
char *vmsi_broadcast_claim(const struct vmsi_broadcast *broadcast,
			   struct vmsi_broadcast_writer *writer, uint64_t length);

void vmsi_broadcast_commit(const struct vmsi_broadcast *broadcast,
			   struct vmsi_broadcast_writer *writer, uint64_t length);

enum vmsi_broadcast_begin {
	VMSI_BROADCAST_NOW,     /* with the next record that is committed */
	VMSI_BROADCAST_OLDEST,  /* with the oldest one that is there */
};

/* Begin as a consumer. Returns 0 or -EBADMSG. */
int vmsi_broadcast_begin_reading(const struct vmsi_broadcast *broadcast,
				 struct vmsi_broadcast_reader *reader,
				 enum vmsi_broadcast_begin begin);

/*
 * Show up to most records. Where some were missed, it goes on behind them and counts
 * them. Returns how many, or -EBADMSG.
 */
ssize_t vmsi_broadcast_peek(const struct vmsi_broadcast *broadcast,
			    struct vmsi_broadcast_reader *reader,
			    struct vms_ring_record *records, size_t most);

/*
 * Whether all that was shown is whole up to now: 0; -ESTALE, or -EBADMSG.
 */
int vmsi_broadcast_check(const struct vmsi_broadcast *broadcast,
			 const struct vmsi_broadcast_reader *reader);

/*
 * Go on behind what was shown, which ends at end. Returns how many records that are, or
 * -ESTALE, -EBADMSG.
 */
ssize_t vmsi_broadcast_release(const struct vmsi_broadcast *broadcast,
			       struct vmsi_broadcast_reader *reader, uint64_t end,
			       uint64_t *bytes);

/*
 * Copy bytes into, or out of, a ring whose other side may read or write the same bytes at
 * this moment: by words, none of which is torn.
 */
void vmsi_broadcast_copy_in(char *data, const void *bytes, size_t length);
void vmsi_broadcast_copy_out(void *buffer, const char *data, size_t length);

#endif
