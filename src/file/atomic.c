/* SPDX-License-Identifier: MIT */
#include "file/atomic.h"

#include <errno.h>

#include "file/file.h"

int vmsi_atomic_open(struct vms_file *file, const char *journal,
		     size_t dirty_limit, const char **problem)
{
	(void)file, (void)journal, (void)dirty_limit, (void)problem;
	return -EOPNOTSUPP;
}

int vmsi_atomic_start(struct vms_file *file)
{
	(void)file;
	return -EOPNOTSUPP;
}

int vmsi_atomic_close(struct vms_file *file)
{
	(void)file;
	return -EOPNOTSUPP;
}

int vmsi_atomic_append(struct vms_file *file, const void *bytes, size_t length,
		       uint64_t *offset)
{
	(void)file, (void)bytes, (void)length, (void)offset;
	return -EOPNOTSUPP;
}

int vmsi_atomic_resize(struct vms_file *file, uint64_t size)
{
	(void)file, (void)size;
	return -EOPNOTSUPP;
}

int vmsi_atomic_refresh(struct vms_file *file)
{
	(void)file;
	return -EOPNOTSUPP;
}

void vmsi_atomic_forked(struct vms_file *file)
{
	(void)file;
}

void vmsi_atomic_stats(struct vms_file *file, struct vms_file_stats *stats)
{
	(void)file, (void)stats;
}

int vmsi_atomic_begin_access(struct vms_file *file)
{
	(void)file;
	return -EOPNOTSUPP;
}

void vmsi_atomic_end_access(struct vms_file *file)
{
	(void)file;
}

int vmsi_atomic_show_again(struct vms_file *file, uint64_t offset,
			   uint64_t length)
{
	(void)file, (void)offset, (void)length;
	return -EOPNOTSUPP;
}
