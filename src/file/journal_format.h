/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_JOURNAL_FORMAT_H
#define VMSI_FILE_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file/journal.h"

/*
 * The bytes of a journal: what encodes and decodes them, without system calls. Numbers
 * are in the byte order of the machine; on one of the other order the magic numbers do
 * not fit, and the journal is refused.
 */

/* XXH3, 64 bits. */
uint64_t vmsi_journal_sum(const void *bytes, size_t length, uint64_t seed);

/* --- the header ----------------------------------------------------------------- */

struct vmsi_header {
	uint64_t magic;
	uint64_t check;        /* of what follows, seeded with the salt */
	uint32_t version;
	uint32_t block;
	uint8_t identity[16];
	uint64_t epoch;
	uint64_t salt;
};

/* Fill in magic, version and check. */
void vmsi_header_finish(struct vmsi_header *header);

/* The last epoch: the one that counts has the greatest number. Nobody comes so far. */
#define VMSI_EPOCH_MOST (UINT64_MAX / 2)

enum vmsi_header_state {
	VMSI_HEADER_ABSENT,      /* zeros: never written */
	VMSI_HEADER_VALID,
	VMSI_HEADER_OTHER_VERSION,
	VMSI_HEADER_BROKEN,      /* no header, or a torn one */
};
enum vmsi_header_state vmsi_header_state(const struct vmsi_header *header);

/* Where in the journal a header lies; slot: 0 or 1. Its sectors are its own. */
static inline uint64_t vmsi_header_offset(unsigned slot, size_t block)
{
	return slot * (uint64_t)(block / 2);
}

/* --- records ---------------------------------------------------------------------- */

/* The first bytes of a record; an entry for each image follows. */
struct vmsi_head {
	uint64_t magic;
	uint64_t check;        /* of what follows and the entries, seeded with the salt */
	uint64_t salt;
	uint64_t epoch;
	uint64_t sequence;
	uint64_t offset;       /* its own, in the journal */
	uint64_t previous;     /* check of the head before it, or of the header */
	uint64_t committed;    /* the journal was durable up to here */
	uint64_t smallest;     /* struct vmsi_sizes */
	uint64_t size;
	uint32_t kind;         /* enum vmsi_record_kind */
	uint32_t count;        /* of entries */
};

struct vmsi_entry {
	uint64_t page;
	uint64_t check;        /* of the image, seeded with the salt */
};

/* A head with its entries is at most so long, so that it fits into the buffer. */
#define VMSI_HEAD_BYTES ((size_t)64 << 10)
#define VMSI_ENTRIES_MOST \
	((VMSI_HEAD_BYTES - sizeof(struct vmsi_head)) / sizeof(struct vmsi_entry))

static inline struct vmsi_entry *vmsi_head_entries(struct vmsi_head *head)
{
	return (struct vmsi_entry *)(head + 1);
}

/* Bytes of the head's blocks. */
size_t vmsi_head_bytes(size_t count, size_t block);

/* Bytes of all of a record. */
uint64_t vmsi_record_bytes(size_t count, size_t block);

/* Fill in magic and check; the entries are there. */
void vmsi_head_finish(struct vmsi_head *head);

/*
 * Whether the fixed part of a head says that it was written at an offset in an epoch,
 * and how many entries it has is possible. Its check is not looked at.
 */
bool vmsi_head_is_of(const struct vmsi_head *head, uint64_t salt,
		     uint64_t offset);

/* Whether a head with all its entries is as it was written. */
bool vmsi_head_is_whole(struct vmsi_head *head);

/*
 * What is impossible in a head that is whole: a sentence, or NULL. Nobody but a forger
 * can write such a one.
 */
const char *vmsi_head_problem(struct vmsi_head *head, size_t block);

/* --- the attribute of the home file --------------------------------------------------- */

struct vmsi_attribute {
	uint64_t magic;
	uint64_t check;
	uint8_t identity[16];
	uint64_t epoch;
	uint64_t is_in_use;    /* 1: a writer has it open, or did not close it */
};

void vmsi_attribute_finish(struct vmsi_attribute *attribute);
bool vmsi_attribute_is_whole(const struct vmsi_attribute *attribute);

#endif
