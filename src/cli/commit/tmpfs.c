/* SPDX-License-Identifier: MIT */
#include <mntent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/array.h"
#include "cli/commit/objects.h"

/* File systems whose device was counted, since one may be mounted in many places. */
struct counted {
	dev_t *devices;
	size_t count, capacity;
};

static bool is_new(struct counted *counted, dev_t device)
{
	dev_t *devices;

	for (size_t i = 0; i < counted->count; i++)
		if (counted->devices[i] == device)
			return false;
	devices = vmsi_with_capacity(counted->devices, counted->count,
				     &counted->capacity, sizeof(*devices));
	if (!devices)
		return false;
	counted->devices = devices;
	devices[counted->count++] = device;
	return true;
}

/* Another file system may lie over it. */
static uint64_t used(struct counted *counted, const char *place)
{
	static const long tmpfs_magic = 0x01021994;
	struct statfs figures;
	struct stat status;

	if (statfs(place, &figures) || stat(place, &status) ||
	    figures.f_type != tmpfs_magic || !is_new(counted, status.st_dev))
		return 0;
	/* One without a limit does not tell. */
	return (uint64_t)(figures.f_blocks - figures.f_bfree) *
		(uint64_t)figures.f_bsize;
}

uint64_t vmsi_tmpfs_used(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct counted counted = { 0 };
	const struct mntent *mount;
	uint64_t sum = 0;

	if (!mounts)
		return 0;
	while ((mount = getmntent(mounts)))
		if (strcmp(mount->mnt_type, "tmpfs") == 0 ||
		    strcmp(mount->mnt_type, "devtmpfs") == 0)
			sum += used(&counted, mount->mnt_dir);
	endmntent(mounts);
	free(counted.devices);
	return sum;
}
