/* SPDX-License-Identifier: MIT */
#include "file/appenders.h"

#include <errno.h>
#include <fcntl.h>

#include "file/file.h"
#include "host/host.h"

/*
 * No file reaches so far: ext4 ends at 16 TiB, and xfs at the last but two bytes.
 *
 *   APPENDS   shared by all that append; exclusive: the others wait
 *   KEEPS_OUT held by one that lets nobody else append
 *   (3        held by one that makes the file: descriptor.c)
 */
enum byte {
	APPENDS = 1,
	KEEPS_OUT = 2,
};

static struct flock byte_of(enum byte byte, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)INT64_MAX - (off_t)byte,
		.l_len = 1,
	};
}

static long lock_byte(const struct vms_file *file, enum byte byte, int command,
		      short type)
{
	struct flock request = byte_of(byte, type);
	long error;

	do
		error = vmsi_host.file_lock(file->fd, command, &request);
	while (error == -EINTR);
	return error;
}

static long lock(const struct vms_file *file, int command, short type)
{
	return lock_byte(file, APPENDS, command, type);
}

static bool is_held(long error)
{
	return error == -EAGAIN || error == -EACCES;
}

static bool is_kept_out(const struct vms_file *file)
{
	struct flock other = byte_of(KEEPS_OUT, F_RDLCK);

	return vmsi_host.file_lock(file->fd, F_OFD_GETLK, &other) == 0 &&
		other.l_type == F_WRLCK;
}

/* The number of the descriptor stays: other threads are using it. */
static int make_own_description(struct vms_file *file)
{
	char link[VMSI_DESCRIPTOR_LINK_BYTES];
	long fd;
	long error;

	vmsi_descriptor_link(link, file->fd);
	fd = vmsi_host.open_file(link, O_RDWR | O_NOCTTY, 0);
	if (fd < 0)
		return (int)fd;
	error = vmsi_host.replace((int)fd, file->fd);
	(void)vmsi_host.close((int)fd);
	return error < 0 ? (int)error : 0;
}

/*
 * Where a file system has no locks (ENOLCK of some network ones), nobody else can
 * tell that it is there, either: this process then takes itself to be alone.
 */
int vmsi_appenders_join(struct vms_file *file)
{
	int error = 0;

	if (file->appenders == VMSI_APPENDERS_JOINED)
		return 0;
	if (file->appenders == VMSI_APPENDERS_SHARED)
		error = make_own_description(file);
	if (error)
		return error;
	if (lock(file, F_OFD_SETLKW, F_RDLCK) == -EBADF)
		return -EBADF;
	/* Who keeps others out looks the other way round, so one of the two sees it. */
	if (is_kept_out(file)) {
		(void)lock(file, F_OFD_SETLK, F_UNLCK);
		return -EBUSY;
	}
	file->appenders = VMSI_APPENDERS_JOINED;
	return 0;
}

int vmsi_appenders_keep_out(struct vms_file *file)
{
	int error;

	if (is_held(lock_byte(file, KEEPS_OUT, F_OFD_SETLK, F_WRLCK)))
		return -EBUSY;
	error = vmsi_appenders_join(file);
	if (!error && !vmsi_appenders_shut_out(file))
		return -EBUSY;
	if (!error)
		vmsi_appenders_let_in(file);
	return error;
}

bool vmsi_appenders_shut_out(struct vms_file *file)
{
	return !is_held(lock(file, F_OFD_SETLK, F_WRLCK));
}

void vmsi_appenders_let_in(struct vms_file *file)
{
	(void)lock(file, F_OFD_SETLK, F_RDLCK);
}
