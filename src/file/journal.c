/* SPDX-License-Identifier: MIT */
#include "file/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file/journal_inside.h"
#include "host/disk.h"
#include "host/host.h"
#include "space/inside.h"

/* A journal from its beginning to its end. */

#define LIMIT_DEFAULT ((uint64_t)64 << 20)
#define FIRST_BYTES ((uint64_t)1 << 20)

/* --- recovery ------------------------------------------------------------------------- */

static bool has_commits(const struct vmsi_journal *journal)
{
	return journal->end > vmsi_journal_first(journal);
}

/* Whether a checkpoint has anything to do. */
static bool is_dirty(const struct vmsi_journal *journal)
{
	return has_commits(journal) || journal->is_unsettled;
}

/*
 * What is left of a header that is gone, or was put back to an earlier one. A writer that
 * lives may have begun another epoch meanwhile.
 */
static int check_begin(const struct vmsi_journal *journal, const char **problem)
{
	const int found = journal->durable ? 0 :
		vmsi_walk_begins_later(journal, journal->epoch);

	if (found <= 0)
		return found;
	*problem = "the header of the journal was damaged: its records are of a later "
		   "one";
	return -EBADMSG;
}

/* A journal that was being made when its writer stopped is zeros. */
static int look_without_header(const struct vmsi_journal *journal,
			       const char **problem)
{
	const int found = vmsi_walk_has_bytes(journal);

	if (found < 0)
		return found;
	if (found) {
		*problem = "the file at the journal's path is not a journal";
		return -EBADMSG;
	}
	return vmsi_identity_check(journal, NULL, false, problem);
}

/* Find out what the journal has, and whether it may be applied. Writes nothing. */
static int look(struct vmsi_journal *journal, const char **problem)
{
	struct vmsi_header header;
	enum vmsi_header_state state;
	int error = vmsi_header_read(journal, &header, &state, problem);

	if (!error)
		error = check_begin(journal, problem);
	if (!error && state == VMSI_HEADER_ABSENT)
		return look_without_header(journal, problem);
	if (!error)
		error = vmsi_journal_scan(journal, problem);
	return error ? error :
		vmsi_identity_check(journal, &header, has_commits(journal),
				    problem);
}

static int look_once_as_reader(struct vmsi_journal *journal, const char **problem)
{
	struct stat status;
	long error = vmsi_identity_read(journal, problem);

	if (!error)
		error = vmsi_host.fstat(journal->fd, &status);
	if (error)
		return (int)error;
	vmsi_journal_file_length(journal, &status);
	journal->epoch = 0;
	journal->end = journal->next_end = vmsi_journal_first(journal);
	return look(journal, problem);
}

#define LOOKS 3

