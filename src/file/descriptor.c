/* SPDX-License-Identifier: MIT */
#include "file/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "file/file.h"
#include "host/host.h"

/* As many as Linux follows. */
#define LINKS_MOST 40

#define DEFAULT_MODE 0666

/*
 * O_NONBLOCK: a FIFO or a device, which is refused afterwards, is not waited for.
 * It means nothing for a regular file.
 */
static int open_flags(const struct vms_file_options *options)
{
	return (vmsi_descriptor_writes(options) ? O_RDWR : O_RDONLY) |
		O_NONBLOCK | O_NOCTTY;
}

static int open_again(const char *path, int flags, mode_t mode)
{
	long fd;

	do
		fd = vmsi_host.open_file(path, flags, mode);
	while (fd == -EINTR);
	return (int)fd;
}

/* --- the lock of who makes a file ----------------------------------------------------- */

#define MAKING VMSI_FIRST_LOCK

static long lock_making(int fd, int command, short type, struct flock *lock)
{
	long error;

	do {
		*lock = (struct flock){ .l_type = type, .l_whence = SEEK_SET,
					.l_start = MAKING, .l_len = 1 };
		error = vmsi_host.file_lock(fd, command, lock);
	} while (error == -EINTR);
	return error;
}

/* One of more than the library's bytes is of a program that locks the file for itself. */
static void wait_until_made(int fd)
{
	struct flock lock;

	if (lock_making(fd, F_OFD_GETLK, F_RDLCK, &lock) != 0 ||
	    lock.l_type != F_WRLCK || !vmsi_lock_is_ours(&lock))
		return;
	if (lock_making(fd, F_OFD_SETLKW, F_RDLCK, &lock) == 0)
		(void)lock_making(fd, F_OFD_SETLK, F_UNLCK, &lock);
}

/* Whether a file has no name: its maker has removed it, or it never had one. */
static bool is_nameless(int fd, struct stat *status)
{
	return vmsi_host.fstat(fd, status) == 0 && status->st_nlink == 0;
}

void vmsi_descriptor_keep(int fd, const struct vmsi_made *made)
{
	struct flock lock;

	if (made->is_locked)
		(void)lock_making(fd, F_OFD_SETLK, F_UNLCK, &lock);
}

void vmsi_descriptor_remove(int fd, const struct vmsi_made *made)
{
	struct stat status;

	/* Somebody may have removed it meanwhile, and made another. */
	if (made->is_locked && !is_nameless(fd, &status))
		(void)vmsi_host.unlink(made->path);
	vmsi_descriptor_keep(fd, made);
}

/* --- by path -------------------------------------------------------------------------- */

/* The bytes of a path up to its last component. */
static size_t directory_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Put what a symbolic link says in the place of its path; -errno if it is none. */
static int follow_link(char *path)
{
	char target[PATH_MAX];
	size_t before = directory_length(path);
	long length = vmsi_host.readlink(path, target, sizeof(target));

	if (length < 0)
		return (int)length;
	if (target[0] == '/')
		before = 0;
	if (before + (size_t)length >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path + before, target, (size_t)length);
	path[before + (size_t)length] = 0;
	return 0;
}

/* The directory of a path, in a form that can be opened. */
static void directory_of(char *directory, const char *path)
{
	const size_t length = directory_length(path);

	memcpy(directory, path, length);
	vmsi_path_copy(directory + length, ".");
}

/* Make a file without a name, lock it, and then name it. */
static int make_locked(const char *path, int flags, mode_t mode)
{
	char directory[PATH_MAX];
	struct flock lock;
	long error;
	int fd;

	if (directory_length(path) + sizeof(".") > sizeof(directory))
		return -ENAMETOOLONG;
	directory_of(directory, path);
	fd = open_again(directory, (flags & ~O_ACCMODE) | O_RDWR | O_TMPFILE,
			mode);
	if (fd < 0)
		return fd;
	error = lock_making(fd, F_OFD_SETLK, F_WRLCK, &lock);
	if (!error)
		error = vmsi_host.link(fd, path);
	if (!error)
		return fd;
	(void)vmsi_host.close(fd);
	return (int)error;
}

/* Make a file whose name is not there. */
static int make_one(const char *path, int flags, mode_t mode,
		    struct vmsi_made *made)
{
	int fd = make_locked(path, flags, mode);

	made->is_locked = fd >= 0;
	return fd >= 0 || fd == -EEXIST ? fd :
		open_again(path, flags | O_CREAT | O_EXCL, mode);
}

/*
 * Make a file that was not there a moment ago. O_EXCL tells who has made it. It also
 * refuses a link to what is not there, so that the link is followed here.
 */
