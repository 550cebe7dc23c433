/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "file/disk.h"
#include "file/journal_inside.h"
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
	const size_t most = VMSI_JOURNAL_IMAGES_BYTES;
	int error = 0;

	memset(vmsi_journal_images(journal), 0, most);
	while (from < journal->allocated && !error) {
		const size_t length = vmsi_min(most, journal->allocated - from);

		error = vmsi_disk_write(journal->fd, vmsi_journal_images(journal),
					length, from);
		from += length;
	}
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
	error = vmsi_disk_extend_ahead(journal->fd, VMSI_DISK_GROW,
				       &journal->allocated, end,
				       allocated + ahead);
	if (!error)
		write_zeros(journal, zeros_from);
	return error;
}

int vmsi_journal_write_again(struct vmsi_journal *journal)
{
	char *bytes = vmsi_journal_images(journal);
	const size_t most = VMSI_JOURNAL_IMAGES_BYTES;
	int error = 0;

	for (uint64_t at = 0; at < journal->end && !error; at += most) {
		const size_t length = vmsi_min(most, journal->end - at);

		error = vmsi_disk_read(journal->fd, bytes, length, at, NULL);
		if (!error)
			error = vmsi_disk_write(journal->fd, bytes, length, at);
	}
	return error ? error : (int)vmsi_host.fdatasync(journal->fd);
}
