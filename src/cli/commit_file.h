/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMIT_FILE_H
#define VMSI_CLI_COMMIT_FILE_H

#include "procfs/lines.h"

/* A file of procfs that is being read. It must not be copied. */
struct vmsi_commit_file {
	int fd;
	struct vmsi_lines lines;
	char buffer[4096];
};

/* Returns 0, or -errno and there is nothing to close. */
int vmsi_commit_file_open(struct vmsi_commit_file *file, const char *path);
void vmsi_commit_file_close(struct vmsi_commit_file *file);

#endif
