/* SPDX-License-Identifier: MIT */
#include "group/serve/code_file.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "text/maps.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

/* So many are open at most; then those that were made first are closed. */
#define OPEN_MOST 256

/* Files are few: a program has some ten, and most have the same ones. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vmsi_code_file *all; /* the one that was made last first */
static unsigned open_count;

static bool is_same(const struct vmsi_code_file *file, const struct stat *status)
{
	return file->inode == status->st_ino &&
		file->device == status->st_dev &&
		file->bytes == status->st_size &&
		file->changed.tv_sec == status->st_mtim.tv_sec &&
		file->changed.tv_nsec == status->st_mtim.tv_nsec;
}

static struct vmsi_code_file *find(const char *path, const struct stat *status)
{
	struct vmsi_code_file *file = all;

	while (file && (!is_same(file, status) || strcmp(file->path, path)))
		file = file->next;
	return file;
}

static struct vmsi_code_file *make(const char *path, const struct stat *status)
{
	const size_t length = strlen(path) + 1;
	struct vmsi_code_file *file = malloc(sizeof *file + length);

	if (!file)
		return NULL;
	*file = (struct vmsi_code_file){
		.next = all, .device = status->st_dev,
		.inode = status->st_ino, .bytes = status->st_size,
		.changed = status->st_mtim, .descriptor = -1,
	};
	memcpy(file->path, path, length);
	all = file;
	return file;
}

/* With the lock: the struct of a file, held. */
static struct vmsi_code_file *find_or_make(const char *path,
					   const struct stat *status,
					   const struct vmsi_maps_line *mapping)
{
	struct vmsi_code_file *file = find(path, status);

	if (!file)
		file = make(path, status);
	if (!file)
		return NULL;
	file->holds++;
	file->mapped_device = mapping->device;
	file->mapped_inode = mapping->inode;
	return file;
}

struct vmsi_code_file *vmsi_code_file_of(const struct vmsi_maps_line *mapping)
{
	struct vmsi_code_file *file;
	struct stat status;
	char path[PATH_MAX];

	vmsi_label_path(mapping->label, path, sizeof path);
	/* Where it has no such name any more only the number is known. */
	if (stat(path, &status))
		status = (struct stat){ .st_ino = mapping->inode };
	pthread_mutex_lock(&lock);
	file = find_or_make(path, &status, mapping);
	pthread_mutex_unlock(&lock);
	return file;
}

struct vmsi_code_file *vmsi_code_file_take_open(const char *path, uint64_t device,
						uint64_t inode)
{
	struct vmsi_code_file *file;

	pthread_mutex_lock(&lock);
	file = all;
	while (file && (file->descriptor < 0 || file->mapped_inode != inode ||
			file->mapped_device != device ||
			strcmp(file->path, path)))
		file = file->next;
	if (file)
		file->holds++;
	pthread_mutex_unlock(&lock);
	return file;
}

void vmsi_code_file_hold(struct vmsi_code_file *file)
{
	pthread_mutex_lock(&lock);
	file->holds++;
	pthread_mutex_unlock(&lock);
}

void vmsi_code_file_drop(struct vmsi_code_file *file)
{
	struct vmsi_code_file **link = &all;

	if (!file)
		return;
	pthread_mutex_lock(&lock);
	if (--file->holds == 0) {
		while (*link != file)
			link = &(*link)->next;
		*link = file->next;
		open_count -= file->descriptor >= 0;
	} else {
		file = NULL;
	}
	pthread_mutex_unlock(&lock);
	if (file && file->descriptor >= 0)
		close(file->descriptor);
	free(file);
}

/* O_NONBLOCK: by now the name may be that of a named pipe. */
static int open_same(const struct vmsi_code_file *file)
{
	int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (descriptor < 0)
		return -1;
	if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
	    is_same(file, &status))
		return descriptor;
	close(descriptor);
	return -1;
}

bool vmsi_code_file_is_open(const struct vmsi_code_file *file)
{
	bool is_open;

	pthread_mutex_lock(&lock);
	is_open = file->descriptor >= 0;
	pthread_mutex_unlock(&lock);
	return is_open;
}

/*
 * With the lock: give a file its descriptor. Returns another one that is to be closed,
 * or -1.
 */
static int keep(struct vmsi_code_file *file, int descriptor)
{
	struct vmsi_code_file *first = NULL;
	int closed = -1;

	if (descriptor < 0 || file->descriptor >= 0)
		return descriptor;
	if (open_count == OPEN_MOST)
		for (struct vmsi_code_file *one = all; one; one = one->next)
			if (one->descriptor >= 0)
				first = one;
	if (first) {
		closed = first->descriptor;
		first->descriptor = -1;
		open_count--;
	}
	file->descriptor = descriptor;
	open_count++;
	return closed;
}

static void keep_and_close(struct vmsi_code_file *file, int descriptor)
{
	int closed;

	pthread_mutex_lock(&lock);
	closed = keep(file, descriptor);
	pthread_mutex_unlock(&lock);
	if (closed >= 0)
		close(closed);
}

void vmsi_code_file_open(struct vmsi_code_file *file)
{
	if (!vmsi_code_file_is_open(file))
		keep_and_close(file, open_same(file));
}

/*
 * File systems in user space and of other machines have no device of their own: their
 * devices have the number 0 in front. Where the kernel would have to ask for a name on
 * the way, it says so (Linux 5.12).
 */
static int open_on_disk(const char *path, const struct vmsi_maps_line *mapping,
			struct stat *status)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_CACHED,
	};
	int descriptor;

	if (major(mapping->device) == 0)
		return -1;
	descriptor = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
	if (descriptor < 0)
		return -1;
	if (fstat(descriptor, status) == 0 && S_ISREG(status->st_mode) &&
	    status->st_dev == mapping->device && status->st_ino == mapping->inode)
		return descriptor;
	close(descriptor);
	return -1;
}

struct vmsi_code_file *
vmsi_code_file_open_at_once(const struct vmsi_maps_line *mapping)
{
	struct vmsi_code_file *file;
	struct stat status;
	char path[PATH_MAX];
	int descriptor;

	vmsi_label_path(mapping->label, path, sizeof path);
	descriptor = open_on_disk(path, mapping, &status);
	if (descriptor < 0)
		return NULL;
	pthread_mutex_lock(&lock);
	file = find_or_make(path, &status, mapping);
	pthread_mutex_unlock(&lock);
	if (file)
		keep_and_close(file, descriptor);
	else
		close(descriptor);
	return file;
}

int vmsi_code_file_descriptor(const struct vmsi_code_file *file)
{
	int descriptor;

	pthread_mutex_lock(&lock);
	descriptor = file->descriptor < 0 ? -1 :
		fcntl(file->descriptor, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(&lock);
	return descriptor;
}

bool vmsi_code_file_has_changed(const struct vmsi_code_file *file)
{
	const int descriptor = vmsi_code_file_descriptor(file);
	struct stat status;
	bool has_changed;

	if (descriptor < 0)
		return false;
	has_changed = fstat(descriptor, &status) || !is_same(file, &status);
	close(descriptor);
	return has_changed;
}

void vmsi_frames_drop(struct vmsi_frames *frames)
{
	for (size_t i = 0; i < frames->count; i++)
		vmsi_code_file_drop(frames->list[i].file);
	frames->count = 0;
}
