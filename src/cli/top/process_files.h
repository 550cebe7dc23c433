/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_PROCESS_FILES_H
#define VMSI_CLI_TOP_PROCESS_FILES_H

#include <stddef.h>
#include <sys/types.h>

#include "cli/process_name.h"
#include "cli/top/sample.h"

/* The files of a process in procfs, and what they tell. */

enum vmsi_top_file { VMSI_TOP_STATM, VMSI_TOP_STAT, VMSI_TOP_STATUS, VMSI_TOP_FILES };

struct vmsi_top_files {
	pid_t pid;
	int fds[VMSI_TOP_FILES]; /* or -1 */
	char name[VMSI_PROCESS_NAME_SIZE];
};

/* How processes are read. */
struct vmsi_top_wish {
	uint64_t page_size;
	bool swapped; /* else nothing is in swap */
	size_t *spare; /* descriptors that may still be kept open */
};

/*
 * Read a process into an entry, whose name is that of files. Returns 0; -ESRCH where
 * it has ended, also where another process has its number now, which the next call
 * then reads; -ENODATA where it has no memory: a kernel thread, or one that has ended
 * and waits for its parent; -EACCES or -EPERM where it may not be read; -EPROTO.
 */
int vmsi_top_files_read(struct vmsi_top_files *files, const struct vmsi_top_wish *wish,
			struct vmsi_top_entry *entry);

/*
 * Read the command line of a process that was read just now, with blanks between its
 * words. Returns its length; 0 where there is none, it may not be read, or no file of the
 * process is open, which would tell it from another one with its number.
 */
size_t vmsi_top_files_command(const struct vmsi_top_files *files, char *text,
			      size_t size);

/* Close what is open. */
void vmsi_top_files_close(struct vmsi_top_files *files, size_t *spare);

#endif
