/* SPDX-License-Identifier: MIT */
#include "pool/area/path.h"

#include <errno.h>
#include <fcntl.h>

#include "host/host.h"

/* No FIFO is waited for, and no link followed. */
#define HOW (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)

static bool is_same(const struct stat *area, const struct stat *home)
{
	return area->st_dev == home->st_dev && area->st_ino == home->st_ino;
}

/*
 * Who may write the area may write the file by it: nobody may who could not do without.
 * Its owner can give himself the right.
 */
static bool is_trusted(const struct stat *area, const struct stat *home)
{
	return !(area->st_mode & (S_IWGRP | S_IWOTH)) && area->st_nlink <= 1 &&
		(area->st_uid == home->st_uid || area->st_uid == 0 ||
		 area->st_uid == (uid_t)vmsi_host.user());
}

static int check_owner(int fd, int home)
{
	struct stat status = { .st_size = 0 }, home_status = { .st_size = 0 };
	long error = vmsi_host.fstat(fd, &status);

	if (!error)
		error = vmsi_host.fstat(home, &home_status);
	if (error)
		return (int)error;
	if (!S_ISREG(status.st_mode) || is_same(&status, &home_status))
		return -EEXIST;
	return is_trusted(&status, &home_status) ? 0 : -EPERM;
}

static int lock_whole(int fd, short kind)
{
	struct flock whole = { .l_type = kind, .l_whence = SEEK_SET };
	const long error = vmsi_host.file_lock(fd, F_OFD_SETLK, &whole);

	return error == -EAGAIN || error == -EACCES ? -EBUSY : (int)error;
}

long vmsi_area_path_open(const char *path, int home, bool is_read_only)
{
	const long fd = vmsi_host.open_file(
		path, HOW | (is_read_only ? O_RDONLY : O_RDWR | O_CREAT), 0600);
	int error;

	if (fd < 0)
		return fd == -ELOOP || fd == -ENXIO || fd == -EISDIR ? -EEXIST : fd;
	error = check_owner((int)fd, home);
	if (!error)
		error = lock_whole((int)fd, is_read_only ? F_RDLCK : F_WRLCK);
	if (!error)
		return fd;
	(void)vmsi_host.close((int)fd);
	return error;
}

void vmsi_area_path_unlock(int fd)
{
	(void)lock_whole(fd, F_UNLCK);
}
