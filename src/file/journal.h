/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_JOURNAL_H
#define VMSI_FILE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/align.h"

/*
 * The journal of an atomic file: a file beside it (the home file) that has each
 * commit before the home file gets a byte of it.
 *
 *   block 0    the header: whose journal it is, its epoch, its salt. It has two
 *              places, at the beginning of the block and in its middle; a new one is
 *              written where the latest is not, and the one of the later epoch counts
 *   block 1..  records, one behind the other
 *
 * A block is as large as a page of the machine that made the journal; a journal of
 * other pages is refused.
 *
 * A record is blocks of a head, with an entry for each page (its number and the
 * checksum of its image), and then the images, each a block at an offset of whole
 * blocks, so that it can be mapped. There are two kinds of records:
 *
 *   SPILL   images of a commit that is still being made
 *   COMMIT  the last images of a commit
 *
 * Each has the sizes of the file: the smallest that it had since the record before, and
 * the one that it had when the record was written.
 *
 * A commit is its COMMIT record and the SPILL records of the same sequence number
 * before it; the latest image of a page counts. Each head has the checksum of the
 * head before it (of the header, for the first), the salt, its sequence number and
 * its own offset, so a record is valid only behind the one that it was written
 * behind. A checksum is XXH3 of 64 bits, seeded with the salt. Each attempt to make a
 * commit has a sequence number of its own. A write of more images than one head
 * describes becomes several records, of which the last is of the kind asked for.
 *
 * States of the records, and what makes the edges:
 *
 *   written --vmsi_journal_sync--> durable --home--> applied --checkpoint--> gone
 *      |                              |
 *      +--- crash: torn, so the       +--- crash: recovery writes it home
 *           commit never was
 *
 * A checkpoint makes the home file durable, and then the journal empty by a new
 * header: another salt, the next epoch. Only then the same blocks are written again.
 *
 * A commit is applied record by record: the home file is zeros from the record's
 * smallest size on, is as long as its size, and gets its images, as far as they lie in
 * that. The home file is never cut to less than it has in the end: ftruncate(2) takes
 * private copies of what is cut off from every mapping of the file, and a journal may
 * be applied again when pages behind a former end have been written anew.
 *
 * Whose journal it is: the home file has the attribute "user.vmspace" with a random
 * identity, the epoch, and whether it is in use, where its file system keeps such; else
 * its inode number and the time of its birth are the identity. The header has identity
 * and epoch, too. The attribute gets an epoch only once the header has it on disk, and
 * has it on disk itself before the header gets the next. So of a file in use the
 * header's epoch is the attribute's or the next, and of one that is being closed it is
 * the attribute's. All else is refused with -ESTALE, and nothing is written: a file
 * that was put back from a copy, a journal of another file or of an earlier time; and
 * a file that is in use, without a journal: it was renamed, linked or copied, or its
 * journal was removed.
 *
 * Each head tells, too, up to where the journal was durable when the head was written.
 * A chain that ends before that was damaged after it was written: -EBADMSG. (A torn
 * tail is no damage: the machine has stopped there. So are heads of attempts that were
 * taken back, which may lie behind the end.)
 *
 * Not thread-safe: the one who commits has it, by a lock of atomic.h.
 */

enum vmsi_record_kind { VMSI_RECORD_SPILL = 1, VMSI_RECORD_COMMIT = 2 };

/* A page of the home file, and what is to be in it. */
struct vmsi_image {
	uint64_t page;         /* its number in the home file */
	const void *bytes;     /* a page; stays as it is during the call */
};

struct vmsi_sizes {
	uint64_t smallest;     /* since the record before, in bytes */
	uint64_t size;         /* now */
};

/* What a journal is asked for when it is opened. */
enum vmsi_journal_mode {
	VMSI_JOURNAL_WRITE,    /* make it where there is none; recover */
	VMSI_JOURNAL_READ,     /* write nothing; vmsi_journal_each_page tells what
				  the home file has not */
};

