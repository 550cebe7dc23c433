/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "file/journal_inside.h"
#include "host/disk.h"
#include "host/host.h"

/* Reading the records of a journal. Nothing in them is believed before its check. */

/* --- heads -------------------------------------------------------------------------- */

/*
 * Read the head at an offset into the buffer: 1 if it is whole and of the epoch with
 * the salt, 0 if there is none or all of the record is not in the file.
 */
static int read_head(const struct vmsi_journal *journal, uint64_t offset,
		     uint64_t end, uint64_t salt)
{
	struct vmsi_head *head = (struct vmsi_head *)journal->buffer;
	const size_t block = journal->block;
	int error;

	if (offset > end || end - offset < block)
		return 0;
	error = vmsi_disk_read(journal->fd, head, block, offset, NULL);
	if (error)
		return error;
	if (!vmsi_head_is_of(head, salt, offset) ||
	    vmsi_record_bytes(head->count, block) > end - offset)
		return 0;
	error = vmsi_disk_read(journal->fd, (char *)head + block,
			       vmsi_head_bytes(head->count, block) - block,
			       offset + block, NULL);
	if (error)
		return error;
	/* It was read twice, and may have been changed by somebody in between. */
	return head->count <= VMSI_ENTRIES_MOST && vmsi_head_is_whole(head);
}

int vmsi_walk_next(struct vmsi_walk *walk)
{
	const struct vmsi_journal *journal = walk->journal;
	const struct vmsi_head *head = vmsi_walk_head(walk);
	const int found = read_head(journal, walk->next, walk->end,
				    journal->salt);

	if (found <= 0)
		return found;
	if (head->previous != walk->chain || head->epoch != journal->epoch)
		return 0;
	walk->images = walk->next + vmsi_head_bytes(head->count, journal->block);
	walk->next += vmsi_record_bytes(head->count, journal->block);
	walk->chain = head->check;
	return 1;
}

int vmsi_walk_commit(struct vmsi_walk at, uint64_t *end,
		     struct vmsi_sizes *sizes)
{
	const struct vmsi_head *head = vmsi_walk_head(&at);
	int found;

	do
		found = vmsi_walk_next(&at);
	while (found > 0 && head->kind == VMSI_RECORD_SPILL);
	if (found <= 0)
		return found;
	*end = at.next;
	*sizes = (struct vmsi_sizes){ head->smallest, head->size };
	return 1;
}

/* --- images ------------------------------------------------------------------------- */

/* How many of the images from one on are of pages that follow each other. */
static size_t run_length(const struct vmsi_entry *entry, size_t count)
{
	size_t length = 1;

	while (length < count && entry[length].page == entry[0].page + length)
		length++;
	return length;
}

static bool are_as_written(const struct vmsi_journal *journal,
			   const struct vmsi_entry *entry, size_t count)
{
	const char *image = vmsi_journal_images(journal);

	for (size_t i = 0; i < count; i++, image += journal->block)
		if (vmsi_journal_sum(image, journal->block, journal->salt) !=
		    entry[i].check)
			return false;
	return true;
}

static int visit_runs(const struct vmsi_journal *journal,
		      const struct vmsi_entry *entry, size_t count,
		      vmsi_visit_run *visit, void *context)
{
	const char *image = vmsi_journal_images(journal);
	int result = 0;

	while (count > 0 && result == 0) {
		const size_t pages = run_length(entry, count);

		result = visit(context, entry->page, image, pages);
		image += pages * journal->block;
		entry += pages;
		count -= pages;
	}
	return result;
}