/* A writer that lives may write between two reads, so a reader looks again. */
static int look_as_reader(struct vmsi_journal *journal, const char **problem)
{
	int error = -EBADMSG;

	for (int i = 0; i < LOOKS && (error == -EBADMSG || error == -ESTALE); i++) {
		*problem = NULL;
		error = look_once_as_reader(journal, problem);
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

/* What one large commit has taken of the disk goes back; nobody has it mapped yet. */
static void cut_to_limit(struct vmsi_journal *journal)
{
	const uint64_t size = vmsi_whole_blocks(journal, journal->limit);

	if (journal->length > size &&
	    vmsi_disk_truncate(journal->fd, size) == 0)
		journal->allocated = journal->length = size;
}

/*
 * A file that has no identity gets one if the journal has no commits, which are bound to
 * the identity that it has now. The attribute has the epoch on disk, whatever became of
 * it when the process or the machine stopped, before the next one begins.
 */
static int prepare_identity(struct vmsi_journal *journal)
{
	int error;

	if (!journal->has_attribute)
		return has_commits(journal) ? 0 : vmsi_identity_make(journal);
	error = vmsi_identity_set_epoch(journal);
	return error ? error : (int)vmsi_host.fsync(journal->home);
}

/* Begin an empty journal. */
static int begin(struct vmsi_journal *journal, const char **problem)
{
	int error;

	if (journal->epoch < journal->attribute_epoch)
		journal->epoch = journal->attribute_epoch;
	if (journal->epoch >= VMSI_EPOCH_MOST) {
		*problem = "the epoch of the journal has no next one";
		return -EBADMSG;
	}
	error = give_first_blocks(journal);
	if (!error)
		error = prepare_identity(journal);
	if (!error)
		error = vmsi_header_renew(journal);
	if (!error)
		error = vmsi_disk_sync_name(journal->path);
	if (error)
		return error;
	journal->has_begun_use = true;
	error = vmsi_identity_begin_use(journal);
	if (!error)
		cut_to_limit(journal);
	return error;
}

/*
 * The home file was never shorter than its commits have made it: what it lacks is not in
 * the journal.
 */
static int check_length(const struct vmsi_journal *journal, const char **problem)
{
	if (!has_commits(journal) || journal->home_size >= journal->smallest)
		return 0;
	*problem = "the file has become shorter since the commits in the journal";
	return -ESTALE;
}

static int recover(struct vmsi_journal *journal, const char **problem)
{
	int error = look(journal, problem);

	journal->is_recovering = true;
	if (!error)
		error = check_length(journal, problem);
	if (!error)
		error = bring_home(journal);
	journal->is_recovering = false;
	return error ? error : begin(journal, problem);
}

/* --- opening and closing ---------------------------------------------------------------- */

void vmsi_journal_abandon(struct vmsi_journal *journal)
{
	if (journal->fd >= 0 && !vmsi_journal_is_anothers(journal))
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
	return vmsi_journal_file_open(journal, &home, is_new, problem);
}

/* That the file is closed is durable before its journal goes. */
static int end_use(struct vmsi_journal *journal)
{
	const bool was_in_use = journal->attribute_in_use;
	int error = vmsi_identity_end_use(journal);

	if (!error && is_dirty(journal))
		error = vmsi_journal_checkpoint(journal);
	else if (!error && was_in_use)
		error = (int)vmsi_host.fsync(journal->home);
	if (error && was_in_use)
		vmsi_identity_keep_use(journal);
	return error;
}

/*
 * There is no journal to be read, and none is missing: a writer that closes the file
 * says so before it removes the journal, and one that opens it has made the journal
 * before it says that the file is in use.
 */
static int read_without(struct vmsi_journal *journal, const char **problem)
{
	int error = -ENOENT;

	for (int i = 0; i < LOOKS && error == -ENOENT; i++) {
		error = vmsi_identity_read(journal, problem);
		if (error || !journal->attribute_in_use)
			return error;
		error = vmsi_journal_file_open_existing(journal);
	}
	if (error == -ENOENT)
		return vmsi_identity_check(journal, NULL, false, problem);
	return error ? error : look_as_reader(journal, problem);
}

static int open_journal(struct vmsi_journal *journal, const char **problem)
{
	bool is_new = false;
	int error;

	*problem = NULL;
	error = open_all(journal, &is_new, problem);
	if (!journal->is_read_only)
		error = error ? error : recover(journal, problem);
	else if (error == -ENOENT)
		error = read_without(journal, problem);
	else if (!error)
		error = look_as_reader(journal, problem);
	if (!error)
		return 0;
	/* What it has made goes again, unless the file may be known to have it. */
	if (is_new && (!journal->has_begun_use || end_use(journal) == 0))
		vmsi_host.unlink(journal->path);
	vmsi_journal_abandon(journal);
	return error;
}

int vmsi_journal_open(struct vmsi_journal *journal, int home, const char *path,
		      enum vmsi_journal_mode mode, const char **problem)
{
	initialise(journal, home, path, mode);
	return open_journal(journal, problem);
}

int vmsi_journal_open_beside(struct vmsi_journal *journal, int home, const char *path,
			     uint64_t durable, const char **problem)
{
	initialise(journal, home, path, VMSI_JOURNAL_READ);
	journal->durable = durable;
	return open_journal(journal, problem);
}

int vmsi_journal_close(struct vmsi_journal *journal)
{
	long error = 0;

	if (!journal->is_read_only) {
		vmsi_journal_discard(journal);
		error = end_use(journal);
		if (!error)
			error = vmsi_journal_file_remove(journal);
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
	journal->home_doubtful = true;
	journal->home_behind = true;
}

/*
 * The same while pages are mapped from it. The file stays as long as it
 * is: pages that were stored to while they showed the journal are private copies, and
 * ftruncate(2) takes those from every mapping of what it cuts off. To punch a hole
 * leaves them.
 */
static void give_back_to_limit(struct vmsi_journal *journal)
{
	const uint64_t size = vmsi_whole_blocks(journal, journal->limit);

	if (journal->allocated > size && size >= FIRST_BYTES &&
	    vmsi_host.fallocate(journal->fd,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size,
				journal->allocated - size) == 0)
		journal->allocated = size;
}

int vmsi_journal_checkpoint(struct vmsi_journal *journal)
{
	long error;

	if (journal->next_end > journal->end)
		return -EBUSY;
	if (!is_dirty(journal))
		return 0;
	error = vmsi_journal_check_home(journal);
	if (!error)
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
	give_back_to_limit(journal);
	return 0;
}
