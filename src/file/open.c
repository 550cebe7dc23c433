/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/magic.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "file/appenders.h"
#include "file/atomic.h"
#include "file/base.h"
#include "file/descriptor.h"
#include "file/fork.h"
#include "file/gather.h"
#include "file/grow.h"
#include "file/guard.h"
#include "file/journal_path.h"
#include "file/options.h"
#include "file/sizing.h"
#include "file/sync.h"
#include "file/window.h"
#include "file/write_error.h"
#include "host/host.h"
#include "space/inside.h"

/* Opening and closing files. */

/* What was wrong with the journal; a string that lasts. */
static _Thread_local const char *journal_problem
	__attribute__((tls_model("initial-exec")));

const char *vms_file_journal_problem(void)
{
	return journal_problem ? journal_problem : "";
}

/* --- opening -------------------------------------------------------------------------- */

/* Where a file is opened by, besides its options. */
struct request {
	const char *path;      /* NULL: by fd */
	int fd;
	struct vms_file_options options;
	struct vmsi_made made;
};

static int open_descriptor(struct vms_file *file, struct request *request)
{
	file->fd = request->path ?
		vmsi_descriptor_open(request->path, &request->options,
				     &request->made) :
		vmsi_descriptor_take(request->fd, &request->options);
	return file->fd < 0 ? file->fd : 0;
}

static int look_at(struct vms_file *file)
{
	struct stat status;
	unsigned long magic = 0;
	long error = vmsi_host.fstat(file->fd, &status);

	if (error)
		return (int)error;
	if (!S_ISREG(status.st_mode))
		return -ENODEV;
	(void)vmsi_host.file_system(file->fd, &magic);
	file->copies_on_write = magic == BTRFS_SUPER_MAGIC;
	file->device = status.st_dev;
	file->inode = status.st_ino;
	vmsi_set_size(file, (uint64_t)status.st_size);
	return 0;
}

/* Some file systems know no sync of directories. */
static int sync_name(struct vms_file *file)
{
	const int error = vmsi_sync_directory(file);

	return error == -EINVAL ? 0 : error;
}

static int open_atomic(struct vms_file *file, const struct request *request)
{
	char journal[PATH_MAX];
	int error;

	if (!(request->options.flags & VMS_FILE_ATOMIC))
		return 0;
	/* Of a file that was just made the kernel may still not tell the name. */
	error = vmsi_journal_path(journal, file->fd, request->made.path[0] ?
				  request->made.path : request->path,
				  request->options.journal);
	/* Commits would be lost with the name of a file that was just made. */
	if (!error)
		error = sync_name(file);
	if (!error)
		error = vmsi_atomic_open(file, journal,
					 request->options.dirty_limit,
					 &journal_problem);
	/* Commits that it has applied may have changed the size. */
	return error ? error : look_at(file);
}

static int note_directory(struct vms_file *file, const struct request *request)
{
	int directory;

	if (!request->made.path[0])
		return 0;
	directory = vmsi_descriptor_directory(&request->made);
	if (directory < 0)
		return directory;
	atomic_store(&file->directory, directory);
	return 0;
}

static int start_atomic(struct vms_file *file)
{
	return file->atomic ? vmsi_atomic_start(file) : 0;
}

/* Returns what close(2) tells of the file: network file systems write then. */
static int close_descriptors(struct vms_file *file)
{
	const int directory = atomic_exchange(&file->directory, -1);

	if (directory >= 0)
		(void)vmsi_host.close(directory);
	vmsi_appenders_close(file);
	return (int)vmsi_host.close(file->fd);
}

static int open_parts(struct vms_file *file, struct request *request)
{
	int error = open_descriptor(file, request);

	if (error)
		return error;
	error = look_at(file);
	if (!error)
		error = note_directory(file, request);
	if (!error)
		error = open_atomic(file, request);
	if (error)
		goto close_atomic;
	file->writing_back = file->size;
	error = vmsi_gather_open(file);
	if (error)
		goto close_atomic;
	error = vmsi_base_open(file, &request->options);
	if (error)
		goto close_gather;
	error = start_atomic(file);
	if (!error) {
		vmsi_descriptor_keep(file->fd, &request->made);
		return 0;
	}

close_gather:
	(void)vmsi_gather_close(file);
close_atomic:
	if (file->atomic)
		(void)vmsi_atomic_close(file);
	vmsi_base_close(file);
	vmsi_descriptor_remove(file->fd, &request->made);
	(void)close_descriptors(file);
	return error;
}

