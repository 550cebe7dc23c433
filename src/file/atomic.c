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
