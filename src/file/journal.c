/* SPDX-License-Identifier: MIT */
#include "file/journal.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "file/journal_inside.h"
#include "host/disk.h"
#include "host/host.h"
#include "space/inside.h"

/* A journal from its beginning to its end. */

#define LIMIT_DEFAULT ((uint64_t)64 << 20)
#define FIRST_BYTES ((uint64_t)1 << 20)

/* --- the file ------------------------------------------------------------------------- */

static long open_existing(const struct vmsi_journal *journal)
{
	const int access = journal->is_read_only ? O_RDONLY : O_RDWR;

	/* A pipe in that place is not waited for. */
	return vmsi_host.open_file(journal->path, access | O_NONBLOCK, 0);
}

/* Open the file, or make it: *is_new. Who may read the home file may read it. */
static int open_file(struct vmsi_journal *journal, mode_t mode, bool *is_new)
{
	long fd = open_existing(journal);

	if (fd == -ENOENT && !journal->is_read_only) {
		fd = vmsi_host.open_file(journal->path,
					 O_RDWR | O_CREAT | O_EXCL, mode);
		/* Where it fails, what is there is not ours to take away. */
		*is_new = fd >= 0;
	}
	if (fd < 0)
		return (int)fd;
	journal->fd = (int)fd;
	return 0;
}

/* Only whole blocks count. */
static void take_length(struct vmsi_journal *journal, const struct stat *status)
{
	journal->allocated = (uint64_t)status->st_size / journal->block *
		journal->block;
}

/* That the journal has a file of its own, and how long it is. */
static int look_at_file(struct vmsi_journal *journal, const struct stat *home,
			const char **problem)
{
	struct stat status;
	const long error = vmsi_host.fstat(journal->fd, &status);

	if (error)
		return (int)error;
	if (status.st_dev == home->st_dev && status.st_ino == home->st_ino)
		return -EINVAL;
	if (!S_ISREG(status.st_mode)) {
		*problem = "what is at the journal's path is no regular file";
		return -EBADMSG;
	}
	take_length(journal, &status);
	return 0;
}

