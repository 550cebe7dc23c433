/* SPDX-License-Identifier: MIT */
#include "file/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

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

/*
 * Make a file that was not there a moment ago. O_EXCL tells who has made it. It also
 * refuses a link to what is not there, so that the link is followed here.
 */
static int make(char *path, int flags, mode_t mode)
{
	for (int links = 0; links < LINKS_MOST; links++) {
		int fd = open_again(path, flags | O_CREAT | O_EXCL, mode);

		if (fd != -EEXIST || follow_link(path) != 0)
			return fd;
	}
	return -ELOOP;
}

static int make_at(const char *path, int flags, mode_t mode,
		   struct vmsi_made *made)
{
	int fd;

	vmsi_path_copy(made->path, path);
	fd = make(made->path, flags, mode);
	if (fd < 0)
		made->path[0] = 0;
	return fd;
}

static int make_exclusively(const char *path, int flags, mode_t mode,
			    struct vmsi_made *made)
{
	int fd = open_again(path, flags | O_CREAT | O_EXCL, mode);

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

int vmsi_descriptor_open(const char *path, const struct vms_file_options *options,
			 struct vmsi_made *made)
{
	const int flags = open_flags(options);
	const mode_t mode = options->mode ? options->mode : DEFAULT_MODE;

	made->path[0] = 0;
	if (!(options->flags & VMS_FILE_CREATE))
		return open_again(path, flags, 0);
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (options->flags & VMS_FILE_EXCLUSIVE)
		return make_exclusively(path, flags, mode, made);
	return open_or_make(path, flags, mode, made);
}

int vmsi_descriptor_directory(const struct vmsi_made *made)
{
	char path[PATH_MAX];
	const size_t length = directory_length(made->path);

	memcpy(path, made->path, length);
	vmsi_path_copy(path + length, ".");
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
	return (int)(own >= 0 ? own : vmsi_host.duplicate(fd));
}
