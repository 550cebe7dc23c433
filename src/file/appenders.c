/* SPDX-License-Identifier: MIT */
#include "file/appenders.h"

#include <errno.h>
#include <fcntl.h>

#include "file/descriptor.h"
#include "file/file.h"
#include "host/host.h"

/*
 * Bytes from the last one of all on, backwards.
 *
 *   APPENDS   shared by all that append; exclusive: the others wait
 *   KEEPS_OUT held by one that lets nobody else append
 *   (3        held by one that makes the file: descriptor.c)
 */
enum byte {
	APPENDS = 1,
	KEEPS_OUT = 2,
};

static off_t place_of(enum byte byte)
{
	return (off_t)INT64_MAX - (off_t)byte;
}

static struct flock byte_of(enum byte byte, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = place_of(byte),
		.l_len = 1,
	};
}

static long lock_byte(const struct vms_file *file, enum byte byte, int command,
		      short type)
{
	struct flock request = byte_of(byte, type);
	long error;

	do
		error = vmsi_host.file_lock(file->append_lock, command, &request);
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

/*
 * Whether another one of this library has a byte for itself. A lock of more than the
 * library's bytes is of a program that locks the file, perhaps of this very one: it means
 * something else, and may stay for ever.
 */
static bool is_taken(const struct vms_file *file, enum byte byte)
{
	struct flock other = byte_of(byte, F_RDLCK);

	return vmsi_host.file_lock(file->append_lock, F_OFD_GETLK, &other) == 0 &&
		other.l_type == F_WRLCK && vmsi_lock_is_ours(&other);
}

/* --- descriptions --------------------------------------------------------------------- */

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
 * A description that the file is mapped by is there, with its locks, for as long as a
 * child of a fork has the mapping. Where there is no other to be had, that is so.
 */
static int have_descriptions(struct vms_file *file)
{
	int error;

	if (file->append_lock >= 0)
		return 0;
	error = file->appenders == VMSI_APPENDERS_SHARED ?
		make_own_description(file) : 0;
	if (error)
		return error;
	file->appenders = VMSI_APPENDERS_ALONE;
	file->append_lock = vmsi_descriptor_reopen(file->fd, O_RDWR);
	if (file->append_lock < 0)
		file->append_lock = file->fd;
	return 0;
}

/* It may have become the program's; see leave_descriptor of open.c. */
static bool has_lock_descriptor(const struct vms_file *file)
{
	return file->append_lock >= 0 &&
		!vmsi_descriptor_was_taken(file, file->append_lock);
}

static void close_lock_descriptor(struct vms_file *file)
{
	if (has_lock_descriptor(file) && file->append_lock != file->fd)
		(void)vmsi_host.close(file->append_lock);
	file->append_lock = -1;
}

/* A child that was forked a moment ago may still have the description, too. */
void vmsi_appenders_close(struct vms_file *file)
{
	if (has_lock_descriptor(file)) {
		(void)lock(file, F_OFD_SETLK, F_UNLCK);
		(void)lock_byte(file, KEEPS_OUT, F_OFD_SETLK, F_UNLCK);
	}
	close_lock_descriptor(file);
}

void vmsi_appenders_forked(struct vms_file *file)
{
	close_lock_descriptor(file);
	file->appenders = VMSI_APPENDERS_SHARED;
}

/* --- joining -------------------------------------------------------------------------- */

/* Wait for one that is alone, and for nobody else. */
static long lock_to_append(const struct vms_file *file)
{
	long error = lock(file, F_OFD_SETLK, F_RDLCK);

	return is_held(error) && is_taken(file, APPENDS) ?
		lock(file, F_OFD_SETLKW, F_RDLCK) : error;
}

/*
 * Where a file system has no locks (ENOLCK of some network ones), nobody else can
 * tell that it is there, either: this process then takes itself to be alone. Where a
 * program has locked all of the file, it does not, and tries again the next time.
 */
int vmsi_appenders_join(struct vms_file *file)
{
	long locked;
	int error;

	if (file->appenders == VMSI_APPENDERS_JOINED)
		return 0;
	error = have_descriptions(file);
	if (error)
		return error;
	locked = lock_to_append(file);
	if (locked == -EBADF)
		return -EBADF;
	/* Who keeps others out looks the other way round, so one of the two sees it. */
	if (is_taken(file, KEEPS_OUT)) {
		(void)lock(file, F_OFD_SETLK, F_UNLCK);
		return -EBUSY;
	}
	if (is_held(locked))
		file->others_append = true;
	else
		file->appenders = VMSI_APPENDERS_JOINED;
	return 0;
}

int vmsi_appenders_keep_out(struct vms_file *file)
{
	int error = have_descriptions(file);

	if (error)
		return error;
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
	const long error = lock(file, F_OFD_SETLK, F_WRLCK);

	return !is_held(error) && error != -EBADF;
}

void vmsi_appenders_let_in(struct vms_file *file)
{
	(void)lock(file, F_OFD_SETLK, F_RDLCK);
}
