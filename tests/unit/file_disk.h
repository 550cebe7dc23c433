/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_FILE_DISK_H
#define VMSI_TESTS_FILE_DISK_H

#include <sys/mount.h>

#include "file_fixture.h"

/* A small ext4 of its own, on a loop device over an image. */
struct disk {
	const char *directory;
	char image[128];
};

#define DISK_BYTES ((off_t)16 << 20)

/* false: the machine has no loop devices or no mke2fs, and there is nothing. */
static inline bool mount_disk(struct disk *disk, const char *directory)
{
	char command[1024];

	disk->directory = directory;
	(void)snprintf(disk->image, sizeof(disk->image), "%s.image", directory);
	(void)snprintf(command, sizeof(command),
		       "truncate -s %lld '%s' && mke2fs -q -F -t ext4 -O ^has_journal '%s' "
		       ">/dev/null 2>&1 && mount -o loop '%s' '%s' 2>/dev/null",
		       (long long)DISK_BYTES, disk->image, disk->image, disk->image,
		       directory);
	if (system(command) == 0)
		return true;
	(void)unlink(disk->image);
	return false;
}

static inline void unmount_disk(struct disk *disk)
{
	assert_int_equal(umount2(disk->directory, MNT_DETACH), 0);
	assert_int_equal(unlink(disk->image), 0);
}

#endif
