/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_JOURNAL_INSIDE_H
#define VMSI_FILE_JOURNAL_INSIDE_H

#include "file/journal.h"
#include "file/journal_format.h"

/*
 * What the files of the journal share; for them alone.
 *
 * The buffer has the head of a record in its first part, right up to where the
 * second one begins, and images in the second: so a small record is written at once.
 */
#define VMSI_JOURNAL_BUFFER_BYTES ((size_t)256 << 10)
#define VMSI_JOURNAL_IMAGES_BYTES (VMSI_JOURNAL_BUFFER_BYTES - VMSI_HEAD_BYTES)

static inline char *vmsi_journal_images(const struct vmsi_journal *journal)
{
	return journal->buffer + VMSI_HEAD_BYTES;
}

/* How many images the buffer has room for. */
static inline size_t vmsi_journal_images_most(const struct vmsi_journal *journal)
{
	return VMSI_JOURNAL_IMAGES_BYTES / journal->block;
}

/* Where the first record is. */
static inline uint64_t vmsi_journal_first(const struct vmsi_journal *journal)
{
	return journal->block;
}

/* --- journal_file.c --------------------------------------------------------------- */

struct stat;

static inline uint64_t vmsi_whole_blocks(const struct vmsi_journal *journal,
					 uint64_t bytes)
{
	return bytes / journal->block * journal->block;
}

/*
 * Open the journal's file, or make it (*is_new), and lock it, where it is to be written.
 * Returns 0 or -errno; -EBUSY and -EBADMSG with a problem.
 */
int vmsi_journal_file_open(struct vmsi_journal *journal, const struct stat *home,
			   bool *is_new, const char **problem);

/* Only that it is opened. */
int vmsi_journal_file_open_existing(struct vmsi_journal *journal);

/* How long it is, by its status. */
void vmsi_journal_file_length(struct vmsi_journal *journal,
			      const struct stat *status);

/* Remove its name; what has taken its place meanwhile stays. */
int vmsi_journal_file_remove(const struct vmsi_journal *journal);

/* --- journal_identity.c ----------------------------------------------------------- */

/*
 * What the home file is known by. Writes identity, has_attribute, attribute_epoch and
 * attribute_in_use.
 */
int vmsi_identity_read(struct vmsi_journal *journal, const char **problem);

/*
 * Give the home file an attribute with a new identity, and make it durable. Where the
 * file system keeps none, nothing changes and 0 is returned.
 */
int vmsi_identity_make(struct vmsi_journal *journal);

/* Let the attribute have the epoch of the journal; not durable by itself. */
int vmsi_identity_set_epoch(struct vmsi_journal *journal);

/*
 * The same, and that the file is in use, durably: its journal belongs to it from now on,
 * and without it the file is refused. Before it is closed, its end of use is said, too;
 * that is durable by the caller's next fsync. Where it cannot be closed after all, the
 * use goes on.
 */
int vmsi_identity_begin_use(struct vmsi_journal *journal);
int vmsi_identity_end_use(struct vmsi_journal *journal);
void vmsi_identity_keep_use(struct vmsi_journal *journal);

/*
 * Whether a journal is of this file, and of now. header: NULL where it has none.
 * Returns 0, or -ESTALE with a problem.
 */
int vmsi_identity_check(const struct vmsi_journal *journal,
			const struct vmsi_header *header, bool has_commits,
			const char **problem);

/* --- journal_header.c ------------------------------------------------------------- */

/*
 * Read the header that counts. Writes block, slot, epoch, salt and chain, and what is
 * in the header to found; *state: ABSENT or VALID. -EBADMSG with a problem else.
 */
int vmsi_header_read(struct vmsi_journal *journal, struct vmsi_header *found,
		     enum vmsi_header_state *state, const char **problem);

/*
 * Begin the next epoch: write a header of it and make it durable; the journal is
 * empty then. -errno: the old header counts as before.
 */
int vmsi_header_renew(struct vmsi_journal *journal);

