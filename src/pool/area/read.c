/* SPDX-License-Identifier: MIT */
#include "pool/area/read.h"

#include <errno.h>
#include <string.h>

#include "base/align.h"
#include "host/disk.h"
#include "host/host.h"
#include "space/inside.h"

int vmsi_area_reader_open(struct vmsi_area_reader *reader, int fd,
			  const struct vmsi_area_header *header)
{
	const size_t page_size = header->page_size;
	char *memory;

	reader->fd = fd;
	reader->header = header;
	reader->bytes = vmsi_align_up(2 * page_size + 2 * VMSI_AREA_HEAD_BYTES,
				      vmsi_page_size());
	memory = reader->memory = vmsi_records_get(NULL, reader->bytes);
	if (!memory)
		return -ENOMEM;
	reader->image = memory;
	reader->home = memory + page_size;
	reader->head = (struct vmsi_area_head *)(memory + 2 * page_size);
	reader->later = (struct vmsi_area_head *)((char *)reader->head +
						  VMSI_AREA_HEAD_BYTES);
	return 0;
}

void vmsi_area_reader_close(struct vmsi_area_reader *reader)
{
	vmsi_records_put(NULL, reader->memory, reader->bytes);
}

/* --- batches ---------------------------------------------------------------------------------- */

int vmsi_area_read_head(struct vmsi_area_reader *reader, uint64_t sequence,
			struct vmsi_area_head *head)
{
	return vmsi_disk_read(reader->fd, head, VMSI_AREA_HEAD_BYTES,
			      vmsi_area_offset(reader->header, sequence), NULL);
}

/* The head of a batch that is known to be there; -EBADMSG: it is not. */
static int read_known_head(struct vmsi_area_reader *reader, uint64_t sequence,
			   struct vmsi_area_head *head)
{
	const unsigned place = (unsigned)(sequence % reader->header->places);
	const int error = vmsi_area_read_head(reader, sequence, head);

	if (error)
		return error;
	return vmsi_area_head_state(reader->header, head, place) == VMSI_AREA_VALID &&
			head->sequence == sequence ? 0 : -EBADMSG;
}

/* An image of the batch whose head was read; -EBADMSG: it is not as it was written. */
static int read_image(struct vmsi_area_reader *reader, size_t number)
{
	const size_t page_size = reader->header->page_size;
	const uint64_t sequence = reader->head->sequence;
	const struct vmsi_area_entry *entry = &reader->head->entries[number];
	const int error = vmsi_disk_read(reader->fd, reader->image, page_size,
					 vmsi_area_offset(reader->header, sequence) +
						 VMSI_AREA_HEAD_BYTES + number * page_size,
					 NULL);

	if (error)
		return error;
	return vmsi_area_sum(reader->header, sequence, entry->page, reader->image) ==
			entry->sum ? 0 : -EBADMSG;
}

int vmsi_area_look_at_batch(struct vmsi_area_reader *reader, uint64_t sequence,
			    bool *is_whole)
{
	int error = read_known_head(reader, sequence, reader->head);

	for (size_t i = 0; !error && i < reader->head->count; i++)
		error = read_image(reader, i);
	*is_whole = !error;
	return error == -EBADMSG ? 0 : error;
}

/* --- to write them to the file ------------------------------------------------------------------ */

struct mending {
	struct vmsi_area_reader *reader;
	struct vmsi_store *store;
	uint64_t last;
	bool is_read_only;
	uint64_t *differing;
	bool is_old[VMSI_AREA_BATCH_MOST]; /* a later image of the page is there */
};

static int write_page(const struct mending *mending, uint64_t offset)
{
	const struct vmsi_area_reader *reader = mending->reader;
	struct vmsi_io_request request = vmsi_store_request(
		mending->store, reader->image, reader->header->page_size, offset);

	vmsi_store_write(mending->store, &request, 1, VMSI_STORE_ALONE);
	return vmsi_store_write_error(vmsi_io_status(&request));
}

/*
 * A page that begins behind the end of the file never came to be there, or was cut off
 * since; there is nothing of it that could be torn.
 *
 * What is read is not believed to be on the disk: after an fdatasync that has failed the
 * kernel shows what it could not write, and never writes it. So a page that is as it
 * should be is written, too.
 */
static int mend_page(struct mending *mending, uint64_t page)
{
	const struct vmsi_area_reader *reader = mending->reader;
	const size_t page_size = reader->header->page_size;
	const uint64_t bytes = atomic_load(&mending->store->bytes);
	uint64_t offset;
	bool differs, was_read;
	int error;

	if (__builtin_mul_overflow(page, page_size, &offset) || offset >= bytes ||
	    (mending->store->kind == VMSI_STORE_DEVICE && bytes - offset < page_size))
		return 0;
	error = vmsi_store_read(mending->store, reader->home, page_size, offset, &was_read);
	if (error)
		return error;
	differs = memcmp(reader->home, reader->image, page_size) != 0;
	if (mending->is_read_only)
		return differs ? -EROFS : 0;
	error = write_page(mending, offset);
	if (!error)
		*mending->differing += differs;
	return error;
}

/* Find which pages of the batch whose head was read are in the head of a later one. */
static void mark_old(struct mending *mending)
{
	const struct vmsi_area_head *head = mending->reader->head;
	const struct vmsi_area_head *later = mending->reader->later;

	for (size_t i = 0; i < head->count; i++)
		for (size_t j = 0; j < later->count; j++)
			mending->is_old[i] |= head->entries[i].page ==
				later->entries[j].page;
}

static int mend_batch(struct mending *mending, uint64_t sequence)
{
	struct vmsi_area_reader *reader = mending->reader;
	int error = read_known_head(reader, sequence, reader->head);

	memset(mending->is_old, 0, sizeof(mending->is_old));
	for (uint64_t i = sequence + 1; !error && i <= mending->last; i++) {
		error = read_known_head(reader, i, reader->later);
		if (!error)
			mark_old(mending);
	}
	for (size_t i = 0; !error && i < reader->head->count; i++) {
		if (mending->is_old[i])
			continue;
		error = read_image(reader, i);
		if (!error)
			error = mend_page(mending, reader->head->entries[i].page);
	}
	return error;
}

int vmsi_area_mend(struct vmsi_area_reader *reader, struct vmsi_store *store,
		   uint64_t settled, uint64_t last, bool is_read_only,
		   uint64_t *differing)
{
	struct mending mending = {
		.reader = reader,
		.store = store,
		.last = last,
		.is_read_only = is_read_only,
		.differing = differing,
	};
	int error = 0;

	for (uint64_t i = settled + 1; i <= last && !error; i++)
		error = mend_batch(&mending, i);
	return error;
}
