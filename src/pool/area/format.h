/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_AREA_FORMAT_H
#define VMSI_POOL_AREA_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The bytes of an area, in which the pages of a batch are before they are in the file:
 * what encodes and judges them, without system calls. Numbers are in the byte order of
 * the machine; on one of the other order the magic numbers do not fit.
 *
 *   | header | place 0 | place 1 | ... |
 *              | head | image | image | ... |
 *
 * Batch s is in place s modulo places. The header has a salt that is another one each
 * time the area is begun anew, and seeds all sums: so neither what an earlier run has
 * left nor what the program has in its pages is ever taken for a batch.
 */

#define VMSI_AREA_HEADER_BYTES ((size_t)4096)
#define VMSI_AREA_HEAD_BYTES ((size_t)8192)
#define VMSI_AREA_PLACES_MOST 64u

/* Pages of a batch. */
#define VMSI_AREA_BATCH_MOST 256u

/* Its bytes are within one sector, so that it is there or not. */
struct vmsi_area_header {
	uint64_t magic;
	uint64_t check;       /* of what follows */
	uint32_t version;
	uint32_t places;
	uint8_t identity[16]; /* of the file */
	uint64_t salt;
	uint64_t page_size;
	uint64_t batch_pages; /* images that a place has room for */
};

struct vmsi_area_entry {
	uint64_t page;
	uint64_t sum;         /* of the image */
};

/* Before the images of a batch. */
struct vmsi_area_head {
	uint64_t magic;
	uint64_t check;       /* of what follows, up to the last entry */
	uint64_t sequence;    /* from 1 */
	uint64_t settled;     /* batches up to this one are durable in the file */
	uint64_t count;       /* of entries */
	struct vmsi_area_entry entries[VMSI_AREA_BATCH_MOST];
};

_Static_assert(sizeof(struct vmsi_area_head) <= VMSI_AREA_HEAD_BYTES, "it has its room");

/* Fill in magic, version and check. */
void vmsi_area_header_finish(struct vmsi_area_header *header);

enum vmsi_area_state {
	VMSI_AREA_ABSENT,   /* zeros: never written */
	VMSI_AREA_FOREIGN,  /* something else */
	VMSI_AREA_DAMAGED,
	VMSI_AREA_OTHER_VERSION,
	VMSI_AREA_VALID,    /* and what it says is possible */
};
enum vmsi_area_state vmsi_area_header_state(const struct vmsi_area_header *header);

/* The bytes of a place, and of the whole area. */
uint64_t vmsi_area_place_bytes(const struct vmsi_area_header *header);
uint64_t vmsi_area_bytes(const struct vmsi_area_header *header);

/* Where a batch is. */
uint64_t vmsi_area_offset(const struct vmsi_area_header *header, uint64_t sequence);

/* The sum of the image of a page in a batch. */
uint64_t vmsi_area_sum(const struct vmsi_area_header *header, uint64_t sequence,
		       uint64_t page, const void *image);

/* Fill in magic and check; all else is there. */
void vmsi_area_head_finish(const struct vmsi_area_header *header,
			   struct vmsi_area_head *head);

/* VALID, ABSENT, or DAMAGED: what a place has. */
enum vmsi_area_state vmsi_area_head_state(const struct vmsi_area_header *header,
					  const struct vmsi_area_head *head,
					  unsigned place);

#endif
