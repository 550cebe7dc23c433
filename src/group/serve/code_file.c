/* SPDX-License-Identifier: MIT */
#include "group/serve/code_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files are few: a program has some ten, and most have the same ones. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vmsi_code_file *all;

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

struct vmsi_code_file *vmsi_code_file_take(const char *path,
					   const struct stat *status)
{
	struct vmsi_code_file *file;

	pthread_mutex_lock(&lock);
	file = find(path, status);
	if (!file)
		file = make(path, status);
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

void vmsi_code_file_open(struct vmsi_code_file *file)
{
	int descriptor;

	pthread_mutex_lock(&lock);
	descriptor = file->descriptor;
	pthread_mutex_unlock(&lock);
	if (descriptor >= 0)
		return;
	descriptor = open_same(file);
	pthread_mutex_lock(&lock);
	if (file->descriptor < 0) {
		file->descriptor = descriptor;
		descriptor = -1;
	}
	pthread_mutex_unlock(&lock);
	if (descriptor >= 0)
		close(descriptor);
}

int vmsi_code_file_take_descriptor(struct vmsi_code_file *file)
{
	int descriptor;

	pthread_mutex_lock(&lock);
	descriptor = file->descriptor;
	file->descriptor = -1;
	pthread_mutex_unlock(&lock);
	return descriptor;
}

void vmsi_frames_drop(struct vmsi_frames *frames)
{
	for (size_t i = 0; i < frames->count; i++)
		vmsi_code_file_drop(frames->list[i].file);
	frames->count = 0;
}
