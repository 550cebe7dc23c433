/* SPDX-License-Identifier: MIT */
#include "cli/memfds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int vmsi_memfd_device(dev_t *device)
{
	struct stat status;
	int fd = memfd_create("vmspace-looks", MFD_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = fstat(fd, &status) ? -errno : 0;
	close(fd);
	if (!error)
		*device = status.st_dev;
	return error;
}

/*
 * Open for reading the file that path_fd (O_PATH) refers to. The process may
 * meanwhile have another file under the same number, but path_fd still refers to
 * the one that was checked. Returns the descriptor or -errno.
 */
static int open_for_reading(int path_fd)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int look_at_memfd(const struct vmsi_memfds *memfds, int path_fd)
{
	struct stat status;
	int result, fd;

	if (fstat(path_fd, &status) || status.st_dev != memfds->device ||
	    !S_ISREG(status.st_mode))
		return 0;
	fd = open_for_reading(path_fd);
	result = memfds->seen(memfds->context, &status, fd);
	if (fd >= 0)
		close(fd);
	return result;
}

/*
 * Returns 1 where the descriptor has the name, 0 where it has another, or -errno
 * where its link cannot be read.
 */
static int has_name(const struct vmsi_memfds *memfds, int directory,
		    const char *entry)
{
	char target[128];
	const ssize_t length = readlinkat(directory, entry, target,
					  sizeof(target));

	if (length < 0)
		return -errno;
	return (size_t)length == strlen(memfds->link) &&
		memcmp(target, memfds->link, (size_t)length) == 0;
}

static int look_at_descriptor(const struct vmsi_memfds *memfds, int directory,
			      const char *entry)
{
	int result = has_name(memfds, directory, entry);
	int path_fd;

	if (result <= 0)
		return result;
	path_fd = openat(directory, entry, O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return -errno;
	result = look_at_memfd(memfds, path_fd);
	close(path_fd);
	return result;
}

static int look_at_descriptors(const struct vmsi_memfds *memfds,
			       DIR *descriptors)
{
	const struct dirent *entry;

	while ((entry = readdir(descriptors))) {
		int error = 0;

		if (entry->d_name[0] != '.')
			error = look_at_descriptor(memfds, dirfd(descriptors),
						   entry->d_name);
		/* ENOENT: the process has closed it meanwhile. */
		if (error && error != -ENOENT)
			return error;
	}
	return 0;
}

int vmsi_memfds_look(const struct vmsi_memfds *memfds, pid_t pid)
{
	DIR *descriptors;
	char path[64];
	int error;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	descriptors = opendir(path);
	if (!descriptors)
		return -errno;
	error = look_at_descriptors(memfds, descriptors);
	closedir(descriptors);
	return error;
}
