/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_DESCRIPTOR_H
#define VMSI_FILE_DESCRIPTOR_H

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <vmspace/file.h>

/* The descriptor of a file that is being opened. */

/*
 * What a call has made, to be removed again if it fails: only where nobody else can have
 * it. A file gets its name when it has a lock already (MAKING), by which others that open
 * it wait until it is made or gone. Where the file system has no files without a name
 * (O_TMPFILE), what was made stays.
 */
struct vmsi_made {
	char path[PATH_MAX];   /* "": nothing was made */
	bool is_locked;        /* by MAKING */
};

/*
 * Open a file by its path, or make it. Returns a descriptor or -errno. made: where
 * a file was made that was not there; a symbolic link to what is not there is
 * followed, as open(2) does. Then one of the two below follows.
 */
int vmsi_descriptor_open(const char *path, const struct vms_file_options *options,
			 struct vmsi_made *made);

/* The file is made: others may have it. */
void vmsi_descriptor_keep(int fd, const struct vmsi_made *made);

/* The call has failed: remove what it has made, if it may. */
void vmsi_descriptor_remove(int fd, const struct vmsi_made *made);

/*
 * A descriptor of the library's own for what fd is of: a description of its own,
 * where the kernel gives one, else a duplicate. Returns it or -errno; -EBADF also
 * where fd is not open for what the options ask.
 */
int vmsi_descriptor_take(int fd, const struct vms_file_options *options);

/* A description of the library's own for what fd is of; flags: of open(2). Or -errno. */
int vmsi_descriptor_reopen(int fd, int flags);
/*
 * How long a file is; NULL: not wanted. -EBADF also where its descriptor is of another
 * one: the program has closed it, and opened something by the same number.
 */
int vmsi_descriptor_look(const struct vms_file *file, uint64_t *size);

/*
 * Whether a descriptor that was the file's is of another one now, so that it is not to
 * be closed; and whether it is the file's still.
 */
bool vmsi_descriptor_was_taken(const struct vms_file *file, int fd);
bool vmsi_descriptor_is_of(const struct vms_file *file, int fd);

/* Open the directory of what was made, to be synced. Returns it or -errno. */
int vmsi_descriptor_directory(const struct vmsi_made *made);

/*
 * The bytes that are locked, where no file reaches: ext4 ends at 16 TiB, and xfs at the
 * last but two bytes. The first is of who makes a file, the others of appenders.c.
 */
#define VMSI_FIRST_LOCK ((off_t)INT64_MAX - 3)

/*
 * Whether a lock on one of them is the library's. Two that lie side by side are one to
 * the kernel; one of a program's, on all of the file, ends with the last byte of all.
 */
static inline bool vmsi_lock_is_ours(const struct flock *lock)
{
	return lock->l_start >= VMSI_FIRST_LOCK && lock->l_len > 0;
}

/* Copy a path; the caller has looked that there is room for it. */
static inline void vmsi_path_copy(char *to, const char *path)
{
	memcpy(to, path, strlen(path) + 1);
}

/* Whether what is stored there goes to the file itself. */
static inline int vmsi_descriptor_writes(const struct vms_file_options *options)
{
	return !(options->flags & (VMS_FILE_READ_ONLY | VMS_FILE_PRIVATE));
}

#endif
