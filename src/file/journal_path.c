/* SPDX-License-Identifier: MIT */
#include "file/journal_path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file/descriptor.h"
#include "host/host.h"

#define SUFFIX ".journal"

/* What a link of /proc says; false: it cannot be told, or not all of it. */
static bool read_link(const char *link, char result[PATH_MAX])
{
	const long length = vmsi_host.readlink(link, result, PATH_MAX);

	if (length <= 0 || length >= PATH_MAX || result[0] != '/')
		return false;
	result[length] = '\0';
	return true;
}

static int append(char result[PATH_MAX], const char *more)
{
	const size_t length = strlen(result);

	if (length + strlen(more) >= PATH_MAX)
		return -ENAMETOOLONG;
	vmsi_path_copy(result + length, more);
	return 0;
}

/* A relative path, from the directory that the process is in now. */
static int make_absolute(char result[PATH_MAX], const char *path)
{
	result[0] = '\0';
	if (path[0] != '/') {
		/* Where /proc is not mounted, the path has to do as it is. */
		if (!read_link("/proc/self/cwd", result))
			result[0] = '\0';
		else if (append(result, "/") != 0)
			return -ENAMETOOLONG;
	}
	return append(result, path);
}

bool vmsi_path_names(const char *path, int fd)
{
	struct stat opened, named;
	const long there = vmsi_host.open_file(path, O_PATH, 0);
	bool same;

	if (there < 0)
		return false;
	same = vmsi_host.fstat((int)there, &named) == 0 &&
		vmsi_host.fstat(fd, &opened) == 0 &&
		named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
	(void)vmsi_host.close((int)there);
	return same;
}

int vmsi_journal_path(char result[PATH_MAX], int home, const char *path,
		      const char *chosen)
{
	char link[VMSI_DESCRIPTOR_LINK_BYTES];
	int error;

	if (chosen)
		return make_absolute(result, chosen);
	vmsi_descriptor_link(link, home);
	/* A file that was removed has " (deleted)" behind a name that it has not. */
	if (!read_link(link, result) || !vmsi_path_names(result, home)) {
		error = make_absolute(result, path);
		if (error)
			return error;
	}
	return append(result, SUFFIX);
}