/* Make the name of the journal durable, as far as its file system knows that. */
static int sync_directory(const struct vmsi_journal *journal)
{
	const char *slash = strrchr(journal->path, '/');
	const size_t length = slash ? (size_t)(slash - journal->path) + 1 : 0;
	char path[PATH_MAX] = ".";
	long fd, error;

	if (length >= sizeof(path))
		return -ENAMETOOLONG;
	if (slash) {
		memcpy(path, journal->path, length);
		path[length] = '\0';
	}
	fd = vmsi_host.open_file(path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return (int)fd;
	error = vmsi_host.fsync((int)fd);
	vmsi_host.close((int)fd);
	return error == -EINVAL ? 0 : (int)error;
}

/* --- recovery ------------------------------------------------------------------------- */

static bool has_commits(const struct vmsi_journal *journal)
{
	return journal->end > vmsi_journal_first(journal);
}

/* Whether the commits that were found are of this file, and of now. */
static int check_belongs(const struct vmsi_journal *journal,
			 const struct vmsi_header *header, const char **problem)
{
	if (!has_commits(journal))
		return 0;
	if (memcmp(header->identity, journal->identity,
		   sizeof(header->identity)) != 0) {
		*problem = "the journal belongs to another file";
		return -ESTALE;
	}
	if (header->epoch < journal->attribute_epoch) {
		*problem = "the journal is of an earlier state of the file";
		return -ESTALE;
	}
	return 0;
}

/* What is left of a header that is gone, or was put back to an earlier one. */
static int check_begin(const struct vmsi_journal *journal, const char **problem)
{
	const int found = vmsi_walk_begins_later(journal, journal->epoch);

	if (found <= 0)
		return found;
	*problem = "the header of the journal was damaged: its records are of a later "
		   "one";
	return -EBADMSG;
}

/* Find out what the journal has, and whether it may be applied. Writes nothing. */
static int look(struct vmsi_journal *journal, const char **problem)
{
	struct vmsi_header header;
	enum vmsi_header_state state;
	int error = vmsi_header_read(journal, &header, &state, problem);

	if (!error)
		error = check_begin(journal, problem);
	if (error || state == VMSI_HEADER_ABSENT)
		return error;
	error = vmsi_journal_scan(journal, problem);
	return error ? error : check_belongs(journal, &header, problem);
}

/* A writer that lives may write between two reads, so a reader looks again. */
static int look_as_reader(struct vmsi_journal *journal, const char **problem)
{
	int error = -EBADMSG;

	for (int tries = 0; tries < 3 && error == -EBADMSG; tries++) {
		struct stat status;
		const long failed = vmsi_host.fstat(journal->fd, &status);

		if (failed)
			return (int)failed;
		take_length(journal, &status);
		journal->epoch = 0;
		journal->end = journal->next_end = vmsi_journal_first(journal);
		error = look(journal, problem);
	}
	return error;
}

/* Write into the home file what it has not, and make it durable. */
static int bring_home(struct vmsi_journal *journal)
{
	int error;

	if (!has_commits(journal))
		return 0;
	/* What is read of the journal is on disk before the home file is written. */
	error = vmsi_journal_write_again(journal, 0, journal->end);
	if (!error)
		error = (int)vmsi_host.fdatasync(journal->fd);
	if (!error)
		error = vmsi_home_apply(journal);
	return error ? error : (int)vmsi_host.fsync(journal->home);
}

/* The journal has whole blocks, and as many as it begins with. */
static int give_first_blocks(struct vmsi_journal *journal)
{
	int error = vmsi_disk_truncate(journal->fd, journal->allocated);

	return error ? error :
		vmsi_journal_allocate(journal, FIRST_BYTES,
				      vmsi_journal_first(journal));
}

/*
 * Begin an empty journal. A file that has no identity gets one if the journal has no
 * commits, which are bound to the identity that it has now.
 */
static int begin(struct vmsi_journal *journal)
{
	int error = give_first_blocks(journal);

	if (error)
		return error;
	if (journal->epoch < journal->attribute_epoch)
		journal->epoch = journal->attribute_epoch;
	if (!journal->has_attribute && !has_commits(journal))
		error = vmsi_identity_make(journal);
	if (!error)
		error = vmsi_header_renew(journal);
	if (!error)
		error = vmsi_identity_set_epoch(journal);
	return error ? error : sync_directory(journal);
}

static int recover(struct vmsi_journal *journal, const char **problem)
{
	int error = look(journal, problem);

	journal->is_recovering = true;
	if (!error)
		error = bring_home(journal);
	journal->is_recovering = false;
	return error ? error : begin(journal);
}

/* --- opening and closing ---------------------------------------------------------------- */

void vmsi_journal_abandon(struct vmsi_journal *journal)
{
	if (journal->fd >= 0)
		vmsi_host.close(journal->fd);
	journal->fd = -1;
	if (journal->buffer)
		vmsi_records_put(NULL, journal->buffer, VMSI_JOURNAL_BUFFER_BYTES);
	journal->buffer = NULL;
}

static void initialise(struct vmsi_journal *journal, int home, const char *path,
		       enum vmsi_journal_mode mode)
{
	*journal = (struct vmsi_journal){
		.fd = -1, .home = home, .path = path,
		.block = vmsi_page_size(),
		.is_read_only = mode == VMSI_JOURNAL_READ,
		.slot = 1,
		.sequence = 1,
		.limit = LIMIT_DEFAULT,
	};
	journal->end = journal->next_end = vmsi_journal_first(journal);
	journal->applied_end = journal->end;
}

/* Open the files; with a new one, *is_new. A reader may find none. */
static int open_all(struct vmsi_journal *journal, bool *is_new,
		    const char **problem)
{
	struct stat home;
	int error = (int)vmsi_host.fstat(journal->home, &home);

	if (error)
		return error;
	journal->home_size = (uint64_t)home.st_size;
	journal->buffer = vmsi_records_get(NULL, VMSI_JOURNAL_BUFFER_BYTES);
	if (!journal->buffer)
		return -ENOMEM;
	error = vmsi_identity_read(journal, problem);
	if (error)
		return error;
	error = open_file(journal, home.st_mode & 0666, is_new);
	return error ? error : look_at_file(journal, &home, problem);
}

int vmsi_journal_open(struct vmsi_journal *journal, int home, const char *path,
		      enum vmsi_journal_mode mode, const char **problem)
{
	bool is_new = false;
	int error;

	*problem = NULL;
	initialise(journal, home, path, mode);
	error = open_all(journal, &is_new, problem);
	if (mode == VMSI_JOURNAL_READ) {
		if (error == -ENOENT)
			return 0;
		error = error ? error : look_as_reader(journal, problem);
	} else if (!error) {
		error = recover(journal, problem);
	}
	if (!error)
		return 0;
	if (is_new)
		vmsi_host.unlink(path);
	vmsi_journal_abandon(journal);
	return error;
}

int vmsi_journal_close(struct vmsi_journal *journal)
{
	long error = 0;

	if (!journal->is_read_only) {
		vmsi_journal_discard(journal);
		error = vmsi_journal_checkpoint(journal);
		if (!error)
			error = vmsi_host.unlink(journal->path);
		if (error == -ENOENT)
			error = 0;
	}
	vmsi_journal_abandon(journal);
	return (int)error;
}

/* --- checkpoint ------------------------------------------------------------------------- */

/*
 * After an fsync that has failed the kernel takes the pages for written, though the disk
 * may not have them: they are written again before the next attempt.
 */
static void doubt_home(struct vmsi_journal *journal)
{
	journal->applied_end = vmsi_journal_first(journal);
	journal->applied_chain = journal->first_chain;
	journal->home_behind = true;
}

/* What one large commit has taken of the disk goes back. */
static void cut_to_limit(struct vmsi_journal *journal)
{
	const uint64_t size = journal->limit / journal->block * journal->block;

	if (journal->allocated > size && size >= FIRST_BYTES &&
	    vmsi_disk_truncate(journal->fd, size) == 0)
		journal->allocated = size;
}

int vmsi_journal_checkpoint(struct vmsi_journal *journal)
{
	long error;

	if (journal->next_end > journal->end)
		return -EBUSY;
	if (!has_commits(journal) && !journal->is_unsettled)
		return 0;
	error = vmsi_journal_catch_up(journal);
	if (!error)
		error = vmsi_identity_set_epoch(journal);
	if (error)
		return (int)error;
	error = vmsi_host.fsync(journal->home);
	if (error) {
		doubt_home(journal);
		return (int)error;
	}
	error = vmsi_header_renew(journal);
	if (error)
		return (int)error;
	/* It is tried again before the home file is made durable the next time. */
	(void)vmsi_identity_set_epoch(journal);
	cut_to_limit(journal);
	return 0;
}
