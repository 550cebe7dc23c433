/* SPDX-License-Identifier: MIT */
#include "group/measure/shared.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "group/process/proc.h"
#include "text/scan.h"

/*
 * File systems in memory are known by the device of their files. Those that are
 * mounted when a group begins are read once. One that is mounted later becomes
 * known when a file of it is mapped whose path is usual for files in memory.
 */

bool vmsi_tmpfs_has(const struct vmsi_shared *shared, uint64_t device)
{
	for (size_t i = 0; i < shared->tmpfs_count; i++)
		if (shared->tmpfs[i] == device)
			return true;
	return false;
}

static void add(struct vmsi_shared *shared, uint64_t device)
{
	uint64_t *all;

	if (vmsi_tmpfs_has(shared, device))
		return;
	all = vmsi_with_capacity(shared->tmpfs, shared->tmpfs_count,
			     &shared->tmpfs_capacity, sizeof *all);
	if (!all)
		return;
	shared->tmpfs = all;
	all[shared->tmpfs_count++] = device;
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS... - TYPE SOURCE OPTIONS" */
static void take_line(struct vmsi_shared *shared, const char *line)
{
	struct vmsi_scan scan = vmsi_scan_text(line);
	uint64_t mount, parent, major_number, minor_number;

	if (strstr(line, " - tmpfs ") && vmsi_scan_column(&scan, &mount) &&
	    vmsi_scan_column(&scan, &parent) &&
	    vmsi_scan_column(&scan, &major_number) &&
	    vmsi_scan_char(&scan, ':') &&
	    vmsi_scan_decimal(&scan, &minor_number))
		add(shared, makedev((unsigned)major_number,
				    (unsigned)minor_number));
}

/* Note those that are mounted in a process's namespace of mounts. */
static void take_mounts(struct vmsi_shared *shared, pid_t pid)
{
	FILE *mounts = vmsi_proc_open(pid, "mountinfo");
	char *line = NULL;
	size_t capacity = 0;

	if (!mounts)
		return;
	while (getline(&line, &capacity, mounts) > 0)
		take_line(shared, line);
	free(line);
	fclose(mounts);
}

/* All memfds are files of one file system, which is mounted nowhere. */
static void take_memfds(struct vmsi_shared *shared)
{
	const int file = memfd_create("vmspace-device", MFD_CLOEXEC);
	struct stat status;

	if (file < 0)
		return;
	if (fstat(file, &status) == 0)
		add(shared, status.st_dev);
	close(file);
}

void vmsi_tmpfs_read(struct vmsi_shared *shared)
{
	take_mounts(shared, getpid());
	take_memfds(shared);
}

bool vmsi_tmpfs_learn(struct vmsi_shared *shared, pid_t thread, uint64_t device)
{
	take_mounts(shared, thread);
	return vmsi_tmpfs_has(shared, device);
}

void vmsi_shared_free(struct vmsi_shared *shared)
{
	free(shared->tmpfs);
	vmsi_memory_files_free(&shared->files);
}