/*
 * Write zeros where a header was written that did not come to count, if there may be
 * one. No commit may be acknowledged before a sync has made them durable: that header
 * would hide the commit.
 */
int vmsi_header_settle(struct vmsi_journal *journal);

/*
 * The same, and make it durable. Records that the home file has are not written into it
 * again before that: a machine that stops there and finds the other header would not
 * write them to the end.
 */
int vmsi_header_settle_durably(struct vmsi_journal *journal);

/* --- journal_room.c ---------------------------------------------------------------- */

/*
 * Give the file blocks up to an end, and some ahead where the disk has them. Those from
 * zeros_from on are written; the caller writes what is before. Returns 0 or -errno.
 */
int vmsi_journal_allocate(struct vmsi_journal *journal, uint64_t end,
			  uint64_t zeros_from);

/*
 * Write a part of the journal once more, for the next sync. After one that has failed,
 * in this process or in one before, the kernel has pages that the disk has not, and
 * takes them for written. Returns 0 or -errno.
 */
int vmsi_journal_write_again(struct vmsi_journal *journal, uint64_t from,
			     uint64_t end);

/* --- journal_walk.c ---------------------------------------------------------------- */

/* A walk over the records, one behind the other. */
struct vmsi_walk {
	const struct vmsi_journal *journal;
	uint64_t end;          /* nothing is read from here on */
	uint64_t next;         /* where the next record begins */
	uint64_t chain;        /* check of the head before it */
	uint64_t images;       /* where the images of this record begin */
};

/* The head where a walk is, with its entries: in the journal's buffer. */
static inline struct vmsi_head *vmsi_walk_head(const struct vmsi_walk *walk)
{
	return (struct vmsi_head *)walk->journal->buffer;
}

/* Go to the next record. 1: its head is whole; 0: there is none; -errno. */
int vmsi_walk_next(struct vmsi_walk *walk);

/*
 * Read the images of the record and compare their checksums; call visit (NULL: none)
 * for each run of pages that follow each other. 0, or what visit has returned if that
 * is not 0; 1: an image is not what was written; -errno.
 */
typedef int vmsi_visit_run(void *context, uint64_t page, const char *bytes,
			   size_t pages);
int vmsi_walk_images(const struct vmsi_walk *walk, vmsi_visit_run *visit,
		     void *context);

/*
 * Go over the records of the next commit, and tell its sizes. *at stays where the
 * first of them begins, so that they can be walked again; their end is *end. 1: there
 * is a commit; 0: none; -errno. The images are not looked at.
 */
int vmsi_walk_commit(struct vmsi_walk at, uint64_t *end,
		     struct vmsi_sizes *sizes);

/*
 * Whether a head lies behind a place that says that the journal was durable beyond
 * it: 1, 0, or -errno.
 */
int vmsi_walk_has_durable_behind(const struct vmsi_journal *journal,
				 uint64_t place);

/* Whether it has anything but zeros: 1, 0, or -errno. */
int vmsi_walk_has_bytes(const struct vmsi_journal *journal);

/*
 * Whether the first record is whole, but of an epoch after the header's (of any, where
 * there is no header): 1, 0, or -errno.
 */
int vmsi_walk_begins_later(const struct vmsi_journal *journal, uint64_t epoch);

/* --- journal_home.c ---------------------------------------------------------------- */

/* Write all commits from applied_end on into the home file, whose size is asked for. */
int vmsi_home_apply(struct vmsi_journal *journal);

/* --- journal_again.c --------------------------------------------------------------- */

/*
 * Write all that the home file has by the records up to applied_end once more. At no
 * instant it has anything else.
 */
int vmsi_home_write_again(struct vmsi_journal *journal);

/* --- journal_recover.c ------------------------------------------------------------- */

/*
 * Check all records and set end, chain, sequence and sizes to those of the latest
 * commit. Nothing is written. 0; -EBADMSG with a problem; -errno.
 */
int vmsi_journal_scan(struct vmsi_journal *journal, const char **problem);

#endif
