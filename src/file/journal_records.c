/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "file/journal_inside.h"
#include "host/disk.h"
#include "host/host.h"

/* Writing records, making them a commit, and taking them back. */

/* --- one record ------------------------------------------------------------------------ */

/* Where a record goes, and what it is. */
struct record {
	enum vmsi_record_kind kind;
	struct vmsi_sizes sizes;
	const struct vmsi_image *images;
	size_t count;
	size_t head_bytes;
};

/*
 * Copy an image. What of the last page lies beyond the end of the file is no content, and
 * becomes zeros: the file may be longer by the end of the commit.
 */
static void copy_image(const struct vmsi_journal *journal,
		       const struct record *record,
		       const struct vmsi_image *image, char *to)
{
	const uint64_t size = record->sizes.size;
	const size_t rest = size % journal->block;

	memcpy(to, image->bytes, journal->block);
	if (rest && image->page == size / journal->block)
		memset(to + rest, 0, journal->block - rest);
}

static uint64_t image_check(const struct vmsi_journal *journal,
			    const struct record *record,
			    const struct vmsi_image *image)
{
	const void *bytes = image->bytes;

	if (image->page == record->sizes.size / journal->block) {
		copy_image(journal, record, image, vmsi_journal_images(journal));
		bytes = vmsi_journal_images(journal);
	}
	return vmsi_journal_sum(bytes, journal->block, journal->salt);
}

/* Put the head together, so that it ends where the images begin in the buffer. */
static struct vmsi_head *make_head(const struct vmsi_journal *journal,
				   const struct record *record)
{
	char *at = vmsi_journal_images(journal) - record->head_bytes;
	struct vmsi_head *head = (struct vmsi_head *)at;
	struct vmsi_entry *entry = vmsi_head_entries(head);

	memset(at, 0, record->head_bytes);
	*head = (struct vmsi_head){ .salt = journal->salt,
				    .epoch = journal->epoch,
				    .sequence = journal->sequence,
				    .offset = journal->next_end,
				    .previous = journal->next_chain,
				    .committed = journal->end,
				    .smallest = record->sizes.smallest,
				    .size = record->sizes.size,
				    .kind = record->kind,
				    .count = (uint32_t)record->count };
	for (size_t i = 0; i < record->count; i++)
		entry[i] = (struct vmsi_entry){
			record->images[i].page,
			image_check(journal, record, &record->images[i])
		};
	vmsi_head_finish(head);
	return head;
}

/* Write a head and its images, as many at once as the buffer has room for. */
static int write_gathered(struct vmsi_journal *journal,
			  const struct record *record)
{
	const size_t most = vmsi_journal_images_most(journal);
	const struct vmsi_image *image = record->images;
	char *from = vmsi_journal_images(journal) - record->head_bytes;
	uint64_t offset = journal->next_end;
	size_t left = record->count;
	int error = 0;

	do {
		const size_t count = vmsi_min(left, most);
		char *to = vmsi_journal_images(journal);

		for (size_t i = 0; i < count; i++, to += journal->block)
			copy_image(journal, record, &image[i], to);
		error = vmsi_disk_write(journal->fd, from, (size_t)(to - from),
					offset);
		offset += (uint64_t)(to - from);
		from = vmsi_journal_images(journal);
		image += count;
		left -= count;
	} while (left > 0 && !error);
	return error;
}

static int write_record(struct vmsi_journal *journal, const struct record *record)
{
	const uint64_t end = journal->next_end +
		vmsi_record_bytes(record->count, journal->block);
	uint64_t check;
	int error = vmsi_journal_allocate(journal, end, end);

	if (error)
		return error;
	check = make_head(journal, record)->check;
	error = write_gathered(journal, record);
	if (error)
		return error;
	journal->next_end = end;
	journal->next_chain = check;
	return 0;
}

static void tell_offsets(const struct vmsi_journal *journal, size_t count,
			 uint64_t *offsets)
{
	const uint64_t end = journal->next_end;

	for (size_t i = 0; i < count && offsets; i++)
		offsets[i] = end - (count - i) * (uint64_t)journal->block;
}

/* --- the calls --------------------------------------------------------------------------- */

/*
 * As many records as it takes: all but the last are SPILL. Only the first one cuts the
 * file, since the cut of a later one would take the images before it away. *sizes: those
 * of the last one.
 */
static int write_all(struct vmsi_journal *journal, struct record record,
		     size_t left, uint64_t *offsets, struct vmsi_sizes *sizes)
{
	const enum vmsi_record_kind kind = record.kind;
	int error;

	do {
		record.count = vmsi_min(left, VMSI_ENTRIES_MOST);
		left -= record.count;
		record.kind = left > 0 ? VMSI_RECORD_SPILL : kind;
		record.head_bytes = vmsi_head_bytes(record.count, journal->block);
		error = write_record(journal, &record);
		if (error)
			return error;
		tell_offsets(journal, record.count, offsets);
		*sizes = record.sizes;
		record.sizes.smallest = record.sizes.size;
		record.images += record.count;
		offsets = offsets ? offsets + record.count : NULL;
	} while (left > 0);
	return 0;
}