struct vmsi_journal {
	int fd;                /* -1: there is none, and it is only read */
	int home;              /* the home file's; the caller's */
	dev_t device;          /* what fd is of, while the program leaves it alone; */
	ino_t inode;           /* 0: not known yet */
	const char *path;      /* the caller's, for as long as the journal is open */
	size_t block;          /* bytes */
	uint8_t identity[16];
	uint64_t epoch;
	uint64_t salt;
	uint64_t chain;        /* checksum of the latest head of the committed records */
	uint64_t end;          /* of the committed records, in bytes */
	uint64_t sequence;     /* of the commit that is being made */
	uint64_t next_chain;   /* the same with the records of this commit */
	uint64_t next_end;
	uint64_t allocated;    /* bytes of the journal that have their blocks on disk */
	uint64_t length;       /* of its file; what is behind `allocated` is a hole */
	uint64_t applied_end;  /* up to here the home file has the records; read mode:
				  vmsi_journal_each_page has visited them */
	uint64_t applied_chain;
	uint64_t first_chain;  /* checksum of the header */
	struct vmsi_sizes sizes; /* of the latest commit */
	uint64_t smallest;     /* of the commits that were found when it was opened */
	struct vmsi_sizes next_sizes; /* of the COMMIT record that was written */
	uint64_t latest_start; /* where its records begin */
	uint64_t durable;      /* read beside a writer that says that its commits end
				  here, in bytes; 0: nobody says */
	uint64_t home_size;    /* bytes, as the journal has left it */
	uint64_t attribute_epoch; /* that the home file keeps */
	char *buffer;          /* records are put together here */
	uint64_t limit;        /* bytes: a checkpoint is due; the file is cut to it */
	unsigned slot;         /* where in block 0 the header is: 0 or 1 */
	bool has_attribute;    /* the home file keeps identity and epoch */
	bool home_behind;      /* a durable commit could not be written home */
	bool home_doubtful;    /* it could not be made durable: what is applied is to be
				  written again */
	bool has_commit_record; /* written, and not synced */
	bool is_doubtful;      /* a sync has failed, and records of this commit stay */
	bool is_unsettled;     /* behind the committed records, the disk may have a
				  COMMIT record whose commit has failed */
	bool has_spilled;      /* the commit that is being made has SPILL records */
	bool latest_has_spilled; /* the latest commit has */
	bool is_read_only;
	bool is_recovering;    /* it is being opened */
	bool attribute_in_use; /* as the home file says */
	bool has_begun_use;    /* this opening says so */
	bool other_slot_unknown; /* a header that did not come to count may be there */
};

/* Whether a checkpoint is due. */
static inline bool vmsi_journal_is_full(const struct vmsi_journal *journal)
{
	return journal->end >= journal->limit;
}

/*
 * Open the journal of a home file. problem: set to a sentence that says why, where
 * it returns -EBADMSG or -ESTALE: then nothing was written. On any failure nothing is
 * open; where writing into the home file has failed, the journal has all of it still,
 * and the next call begins anew. Write mode has applied all commits to the home file,
 * made it durable, and emptied the journal, when it returns 0. -EINVAL: the path is
 * the home file's own.
 */
int vmsi_journal_open(struct vmsi_journal *journal, int home, const char *path,
		      enum vmsi_journal_mode mode, const char **problem);

/*
 * Open it to be read beside a writer that lives, who says that its commits end at durable
 * and changes nothing before that; -EBADMSG: they are not there. What lies behind is not
 * looked at. VMSI_JOURNAL_NOTHING: none of them is asked for; the writer may change all.
 */
#define VMSI_JOURNAL_NOTHING 1u
int vmsi_journal_open_beside(struct vmsi_journal *journal, int home, const char *path,
			     uint64_t durable, const char **problem);

/*
 * Make the home file durable and the journal empty, if it is not, take its file away
 * and close it. Returns 0, or -errno: the file stays, for recovery; it is closed.
 */
int vmsi_journal_close(struct vmsi_journal *journal);

