/* SPDX-License-Identifier: MIT */
#include "commit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "procfs/file.h"

int vmsi_commit_file_open(struct vmsi_commit_file *file, const char *path)
{
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return -errno;
	vmsi_procfs_lines(&file->lines, &file->fd, file->buffer,
			  sizeof(file->buffer));
	return 0;
}

void vmsi_commit_file_close(struct vmsi_commit_file *file)
{
	close(file->fd);
}
