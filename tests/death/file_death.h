/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_FILE_DEATH_H
#define VMSI_TESTS_FILE_DEATH_H

#include <string.h>

#include "death.h"

/* A file of eight pages that has no name any more, opened by its descriptor's link. */
static inline vms_file *open_file(int *fd)
{
	char path[] = "/tmp/vmspace-death-XXXXXX";
	struct rlimit no_core = { 0, 0 };
	vms_file *file;

	setrlimit(RLIMIT_CORE, &no_core);
	*fd = mkstemp(path);
	if (*fd < 0 || ftruncate(*fd, (off_t)(8 * page_size())) != 0)
		give_up("mkstemp");
	file = vms_file_open(path, NULL);
	unlink(path);
	if (!file)
		give_up("vms_file_open");
	return file;
}

#endif