/* Whether its descriptor's number is another file's now. */
bool vmsi_journal_is_anothers(const struct vmsi_journal *journal);

/* -EBADF: the program has closed its descriptor, be its number another file's now. */
int vmsi_journal_check_descriptor(const struct vmsi_journal *journal);

/* Close it as it is: nothing is written, as if the process had ended. */
void vmsi_journal_abandon(struct vmsi_journal *journal);

/*
 * Write a record behind those there are; it is part of no commit before
 * vmsi_journal_sync has returned 0 after a COMMIT record. offsets: where the images
 * lie in the journal, one for each; NULL: not wanted. Pages lie below sizes.size.
 * Returns 0, or -errno: as if the call had not been made; -EBUSY behind a COMMIT record
 * that is not synced; -EINVAL: such pages or sizes cannot be.
 */
int vmsi_journal_write(struct vmsi_journal *journal, enum vmsi_record_kind kind,
		       struct vmsi_sizes sizes, const struct vmsi_image *images,
		       size_t count, uint64_t *offsets);

/*
 * One fdatasync: the records written become a commit, and the next sequence begins.
 * After -errno it is not known what is on disk. The records stay; those that the caller
 * does not take back are written again before the next fdatasync. -EIO where they are
 * not what was written any more.
 */
int vmsi_journal_sync(struct vmsi_journal *journal);

/* The records written so far, to which those that follow can be taken back. */
struct vmsi_journal_mark {
	uint64_t end, chain;
	bool has_spilled;
};
struct vmsi_journal_mark vmsi_journal_mark(const struct vmsi_journal *journal);

/* Take back the records written since a mark of this commit. */
void vmsi_journal_take_back(struct vmsi_journal *journal,
			    struct vmsi_journal_mark mark);

/* Take back all records of the commit that is being made. */
void vmsi_journal_discard(struct vmsi_journal *journal);

/*
 * Write the latest commit into the home file (no sync): its size, the spilled images,
 * and images, which are those of its COMMIT record. Where that fails, home_behind is
 * set, and vmsi_journal_catch_up tries all that the home file has not, again.
 */
int vmsi_journal_write_home(struct vmsi_journal *journal,
			    const struct vmsi_image *images, size_t count);
int vmsi_journal_catch_up(struct vmsi_journal *journal);

/*
 * -ENXIO: somebody else has made the home file shorter than the journal has left it.
 * Pages that the journal does not have are lost then, so nothing is committed behind
 * that, and the journal keeps what it has.
 */
int vmsi_journal_check_home(const struct vmsi_journal *journal);

/*
 * Make the home file durable and the journal empty. Returns 0 or -errno; -EBUSY: the
 * journal has records of a commit that is still being made.
 */
int vmsi_journal_checkpoint(struct vmsi_journal *journal);

/*
 * In read mode: whether there may be other commits than when it was opened, as far as the
 * writer does not say. is_frozen: nobody was there then who could add any without a new
 * header. 1, 0 or -errno.
 */
int vmsi_journal_has_changed(const struct vmsi_journal *journal, bool is_frozen);

/*
 * Beside a writer that lives: go on to where it says now that its commits end, which is
 * behind where it was before. 1: those between are to be visited; 0: it has begun another
 * epoch meanwhile, or they are not there: open the journal anew; or -errno.
 */
int vmsi_journal_go_on(struct vmsi_journal *journal, uint64_t durable);

/*
 * Call visit for each page image of the commits in the journal, in their order; used
 * in read mode, and once for each. Before the images of a record it is called with image.bytes NULL, to
 * tell the sizes: what lies from sizes.smallest on is cut off there, and zeros follow.
 * What of an image lies beyond sizes.size does not count. The bytes hold during the
 * call. Returns 0; what visit returned if that is not 0, or -errno: all of this call are
 * to be visited still.
 */
int vmsi_journal_each_page(struct vmsi_journal *journal,
			   int (*visit)(void *context, struct vmsi_image image,
					struct vmsi_sizes sizes),
			   void *context);

#endif
