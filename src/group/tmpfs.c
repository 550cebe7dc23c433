/* SPDX-License-Identifier: MIT */
#include "group/objects.h"
#include "group/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * File systems in memory, by the device that their files have. Read once; of
 * those that are mounted later one is learnt when a file of it is mapped that
 * has the usual path.
 */

bool vmsi_tmpfs_has(const struct vms_group *group, uint64_t device)
{
	for (size_t i = 0; i < group->tmpfs_count; i++)
		if (group->tmpfs[i] == device)
			return true;
	return false;
}

static void add(struct vms_group *group, uint64_t device)
{
	uint64_t *all;

	if (vmsi_tmpfs_has(group, device))
		return;
	all = reallocarray(group->tmpfs, group->tmpfs_count + 1, sizeof *all);
	if (!all)
		return;
	group->tmpfs = all;
	all[group->tmpfs_count++] = device;
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS... - TYPE SOURCE OPTIONS" */
static void take_line(struct vms_group *group, const char *line)
{
	unsigned long major_number, minor_number = 0;
	char *at;

	if (!strstr(line, " - tmpfs "))
		return;
	(void)strtoul(line, &at, 10);
	(void)strtoul(at, &at, 10);
	major_number = strtoul(at, &at, 10);
	if (*at == ':')
		minor_number = strtoul(at + 1, NULL, 10);
	add(group, makedev((unsigned)major_number, (unsigned)minor_number));
}

/* Those of a process's namespace of mounts. */
static void take_mounts(struct vms_group *group, pid_t pid)
{
	FILE *mounts = vmsi_proc_open(pid, "mountinfo");
	char *line = NULL;
	size_t room = 0;

	if (!mounts)
		return;
	while (getline(&line, &room, mounts) > 0)
		take_line(group, line);
	free(line);
	fclose(mounts);
}

/* All memfds are of one that is mounted nowhere. */
static void take_memfds(struct vms_group *group)
{
	const int file = memfd_create("vmspace-device", MFD_CLOEXEC);
	struct stat status;

	if (file < 0)
		return;
	if (fstat(file, &status) == 0)
		add(group, status.st_dev);
	close(file);
}

void vmsi_tmpfs_read(struct vms_group *group)
{
	take_mounts(group, getpid());
	take_memfds(group);
}

bool vmsi_tmpfs_learn(struct vms_group *group, pid_t thread, uint64_t device)
{
	take_mounts(group, thread);
	return vmsi_tmpfs_has(group, device);
}
