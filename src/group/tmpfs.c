/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/*
 * File systems in memory, by the device that their files have. Read once: those
 * that are mounted later are known by the usual path only.
 */

bool vmsi_tmpfs_has(const struct vms_group *group, uint64_t device)
{
	for (size_t i = 0; i < group->tmpfs_count; i++)
		if (group->tmpfs[i] == device)
			return true;
	return false;
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS... - TYPE SOURCE OPTIONS" */
static void take_line(struct vms_group *group, const char *line)
{
	uint64_t *all = group->tmpfs;
	unsigned long major_number, minor_number = 0;
	char *at;

	if (!strstr(line, " - tmpfs "))
		return;
	(void)strtoul(line, &at, 10);
	(void)strtoul(at, &at, 10);
	major_number = strtoul(at, &at, 10);
	if (*at == ':')
		minor_number = strtoul(at + 1, NULL, 10);
	all = reallocarray(all, group->tmpfs_count + 1, sizeof *all);
	if (!all)
		return;
	group->tmpfs = all;
	all[group->tmpfs_count++] = makedev((unsigned)major_number,
					    (unsigned)minor_number);
}

void vmsi_tmpfs_read(struct vms_group *group)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0;

	if (!mounts)
		return;
	while (getline(&line, &room, mounts) > 0)
		take_line(group, line);
	free(line);
	fclose(mounts);
}
