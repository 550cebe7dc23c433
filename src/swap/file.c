/* SPDX-License-Identifier: MIT */
#include "swap/file.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/align.h"
#include "host/disk.h"
#include "host/host.h"

struct header {
	char magic[16];
};

static const struct header ours = { "vmspace-swap 1\n" };

enum origin { FOUND, MADE, MADE_WITHOUT_NAME };

/* --- in a directory ----------------------------------------------------------------- */

/* A path in a directory that nobody else thinks of. */
static int choose_name(const char *directory, char path[PATH_MAX])
{
	static const char prefix[] = "/vmspace-swap-", digits[] = "0123456789abcdef";
	const size_t length = strlen(directory);
	uint64_t random;

	if (length + sizeof(prefix) + 2 * sizeof(random) > PATH_MAX)
		return -ENAMETOOLONG;
	if (vmsi_host.random(&random, sizeof(random)) != (long)sizeof(random))
		random = vmsi_host.clock();
	memcpy(path, directory, length);
	memcpy(path + length, prefix, sizeof(prefix));
	path += length + sizeof(prefix) - 1;
	for (unsigned i = 0; i < 2 * sizeof(random); i++, random >>= 4)
		*path++ = digits[random & 15];
	*path = '\0';
	return 0;
}

/* A file that loses its name at once, where a file system makes none without one. */
static long make_and_unlink(const char *directory)
{
	char path[PATH_MAX];
	long fd = choose_name(directory, path);
	long error;

	if (!fd)
		fd = vmsi_host.open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return fd;
	error = vmsi_host.unlink(path);
	if (!error)
		return fd;
	(void)vmsi_host.close((int)fd);
	return error;
}

static long open_in_directory(const char *directory)
{
	const long fd = vmsi_host.open_file(directory, O_RDWR | O_TMPFILE, 0600);

	return fd == -EOPNOTSUPP || fd == -EISDIR || fd == -EINVAL ?
		make_and_unlink(directory) : fd;
}

/* --- opening ------------------------------------------------------------------------ */

/* No FIFO is waited for, and no link followed. */
static long open_path(const char *path, enum origin *origin)
{
	long fd = vmsi_host.open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	*origin = fd >= 0 ? MADE : FOUND;
	if (fd == -EEXIST)
		fd = vmsi_host.open_file(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
					 0);
	if (fd == -EISDIR) {
		*origin = MADE_WITHOUT_NAME;
		fd = open_in_directory(path);
	}
	return fd == -ELOOP || fd == -ENXIO ? -EEXIST : fd;
}

/*
 * What is in memory is nobody else's business, and will be in the file. One that was made
 * here belongs to whom its file system says, which may know no users.
 */
static int check_owner(const struct stat *status, enum origin origin)
{
	if (!S_ISREG(status->st_mode))
		return -EEXIST;
	if (origin == FOUND && status->st_uid != (uid_t)vmsi_host.user())
		return -EPERM;
	return (status->st_mode & (S_IRWXG | S_IRWXO)) || status->st_nlink > 1 ? -EPERM : 0;
}

static int lock_whole(int fd, short kind)
{
	struct flock whole = { .l_type = kind, .l_whence = SEEK_SET };
	const long error = vmsi_host.file_lock(fd, F_OFD_SETLK, &whole);

	return error == -EAGAIN || error == -EACCES ? -EBUSY : (int)error;
}

/* Whether an earlier run has left the file, or it has nothing in it. */
static int check_contents(int fd, const struct stat *status)
{
	struct header found;
	long length;

	if (status->st_size == 0)
		return 0;
	length = vmsi_host.pread(fd, &found, sizeof(found), 0);
	if (length < 0)
		return (int)length;
	return length == (long)sizeof(found) && memcmp(&found, &ours, sizeof(found)) == 0 ?
		0 : -EEXIST;
}

static int check(int fd, enum origin origin)
{
	struct stat status;
	int error = (int)vmsi_host.fstat(fd, &status);

	if (!error)
		error = check_owner(&status, origin);
	if (!error)
		error = lock_whole(fd, F_WRLCK);
	/* It was changed by who had it until now. */
	if (!error)
		error = (int)vmsi_host.fstat(fd, &status);
	return error ? error : check_contents(fd, &status);
}

/* The header comes first, so that what is left by a death in between is known again. */
static int begin_anew(int fd)
{
	const long written = vmsi_host.pwrite(fd, &ours, sizeof(ours), 0);

	if (written != (long)sizeof(ours))
		return written < 0 ? (int)written : -ENOSPC;
	return (int)vmsi_host.ftruncate(fd, sizeof(ours));
}

int vmsi_swap_file_open(const char *path)
{
	enum origin origin;
	const long fd = open_path(path, &origin);
	int error;

	if (fd < 0)
		return (int)fd;
	error = check((int)fd, origin);
	if (!error)
		error = begin_anew((int)fd);
	if (!error)
		return (int)fd;
	/* Who has the lock of what was made here has it for a store already. */
	if (origin == MADE && error != -EBUSY)
		(void)vmsi_host.unlink(path);
	(void)vmsi_host.close((int)fd);
	return error;
}

void vmsi_swap_file_close(int fd)
{
	(void)vmsi_host.ftruncate(fd, sizeof(ours));
	/* A child that was forked just now has the description, too. */
	(void)lock_whole(fd, F_UNLCK);
	(void)vmsi_host.close(fd);
}

int vmsi_swap_file_reserve(int fd, uint64_t offset, uint64_t length)
{
	int error = vmsi_disk_extend(fd, offset, length, VMSI_DISK_KEEP_SIZE);

	if (error == -EOPNOTSUPP && !vmsi_disk_check_limit(offset + length))
		error = vmsi_disk_write_zeros(fd, offset, length);
	return error == -ENOSPC || error == -EDQUOT ? -ENOSPC : 0;
}

/* A write beyond RLIMIT_FSIZE would raise a signal. */
uint64_t vmsi_swap_file_limit(uint64_t limit)
{
	return vmsi_min(limit, vmsi_disk_limit());
}
