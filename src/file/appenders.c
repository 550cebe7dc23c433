/* SPDX-License-Identifier: MIT */
#include "file/appenders.h"

#include <errno.h>
#include <fcntl.h>

#include "file/file.h"
#include "host/host.h"

/* No file reaches so far: ext4 ends at 16 TiB, and xfs at the last but one byte. */
#define LOCKED_BYTE ((off_t)INT64_MAX - 1)

static long lock(const struct vms_file *file, int command, short type)
{
	struct flock byte = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = LOCKED_BYTE,
		.l_len = 1,
	};
	long error;

	do
		error = vmsi_host.file_lock(file->fd, command, &byte);
	while (error == -EINTR);
	return error;
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
	file->appenders = VMSI_APPENDERS_JOINED;
	return 0;
}

bool vmsi_appenders_shut_out(struct vms_file *file)
{
	const long error = lock(file, F_OFD_SETLK, F_WRLCK);

	return error != -EAGAIN && error != -EACCES;
}

void vmsi_appenders_let_in(struct vms_file *file)
{
	(void)lock(file, F_OFD_SETLK, F_RDLCK);
}
