/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "file/journal_inside.h"
#include "host/disk.h"
#include "host/host.h"

/* Writing commits into the home file. */

/* What is being written: the home file, and the size that it has by this commit. */
struct home {
	int fd;
	size_t block;
	uint64_t size;
};

/* Write pages that follow each other, as far as they lie in the file. */
static int write_run(void *context, uint64_t page, const char *bytes,
		     size_t pages)
{
	const struct home *home = context;
	uint64_t offset, length = (uint64_t)pages * home->block;

	if (__builtin_mul_overflow(page, (uint64_t)home->block, &offset) ||
	    offset >= home->size)
		return 0;
	if (length > home->size - offset)
		length = home->size - offset;
	return vmsi_disk_write(home->fd, bytes, (size_t)length, offset);
}

static int resize(struct vmsi_journal *journal, uint64_t size)
{
	int error = size == journal->home_size ? 0 :
		vmsi_disk_truncate(journal->home, size);

	if (!error)
		journal->home_size = size;
	return error;
}

/*
 * Give the home file the sizes of a record: zeros from the smallest on, and not less
 * than it has by the latest commit. The last record of that cuts it.
 */
static int set_size(struct vmsi_journal *journal, struct vmsi_sizes sizes)
{
	/* Nobody has the file mapped while it recovers. */
	const uint64_t least = journal->is_recovering ? 0 : journal->sizes.size;
	int error = 0;

	if (journal->home_size > vmsi_max(sizes.smallest, least))
		error = resize(journal, vmsi_max(sizes.smallest, least));
	if (!error && sizes.smallest < journal->home_size)
		error = vmsi_disk_write_zeros(journal->home, sizes.smallest,
					      journal->home_size - sizes.smallest);
	if (!error && sizes.size > journal->home_size)
		error = resize(journal, sizes.size);
	return error;
}

int vmsi_journal_check_home(const struct vmsi_journal *journal)
{
	uint64_t size = 0;
	const int error = vmsi_disk_size(journal->home, &size);

	if (error)
		return error;
	return size < journal->home_size ? -ENXIO : 0;
}

/* --- from the records ----------------------------------------------------------------- */

/*
 * Write the images of the records up to an end; without the COMMIT record's, where the
 * caller has those in memory.
 */
enum which { ALL_RECORDS, SPILLED_ONES };

static int write_records(struct vmsi_journal *journal, struct vmsi_walk at,
			 uint64_t end, enum which which)
{
	struct home home = { journal->home, journal->block, 0 };
	const struct vmsi_head *head = vmsi_walk_head(&at);

	while (at.next < end) {
		int result = vmsi_walk_next(&at);

		if (result <= 0)
			return result ? result : -EIO;
		if (which == SPILLED_ONES && head->kind == VMSI_RECORD_COMMIT)
			return 0;
		home.size = head->size;
		result = set_size(journal, (struct vmsi_sizes){ head->smallest,
								head->size });
		if (result)
			return result;
		result = vmsi_walk_images(&at, write_run, &home);
		if (result)
			return result < 0 ? result : -EIO;
	}
	return 0;
}

static struct vmsi_walk applied_place(const struct vmsi_journal *journal)
{
	return (struct vmsi_walk){ .journal = journal,
				   .end = journal->end,
				   .next = journal->applied_end,
				   .chain = journal->applied_chain };
}

/* Write the commit that begins at applied_end. */
static int apply_commit(struct vmsi_journal *journal)
{
	struct vmsi_walk at = applied_place(journal);
	struct vmsi_sizes sizes;
	uint64_t end;
	int error = vmsi_walk_commit(at, &end, &sizes);

	if (error <= 0)
		return error ? error : -EIO;
	/* The head of the COMMIT record is in the buffer. */
	const uint64_t chain = vmsi_walk_head(&at)->check;

	error = write_records(journal, at, end, ALL_RECORDS);
	if (error)
		return error;
	journal->applied_end = end;
	journal->applied_chain = chain;
	return 0;
}

int vmsi_home_apply(struct vmsi_journal *journal)
{
	int error = journal->is_recovering ? 0 : vmsi_journal_check_home(journal);

	if (!error)
		error = vmsi_disk_size(journal->home, &journal->home_size);
	if (!error && journal->home_doubtful)
		error = vmsi_home_write_again(journal);
	if (!error)
		journal->home_doubtful = false;
	while (!error && journal->applied_end < journal->end)
		error = apply_commit(journal);
	return error;
}

int vmsi_journal_catch_up(struct vmsi_journal *journal)
{
	int error;

	if (!journal->home_behind && journal->applied_end == journal->end)
		return 0;
	error = vmsi_header_settle_durably(journal);
	if (!error)
		error = vmsi_home_apply(journal);
	if (!error)
		journal->home_behind = false;
	return error;
}

/* --- from memory ------------------------------------------------------------------------ */

static size_t run_length(const struct vmsi_image *image, size_t count)
{
	size_t length = 1;

	while (length < count && image[length].page == image[0].page + length)
		length++;
	return length;
}

/* Pages that follow each other are written at once, from wherever they lie. */
static int write_images(const struct vmsi_journal *journal,
			const struct vmsi_image *image, size_t count)
{
	struct home home = { journal->home, journal->block, journal->sizes.size };
	const size_t most = vmsi_journal_images_most(journal);
	int error = 0;

	while (count > 0 && !error) {
		const size_t pages = run_length(image, vmsi_min(count, most));
		char *gathered = vmsi_journal_images(journal);

		for (size_t i = 0; i < pages && pages > 1; i++)
			memcpy(gathered + i * journal->block, image[i].bytes,
			       journal->block);
		error = write_run(&home, image->page,
				  pages > 1 ? gathered : image->bytes, pages);
		image += pages;
		count -= pages;
	}
	return error;
}

static int write_latest(struct vmsi_journal *journal,
			const struct vmsi_image *images, size_t count)
{
	int error = 0;

	if (journal->latest_has_spilled)
		error = write_records(journal, applied_place(journal),
				      journal->end, SPILLED_ONES);
	if (!error)
		error = set_size(journal, journal->sizes);
	return error ? error : write_images(journal, images, count);
}

int vmsi_journal_write_home(struct vmsi_journal *journal,
			    const struct vmsi_image *images, size_t count)
{
	int error;

	if (journal->home_behind ||
	    journal->applied_end != journal->latest_start)
		return vmsi_journal_catch_up(journal);
	error = write_latest(journal, images, count);
	if (error) {
		journal->home_behind = true;
		return error;
	}
	journal->applied_end = journal->end;
	journal->applied_chain = journal->chain;
	return 0;
}