static bool lie_below(const struct vmsi_image *image, size_t count, uint64_t size,
		      size_t block)
{
	const uint64_t pages = size / block + (size % block != 0);

	for (size_t i = 0; i < count; i++)
		if (image[i].page >= pages)
			return false;
	return true;
}

/*
 * The head of a COMMIT record that did not come to be, or of the first record before it,
 * is written over. That is not durable, and may fail: the next commit settles it.
 */
static void erase_head(struct vmsi_journal *journal, uint64_t offset)
{
	memset(journal->buffer, 0, journal->block);
	(void)vmsi_disk_write(journal->fd, journal->buffer, journal->block,
			      offset);
}

/* A write that fails may have written all that makes a record valid. */
static void forget_written(struct vmsi_journal *journal,
			   enum vmsi_record_kind kind, uint64_t end,
			   uint64_t chain)
{
	journal->next_end = end;
	journal->next_chain = chain;
	if (kind != VMSI_RECORD_COMMIT || end >= journal->allocated)
		return;
	journal->is_unsettled = true;
	erase_head(journal, end);
}

int vmsi_journal_write(struct vmsi_journal *journal, enum vmsi_record_kind kind,
		       struct vmsi_sizes sizes, const struct vmsi_image *images,
		       size_t count, uint64_t *offsets)
{
	const struct record record = { .kind = kind, .sizes = sizes,
				       .images = images };
	const uint64_t end = journal->next_end, chain = journal->next_chain;
	int error;

	if (journal->is_read_only)
		return -EBADF;
	if (journal->has_commit_record)
		return -EBUSY;
	/* Recovery takes such a record for forged. */
	if (sizes.size > INT64_MAX || sizes.smallest > sizes.size ||
	    !lie_below(images, count, sizes.size, journal->block))
		return -EINVAL;
	error = vmsi_header_settle(journal);
	if (!error)
		error = write_all(journal, record, count, offsets, &sizes);
	if (error) {
		forget_written(journal, kind, end, chain);
		return error;
	}
	if (kind == VMSI_RECORD_SPILL)
		journal->has_spilled = true;
	else
		journal->has_commit_record = true;
	journal->next_sizes = sizes;
	return 0;
}

struct vmsi_journal_mark vmsi_journal_mark(const struct vmsi_journal *journal)
{
	return (struct vmsi_journal_mark){ journal->next_end, journal->next_chain,
					   journal->has_spilled };
}

void vmsi_journal_take_back(struct vmsi_journal *journal,
			    struct vmsi_journal_mark mark)
{
	if (journal->next_end == mark.end)
		return;
	erase_head(journal, mark.end);
	journal->next_end = mark.end;
	journal->next_chain = mark.chain;
	journal->has_spilled = mark.has_spilled;
	journal->is_unsettled |= journal->has_commit_record;
	journal->has_commit_record = false;
	if (mark.end != journal->end)
		return;
	/* All that a failed sync has left in doubt is gone. */
	journal->is_doubtful = false;
	journal->sequence++;
}

void vmsi_journal_discard(struct vmsi_journal *journal)
{
	vmsi_journal_take_back(journal, (struct vmsi_journal_mark){
		journal->end, journal->chain, false });
}

static void become_commit(struct vmsi_journal *journal)
{
	journal->latest_start = journal->end;
	journal->end = journal->next_end;
	journal->chain = journal->next_chain;
	journal->sizes = journal->next_sizes;
	journal->latest_has_spilled = journal->has_spilled;
	journal->has_commit_record = journal->has_spilled = false;
	journal->other_slot_unknown = journal->is_unsettled = false;
	journal->sequence++;
}

/*
 * Whether the records of this commit are as they were written. Some file systems drop
 * pages that they could not write, and read them from the disk again.
 */
static int check_records(const struct vmsi_journal *journal)
{
	struct vmsi_walk walk = { .journal = journal,
				  .end = journal->next_end,
				  .next = journal->end,
				  .chain = journal->chain };

	while (walk.next < journal->next_end) {
		int found = vmsi_walk_next(&walk);

		if (found > 0)
			found = vmsi_walk_images(&walk, NULL, NULL) == 0;
		if (found <= 0)
			return found ? found : -EIO;
	}
	return 0;
}

static int write_doubtful_again(struct vmsi_journal *journal)
{
	const int error = check_records(journal);

	return error ? error :
		vmsi_journal_write_again(journal, journal->end, journal->next_end);
}

int vmsi_journal_sync(struct vmsi_journal *journal)
{
	long error;

	if (!journal->has_commit_record)
		return journal->next_end == journal->end ? 0 : -EINVAL;
	error = journal->is_doubtful ? write_doubtful_again(journal) : 0;
	if (!error)
		error = vmsi_host.fdatasync(journal->fd);
	journal->is_doubtful = error != 0;
	if (!error)
		become_commit(journal);
	return (int)error;
}