int vmsi_walk_images(const struct vmsi_walk *walk, vmsi_visit_run *visit,
		     void *context)
{
	const struct vmsi_journal *journal = walk->journal;
	struct vmsi_head *head = vmsi_walk_head(walk);
	const struct vmsi_entry *entry = vmsi_head_entries(head);
	uint64_t offset = walk->images;
	size_t left = head->count;
	int result = 0;

	while (left > 0 && result == 0) {
		const size_t count = vmsi_min(left,
					      vmsi_journal_images_most(journal));
		const size_t bytes = count * journal->block;

		result = vmsi_disk_read(journal->fd, vmsi_journal_images(journal),
					bytes, offset, NULL);
		if (result == 0 && !are_as_written(journal, entry, count))
			return 1;
		if (result == 0 && visit)
			result = visit_runs(journal, entry, count, visit, context);
		offset += bytes;
		entry += count;
		left -= count;
	}
	return result;
}

/* --- what lies behind ----------------------------------------------------------------- */

static int is_durable_head(const struct vmsi_journal *journal, uint64_t offset,
			   uint64_t place)
{
	const struct vmsi_head *head = (const struct vmsi_head *)journal->buffer;
	const int found = read_head(journal, offset, journal->allocated,
				    journal->salt);

	return found <= 0 ? found : head->committed > place;
}

/*
 * The block of the next bytes that are in no hole, so that a file that is longer than
 * any disk is not read to its end. A file system that does not tell has no holes.
 */
static uint64_t next_written(const struct vmsi_journal *journal, uint64_t offset)
{
	const long next = vmsi_host.next_data(journal->fd, offset);

	if (next == -ENXIO)
		return journal->allocated;
	return next < 0 ? offset :
		vmsi_align_down((uint64_t)next, journal->block);
}

/* Look at each block that is in the buffer; only what looks like a head is read. */
static int look_in_chunk(const struct vmsi_journal *journal, uint64_t offset,
			 size_t bytes, uint64_t place)
{
	const char *at = vmsi_journal_images(journal);
	int found = 0;

	for (size_t i = 0; i < bytes && found == 0; i += journal->block)
		if (vmsi_head_is_of((const struct vmsi_head *)(at + i),
				    journal->salt, offset + i))
			found = is_durable_head(journal, offset + i, place);
	return found;
}

int vmsi_walk_has_durable_behind(const struct vmsi_journal *journal,
				 uint64_t place)
{
	const size_t most = vmsi_journal_images_most(journal) * journal->block;
	int found = 0;

	for (uint64_t offset = next_written(journal, place);
	     offset < journal->allocated && found == 0;
	     offset = next_written(journal, offset + most)) {
		const size_t bytes = vmsi_min(most, journal->allocated - offset);

		found = vmsi_disk_read(journal->fd, vmsi_journal_images(journal),
				       bytes, offset, NULL);
		if (found == 0)
			found = look_in_chunk(journal, offset, bytes, place);
	}
	return found;
}

int vmsi_walk_has_bytes(const struct vmsi_journal *journal)
{
	const size_t most = vmsi_journal_images_most(journal) * journal->block;
	const char *bytes = vmsi_journal_images(journal);

	for (uint64_t offset = next_written(journal, 0);
	     offset < journal->allocated;
	     offset = next_written(journal, offset + most)) {
		const size_t length = vmsi_min(most, journal->allocated - offset);
		const int error = vmsi_disk_read(journal->fd,
						 vmsi_journal_images(journal),
						 length, offset, NULL);

		if (error)
			return error;
		if (bytes[0] || memcmp(bytes, bytes + 1, length - 1) != 0)
			return 1;
	}
	return 0;
}

int vmsi_walk_begins_later(const struct vmsi_journal *journal, uint64_t epoch)
{
	const struct vmsi_head *head = (const struct vmsi_head *)journal->buffer;
	const uint64_t first = vmsi_journal_first(journal);
	int found;

	if (journal->allocated < first + journal->block)
		return 0;
	found = vmsi_disk_read(journal->fd, journal->buffer, journal->block, first,
			       NULL);
	if (found == 0)
		found = read_head(journal, first, journal->allocated, head->salt);
	return found <= 0 ? found : head->epoch > epoch;
}
