/* SPDX-License-Identifier: MIT */
#include "share/named.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "host/host.h"

/* The directory of a path. */
static int directory_of(const char *path, char directory[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 1;

	if (slash == path)
		length = 1;
	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(directory, slash ? path : ".", length);
	directory[length] = '\0';
	return 0;
}

static long make_without_name(const char *path, mode_t mode)
{
	char directory[PATH_MAX];
	int error = directory_of(path, directory);

	return error ? error : vmsi_host.open_file(directory,
						   O_TMPFILE | O_RDWR, mode);
}

int vmsi_named_make(struct vmsi_named *named, const char *path, mode_t mode)
{
	long fd = make_without_name(path, mode);

	*named = (struct vmsi_named){ .path = path, .has_name = 0 };
	if (fd != -EOPNOTSUPP && fd != -EISDIR && fd != -EINVAL)
		return (int)fd;
	fd = vmsi_host.open_file(path, O_RDWR | O_CREAT | O_EXCL, mode);
	named->has_name = fd >= 0;
	return (int)fd;
}

int vmsi_named_publish(struct vmsi_named *named, int fd)
{
	int error = named->has_name ? 0 : (int)vmsi_host.link(fd, named->path);

	if (!error)
		named->has_name = 1;
	return error;
}

void vmsi_named_drop(struct vmsi_named *named)
{
	if (named->has_name)
		(void)vmsi_host.unlink(named->path);
}