static int make(int flags, mode_t mode, struct vmsi_made *made)
{
	for (int links = 0; links < LINKS_MOST; links++) {
		int fd = make_one(made->path, flags, mode, made);

		if (fd != -EEXIST || follow_link(made->path) != 0)
			return fd;
	}
	return -ELOOP;
}

static int make_at(const char *path, int flags, mode_t mode,
		   struct vmsi_made *made)
{
	int fd;

	vmsi_path_copy(made->path, path);
	fd = make(flags, mode, made);
	if (fd < 0)
		made->path[0] = 0;
	return fd;
}

static int make_exclusively(const char *path, int flags, mode_t mode,
			    struct vmsi_made *made)
{
	int fd = make_one(path, flags, mode, made);

	if (fd >= 0)
		vmsi_path_copy(made->path, path);
	return fd;
}

/* Open what is there, or make it: again, where it comes and goes meanwhile. */
static int open_or_make(const char *path, int flags, mode_t mode,
			struct vmsi_made *made)
{
	int fd;

	do {
		fd = open_again(path, flags, 0);
		if (fd == -ENOENT)
			fd = make_at(path, flags, mode, made);
	} while (fd == -EEXIST);
	return fd;
}

static int open_once(const char *path, const struct vms_file_options *options,
		     struct vmsi_made *made)
{
	const int flags = open_flags(options);
	const mode_t mode = options->mode ? options->mode : DEFAULT_MODE;

	made->path[0] = 0;
	made->is_locked = false;
	if (!(options->flags & VMS_FILE_CREATE))
		return open_again(path, flags, 0);
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (options->flags & VMS_FILE_EXCLUSIVE)
		return make_exclusively(path, flags, mode, made);
	return open_or_make(path, flags, mode, made);
}

static bool is_same(int fd, const struct stat *status)
{
	struct stat other;

	return vmsi_host.fstat(fd, &other) == 0 &&
		other.st_dev == status->st_dev && other.st_ino == status->st_ino;
}

/*
 * What was opened and has no name any more is opened again, since another one may have
 * been made. (A path in /proc may lead to a file without a name.)
 */
int vmsi_descriptor_open(const char *path, const struct vms_file_options *options,
			 struct vmsi_made *made)
{
	int fd = open_once(path, options, made);
	struct stat status;

	for (;;) {
		int next;

		if (fd < 0 || made->path[0])
			return fd;
		wait_until_made(fd);
		if (!is_nameless(fd, &status))
			return fd;
		next = open_once(path, options, made);
		if (next >= 0 && !made->path[0] && is_same(next, &status)) {
			(void)vmsi_host.close(next);
			return fd;
		}
		(void)vmsi_host.close(fd);
		fd = next;
	}
}

int vmsi_descriptor_directory(const struct vmsi_made *made)
{
	char path[PATH_MAX];

	directory_of(path, made->path);
	return open_again(path, O_RDONLY | O_DIRECTORY, 0);
}

/* --- by descriptor -------------------------------------------------------------------- */

static bool allows(long open_for, const struct vms_file_options *options)
{
	if (open_for & O_PATH)
		return false;
	return (open_for & O_ACCMODE) == O_RDWR ||
		((open_for & O_ACCMODE) == O_RDONLY &&
		 !vmsi_descriptor_writes(options));
}

int vmsi_descriptor_reopen(int fd, int flags)
{
	char link[VMSI_DESCRIPTOR_LINK_BYTES];

	vmsi_descriptor_link(link, fd);
	return open_again(link, flags | O_NOCTTY, 0);
}

int vmsi_descriptor_take(int fd, const struct vms_file_options *options)
{
	long open_for = vmsi_host.file_flags(fd);
	long own;

	if (open_for < 0)
		return (int)open_for;
	if (!allows(open_for, options))
		return -EBADF;
	own = vmsi_descriptor_reopen(fd, open_flags(options));
	return (int)(own >= 0 ? own : vmsi_host.duplicate(fd, 0));
}

/* --- what became of it ---------------------------------------------------------------- */

static bool is_of_file(const struct stat *status, const struct vms_file *file)
{
	return status->st_dev == file->device && status->st_ino == file->inode;
}

bool vmsi_descriptor_was_taken(const struct vms_file *file, int fd)
{
	struct stat status;

	return vmsi_host.fstat(fd, &status) == 0 && !is_of_file(&status, file);
}

bool vmsi_descriptor_is_of(const struct vms_file *file, int fd)
{
	struct stat status;

	return vmsi_host.fstat(fd, &status) == 0 && is_of_file(&status, file);
}

int vmsi_descriptor_look(const struct vms_file *file, uint64_t *size)
{
	struct stat status;
	const long error = vmsi_host.fstat(file->fd, &status);

	if (error)
		return (int)error;
	if (!is_of_file(&status, file))
		return -EBADF;
	if (size)
		*size = (uint64_t)status.st_size;
	return 0;
}