static struct vms_file *new_file(const struct vms_file_options *options)
{
	struct vms_file *file = vmsi_records_get(NULL, vmsi_align_up(
		sizeof(*file), vmsi_page_size()));

	if (!file)
		return NULL;
	file->fd = -1;
	file->directory = -1;
	file->append_lock = -1;
	file->flags = options->flags;
	vmsi_lock_init(&file->lock, VMSI_RANK_FILE);
	vmsi_lock_init(&file->sync_lock, VMSI_RANK_FILE_SYNC);
	vmsi_sizing_init(file);
	vmsi_windows_init(file);
	return file;
}

static void drop_file(struct vms_file *file)
{
	vmsi_pool_release(&file->window_records);
	vmsi_records_put(NULL, file,
			 vmsi_align_up(sizeof(*file), vmsi_page_size()));
}

static int open_file(struct request *request, struct vms_file **opened)
{
	struct vms_file *file;
	int error = vmsi_guard_install();

	if (error)
		return error;
	file = new_file(&request->options);
	if (!file)
		return vmsi_refuse(VMS_REFUSAL_RECORDS);
	error = open_parts(file, request);
	if (error) {
		drop_file(file);
		return error;
	}
	vmsi_file_register(file);
	*opened = file;
	return 0;
}

/* A file is made at a path, and its journal beside it. */
static bool needs_path(const struct vms_file_options *options)
{
	return (options->flags & VMS_FILE_CREATE) ||
		((options->flags & VMS_FILE_ATOMIC) && !options->journal);
}

static vms_file *open_and_keep_errno(struct request *request,
				     const struct vms_file_options *options)
{
	const int earlier = errno;
	struct vms_file *file = NULL;
	int error;

	journal_problem = NULL;
	error = vmsi_file_options(&request->options, options);
	if (!error && !request->path && needs_path(&request->options))
		error = -EINVAL;
	if (!error)
		error = open_file(request, &file);
	if (error)
		(void)vmsi_status(error);
	else
		errno = earlier;
	if (file)
		vmsi_space_tell(file->space, VMSI_SIGN_FILE, request->path);
	return file;
}

vms_file *vms_file_open(const char *path, const struct vms_file_options *options)
{
	struct request request = { .path = path, .fd = -1 };

	if (path)
		return open_and_keep_errno(&request, options);
	(void)vmsi_status(-EINVAL);
	return NULL;
}

vms_file *vms_file_open_fd(int fd, const struct vms_file_options *options)
{
	struct request request = { .fd = fd };

	return open_and_keep_errno(&request, options);
}

/* --- closing -------------------------------------------------------------------------- */

/*
 * A descriptor that is of something else now is the program's: nothing is written by it,
 * and it stays open. The journal stays, too, with what the file has not.
 */
static void leave_descriptor(struct vms_file *file)
{
	file->gather.length = 0;
	file->gather.space = 0;
	file->fd = -1;
	if (file->atomic)
		vmsi_atomic_leave(file);
}

int vms_file_close(vms_file *file)
{
	const int earlier = errno;
	int error, lost, closed;

	if (!file)
		return 0;
	vmsi_file_unregister(file);
	if (vmsi_descriptor_was_taken(file, file->fd))
		leave_descriptor(file);
	error = vmsi_gather_close(file);
	if (file->atomic)
		error = vmsi_atomic_close(file);
	vmsi_base_close(file);
	lost = vmsi_write_error_take(file);
	closed = close_descriptors(file);
	drop_file(file);
	errno = earlier;
	error = error ? error : lost;
	return vmsi_status(error ? error : closed);
}
