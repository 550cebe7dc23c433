/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "file/journal_inside.h"
#include "host/disk.h"
#include "host/host.h"

/* The header of a journal, which has two places. */

static int read_slot(const struct vmsi_journal *journal, unsigned slot,
		     struct vmsi_header *header)
{
	return vmsi_disk_read(journal->fd, header, sizeof(*header),
			      vmsi_header_offset(slot, journal->block), NULL);
}

static const char *problem_of(const enum vmsi_header_state *states)
{
	for (unsigned slot = 0; slot < 2; slot++)
		if (states[slot] == VMSI_HEADER_OTHER_VERSION)
			return "the journal was made by another version of the "
			       "library";
	return "the file at the journal's path is not a journal, or its header is "
	       "damaged";
}

/* A header that counts is of our own block size, or the journal is of no use. */
static int use(struct vmsi_journal *journal, const struct vmsi_header *header,
	       unsigned slot, const char **problem)
{
	if (header->block != journal->block) {
		*problem = "the journal was made with pages of another size";
		return -EBADMSG;
	}
	journal->slot = slot;
	journal->epoch = header->epoch;
	journal->salt = header->salt;
	journal->chain = journal->first_chain = header->check;
	return 0;
}

int vmsi_header_read(struct vmsi_journal *journal, struct vmsi_header *found,
		     enum vmsi_header_state *state, const char **problem)
{
	struct vmsi_header slots[2];
	enum vmsi_header_state states[2];
	unsigned slot = 0;

	for (unsigned i = 0; i < 2; i++) {
		const int error = read_slot(journal, i, &slots[i]);

		if (error)
			return error;
		states[i] = vmsi_header_state(&slots[i]);
	}
	if (states[1] == VMSI_HEADER_VALID &&
	    (states[0] != VMSI_HEADER_VALID ||
	     slots[1].epoch > slots[0].epoch))
		slot = 1;
	*found = slots[slot];
	*state = states[slot];
	if (*state == VMSI_HEADER_VALID)
		return use(journal, found, slot, problem);
	if (states[0] == VMSI_HEADER_ABSENT && states[1] == VMSI_HEADER_ABSENT)
		return 0;
	*problem = problem_of(states);
	return -EBADMSG;
}

static void begin_epoch(struct vmsi_journal *journal,
			const struct vmsi_header *header)
{
	journal->slot ^= 1;
	journal->other_slot_unknown = false;
	journal->epoch = header->epoch;
	journal->salt = header->salt;
	journal->chain = journal->next_chain = header->check;
	journal->applied_chain = journal->first_chain = header->check;
	journal->end = journal->next_end = vmsi_journal_first(journal);
	journal->applied_end = journal->end;
	journal->sequence = 1;
	journal->home_behind = journal->home_doubtful = false;
	journal->latest_has_spilled = false;
	journal->is_unsettled = false;
}

int vmsi_header_renew(struct vmsi_journal *journal)
{
	struct vmsi_header header = { .block = (uint32_t)journal->block,
				      .epoch = journal->epoch + 1 };
	long error = vmsi_host_get_random(&header.salt, sizeof(header.salt));

	if (error)
		return (int)error;
	memcpy(header.identity, journal->identity, sizeof(header.identity));
	vmsi_header_finish(&header);
	journal->other_slot_unknown = true;
	error = vmsi_disk_write(journal->fd, &header, sizeof(header),
				vmsi_header_offset(journal->slot ^ 1,
						   journal->block));
	if (!error)
		error = vmsi_host.fdatasync(journal->fd);
	if (error) {
		(void)vmsi_header_settle(journal);
		return (int)error;
	}
	begin_epoch(journal, &header);
	return 0;
}

int vmsi_header_settle_durably(struct vmsi_journal *journal)
{
	long error;

	if (!journal->other_slot_unknown)
		return 0;
	error = vmsi_header_settle(journal);
	if (!error)
		error = vmsi_host.fdatasync(journal->fd);
	if (!error)
		journal->other_slot_unknown = false;
	return (int)error;
}

int vmsi_header_settle(struct vmsi_journal *journal)
{
	static const struct vmsi_header zeros;

	if (!journal->other_slot_unknown)
		return 0;
	return vmsi_disk_write(journal->fd, &zeros, sizeof(zeros),
			       vmsi_header_offset(journal->slot ^ 1,
						  journal->block));
}
