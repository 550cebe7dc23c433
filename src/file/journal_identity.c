/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "file/journal_inside.h"
#include "host/disk.h"
#include "host/host.h"

/* What a home file is known by. */

#define ATTRIBUTE "user.vmspace"

/* That the file system keeps no attributes, or not of this file. */
static bool keeps_none(long error)
{
	return error == -EOPNOTSUPP || error == -ENOSYS || error == -EPERM ||
		error == -EACCES;
}

int vmsi_identity_read(struct vmsi_journal *journal, const char **problem)
{
	struct vmsi_attribute attribute;
	const long got = vmsi_host.attribute(journal->home, ATTRIBUTE, &attribute,
					     sizeof(attribute));

	journal->has_attribute = false;
	journal->attribute_epoch = 0;
	journal->attribute_in_use = false;
	if (got == -ENODATA || keeps_none(got))
		return vmsi_disk_identity(journal->home, journal->identity);
	if (got < 0 && got != -ERANGE)
		return (int)got;
	if (got != sizeof(attribute) || !vmsi_attribute_is_whole(&attribute)) {
		*problem = "the attribute " ATTRIBUTE " of the file is damaged";
		return -EBADMSG;
	}
	memcpy(journal->identity, attribute.identity, sizeof(attribute.identity));
	journal->has_attribute = true;
	journal->attribute_epoch = attribute.epoch;
	journal->attribute_in_use = attribute.is_in_use;
	return 0;
}

static long set_attribute(const struct vmsi_journal *journal,
			  const uint8_t *identity, bool is_in_use)
{
	struct vmsi_attribute attribute = { .epoch = journal->epoch,
					    .is_in_use = is_in_use };

	memcpy(attribute.identity, identity, sizeof(attribute.identity));
	vmsi_attribute_finish(&attribute);
	return vmsi_host.set_attribute(journal->home, ATTRIBUTE, &attribute,
				       sizeof(attribute));
}

int vmsi_identity_make(struct vmsi_journal *journal)
{
	uint8_t identity[16];
	long error = vmsi_host_get_random(identity, sizeof(identity));

	if (error)
		return (int)error;
	error = set_attribute(journal, identity, false);
	if (error)
		return keeps_none(error) ? 0 : (int)error;
	/* A commit of a file that is not known again after a crash would be lost. */
	error = vmsi_host.fsync(journal->home);
	if (error)
		return (int)error;
	memcpy(journal->identity, identity, sizeof(identity));
	journal->has_attribute = true;
	journal->attribute_epoch = journal->epoch;
	return 0;
}

static int say(struct vmsi_journal *journal, bool is_in_use)
{
	long error;

	if (!journal->has_attribute ||
	    (journal->attribute_epoch == journal->epoch &&
	     journal->attribute_in_use == is_in_use))
		return 0;
	error = set_attribute(journal, journal->identity, is_in_use);
	if (error)
		return (int)error;
	journal->attribute_epoch = journal->epoch;
	journal->attribute_in_use = is_in_use;
	return 0;
}

int vmsi_identity_set_epoch(struct vmsi_journal *journal)
{
	return say(journal, journal->attribute_in_use);
}

int vmsi_identity_begin_use(struct vmsi_journal *journal)
{
	int error = say(journal, true);

	return error || !journal->has_attribute ? error :
		(int)vmsi_host.fsync(journal->home);
}

int vmsi_identity_end_use(struct vmsi_journal *journal)
{
	return say(journal, false);
}

void vmsi_identity_keep_use(struct vmsi_journal *journal)
{
	(void)say(journal, true);
}

/* --- whose journal it is ------------------------------------------------------------ */

static const char *wrong_epoch(const struct vmsi_journal *journal, uint64_t epoch)
{
	const uint64_t kept = journal->attribute_epoch;

	if (!journal->has_attribute)
		return NULL;
	if (epoch < kept)
		return "the journal is of an earlier state of the file";
	if (epoch > kept + journal->attribute_in_use)
		return "the file is of an earlier state than the journal";
	return NULL;
}

int vmsi_identity_check(const struct vmsi_journal *journal,
			const struct vmsi_header *header, bool has_commits,
			const char **problem)
{
	/* What has no commits is of no use to anybody else. */
	if (!has_commits && !journal->attribute_in_use)
		return 0;
	if (!header)
		*problem = "the file was not closed, and its journal is not here";
	else if (memcmp(header->identity, journal->identity,
			sizeof(header->identity)) != 0)
		*problem = "the journal belongs to another file";
	else
		*problem = wrong_epoch(journal, header->epoch);
	return *problem ? -ESTALE : 0;
}
