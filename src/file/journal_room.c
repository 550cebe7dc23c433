/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "file/journal_inside.h"
#include "host/disk.h"
#include "host/host.h"

/* Room in the file of a journal. */

#define STEP_LEAST ((uint64_t)1 << 20)
#define STEP_MOST ((uint64_t)16 << 20)

/*
 * Zeros are written where the kernel would otherwise note, at the sync of each commit,
 * that a block is in use now. A failure does no harm: the blocks are there.
 */
static void write_zeros(const struct vmsi_journal *journal, uint64_t from)
{
	if (from < journal->allocated)
		(void)vmsi_disk_write_zeros(journal->fd, from,
					    journal->allocated - from);
}

/*
 * Of blocks that were given back the file still has the addresses: it is not made
 * longer, and must not be cut again where that fails.
 */
static int extend(struct vmsi_journal *journal, uint64_t end, uint64_t ahead)
{
	const uint64_t length = journal->length;
	int error = 0;

	if (journal->allocated < length)
		error = vmsi_disk_extend_ahead(journal->fd, VMSI_DISK_KEEP_SIZE,
					       &journal->allocated,
					       vmsi_min(end, length),
					       vmsi_min(ahead, length));
	if (!error && journal->allocated < end)
		error = vmsi_disk_extend_ahead(journal->fd, VMSI_DISK_GROW,
					       &journal->allocated, end, ahead);
	journal->length = vmsi_max(length, journal->allocated);
	return error;
}

int vmsi_journal_allocate(struct vmsi_journal *journal, uint64_t end,
			  uint64_t zeros_from)
{
	const uint64_t allocated = journal->allocated;
	uint64_t ahead = vmsi_min(vmsi_max(allocated / 8, STEP_LEAST), STEP_MOST);
	int error;

	if (end <= allocated)
		return 0;
	ahead = vmsi_align_up(vmsi_max(end - allocated, ahead), STEP_LEAST);
	error = extend(journal, end, allocated + ahead);
	if (!error)
		write_zeros(journal, zeros_from);
	return error;
}

int vmsi_journal_write_again(struct vmsi_journal *journal, uint64_t from,
			     uint64_t end)
{
	char *bytes = vmsi_journal_images(journal);
	int error = 0;

	while (from < end && !error) {
		const size_t length = vmsi_min(VMSI_JOURNAL_IMAGES_BYTES,
					       end - from);

		error = vmsi_disk_read(journal->fd, bytes, length, from, NULL);
		if (!error)
			error = vmsi_disk_write(journal->fd, bytes, length, from);
		from += length;
	}
	return error;
}
