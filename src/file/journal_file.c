/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "file/journal_inside.h"
#include "file/journal_path.h"
#include "host/host.h"

/* The file that a journal is. */

int vmsi_journal_file_open_existing(struct vmsi_journal *journal)
{
	const int access = journal->is_read_only ? O_RDONLY : O_RDWR;
	/* A pipe in that place is not waited for. */
	const long fd = vmsi_host.open_file(journal->path, access | O_NONBLOCK, 0);

	if (fd < 0)
		return (int)fd;
	journal->fd = (int)fd;
	return 0;
}

/* A byte that no journal has, and none that a home file is locked by. */
#define LOCKED_BYTE ((off_t)0x6e00000000000010)

/*
 * One writer has a journal, whatever home file it comes with: one that was renamed has
 * left its journal to the next file of its name, and two may be given the same one.
 * -EAGAIN: it was removed meanwhile, by the writer who had it.
 */
static int lock_file(const struct vmsi_journal *journal, const char **problem)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			       .l_start = LOCKED_BYTE, .l_len = 1 };
	struct stat status;
	long error = vmsi_host.file_lock(journal->fd, F_OFD_SETLK, &whole);

	if (error == -EAGAIN || error == -EACCES) {
		*problem = "another file that is open has this journal";
		return -EBUSY;
	}
	if (!error)
		error = vmsi_host.fstat(journal->fd, &status);
	if (error)
		return (int)error;
	/* Some file systems count no names at all. */
	return status.st_nlink == 0 &&
		!vmsi_path_names(journal->path, journal->fd) ? -EAGAIN : 0;
}

/* Open the file, or make it: *is_new. */
static int open_file(struct vmsi_journal *journal, mode_t mode, bool *is_new)
{
	long fd = vmsi_journal_file_open_existing(journal);

	if (fd != -ENOENT || journal->is_read_only)
		return (int)fd;
	fd = vmsi_host.open_file(journal->path,
				 O_RDWR | O_CREAT | O_EXCL, mode);
	/* Where it fails, what is there is not ours to take away. */
	*is_new = fd >= 0;
	if (fd < 0)
		return (int)fd;
	journal->fd = (int)fd;
	return 0;
}

static int open_locked(struct vmsi_journal *journal, mode_t mode, bool *is_new,
		       const char **problem)
{
	int error;

	do {
		if (journal->fd >= 0)
			vmsi_host.close(journal->fd);
		journal->fd = -1;
		error = open_file(journal, mode, is_new);
		if (!error && !journal->is_read_only)
			error = lock_file(journal, problem);
	} while (error == -EAGAIN);
	return error;
}

/* Only whole blocks count. */
void vmsi_journal_file_length(struct vmsi_journal *journal,
			      const struct stat *status)
{
	journal->allocated = vmsi_whole_blocks(journal,
					       (uint64_t)status->st_size);
	journal->length = journal->allocated;
}

/*
 * A journal that the superuser makes for another's file is that other's, who could not
 * open the file again otherwise; and whatever the umask, who may read the file may read
 * its journal.
 */
static void make_like_home(const struct vmsi_journal *journal,
			   const struct stat *status, const struct stat *home)
{
	const mode_t mode = home->st_mode & 0666;

	if (status->st_uid != home->st_uid || status->st_gid != home->st_gid)
		(void)vmsi_host.set_owner(journal->fd, home->st_uid,
					  home->st_gid);
	if ((status->st_mode & 0777) != mode)
		(void)vmsi_host.set_mode(journal->fd, mode);
}

/* That the journal has a file of its own, and how long it is. */
static int look_at_file(struct vmsi_journal *journal, const struct stat *home,
			bool is_new, const char **problem)
{
	struct stat status;
	const long error = vmsi_host.fstat(journal->fd, &status);

	if (error)
		return (int)error;
	journal->device = status.st_dev;
	journal->inode = status.st_ino;
	if (status.st_dev == home->st_dev && status.st_ino == home->st_ino)
		return -EINVAL;
	if (!S_ISREG(status.st_mode)) {
		*problem = "what is at the journal's path is no regular file";
		return -EBADMSG;
	}
	if (is_new)
		make_like_home(journal, &status, home);
	vmsi_journal_file_length(journal, &status);
	return 0;
}

static bool is_anothers(const struct vmsi_journal *journal, const struct stat *status)
{
	return journal->inode != 0 && (status->st_dev != journal->device ||
				       status->st_ino != journal->inode);
}

bool vmsi_journal_is_anothers(const struct vmsi_journal *journal)
{
	struct stat status;

	return vmsi_host.fstat(journal->fd, &status) == 0 &&
		is_anothers(journal, &status);
}

int vmsi_journal_check_descriptor(const struct vmsi_journal *journal)
{
	struct stat status;
	const long error = vmsi_host.fstat(journal->fd, &status);

	if (error)
		return (int)error;
	return is_anothers(journal, &status) ? -EBADF : 0;
}

int vmsi_journal_file_open(struct vmsi_journal *journal, const struct stat *home,
			   bool *is_new, const char **problem)
{
	int error = open_locked(journal, home->st_mode & 0666, is_new, problem);

	return error ? error : look_at_file(journal, home, *is_new, problem);
}

int vmsi_journal_file_remove(const struct vmsi_journal *journal)
{
	const long error = vmsi_path_names(journal->path, journal->fd) ?
		vmsi_host.unlink(journal->path) : 0;

	return error == -ENOENT ? 0 : (int)error;
}
