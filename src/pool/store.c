/* SPDX-License-Identifier: MIT */
#include "pool/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/align.h"
#include "host/host.h"

/* --- open ----------------------------------------------------------------------------------- */

/*
 * A description of its own: nobody else's fsync(2) takes the error of a write away, and
 * O_DIRECT is for the pool alone. Without /proc the caller's must do.
 */
static long open_again(int fd, unsigned flags)
{
	const int access = flags & VMSI_STORE_READ_ONLY ? O_RDONLY : O_RDWR;
	const int direct = flags & VMSI_STORE_DIRECT ? O_DIRECT : 0;
	char link[VMSI_DESCRIPTOR_LINK_BYTES];
	long result;

	vmsi_descriptor_link(link, fd);
	result = vmsi_host.open_file(link, access | direct, 0);
	if (direct || (result != -ENOENT && result != -EACCES && result != -EPERM))
		return result;
	return vmsi_host.duplicate(fd);
}

/* The descriptor must be open for what the pool is to do. */
static int check_access(int fd, unsigned flags)
{
	const long access = vmsi_host.file_flags(fd);

	if (access < 0)
		return (int)access;
	if ((access & O_ACCMODE) == O_RDWR || ((access & O_ACCMODE) == O_RDONLY &&
					       flags & VMSI_STORE_READ_ONLY))
		return 0;
	return -EBADF;
}

static int find_size(struct vmsi_store *store)
{
	struct stat status = { .st_size = 0 };
	long result = vmsi_host.fstat(store->fd, &status);
	int64_t size = status.st_size;

	if (result < 0)
		return (int)result;
	if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
		return -ENOTSUP;
	if (S_ISBLK(status.st_mode)) {
		store->kind = VMSI_STORE_DEVICE;
		size = vmsi_host.end(store->fd);
		if (size < 0)
			return (int)size;
	}
	atomic_store(&store->bytes, (uint64_t)size);
	return 0;
}

int vmsi_store_open(struct vmsi_store *store, int fd, unsigned flags)
{
	long opened = check_access(fd, flags);
	int error;

	if (!opened)
		opened = open_again(fd, flags);
	if (opened < 0)
		return (int)opened;
	store->fd = (int)opened;
	error = find_size(store);
	if (error)
		vmsi_store_close(store);
	return error;
}

void vmsi_store_close(struct vmsi_store *store)
{
	(void)vmsi_host.close(store->fd);
	store->fd = -1;
}

/* A caller takes -EAGAIN for a call to make again at once, which a disk may never grant. */
static int error_of(long result)
{
	return result == -EAGAIN ? -EIO : (int)result;
}

/* --- read -------------------------------------------------------------------------------------- */

static void count(_Atomic uint64_t *figure)
{
	(void)atomic_fetch_add_explicit(figure, 1, memory_order_relaxed);
}

/* Read as much as there is, at least wanted bytes. */
static int read_whole(struct vmsi_store *store, char *buffer, size_t length,
		      uint64_t offset, size_t wanted)
{
	size_t done = 0;

	while (done < wanted) {
		long result = vmsi_host.pread(store->fd, buffer + done, length - done,
					      offset + done);

		count(&store->reads);
		if (result == -EINTR)
			continue;
		if (result == 0)
			return -EIO;
		if (result < 0)
			return error_of(result);
		done += (size_t)result;
	}
	memset(buffer + done, 0, length - done);
	return 0;
}

int vmsi_store_read(struct vmsi_store *store, char *buffer, size_t length,
		    uint64_t offset)
{
	const uint64_t bytes = atomic_load(&store->bytes);
	int error;

	if (offset >= bytes) {
		memset(buffer, 0, length);
		return 0;
	}
	error = read_whole(store, buffer, length, offset,
			   vmsi_min(length, bytes - offset));
	if (error)
		count(&store->read_errors);
	return error;
}

/* --- write -------------------------------------------------------------------------------------- */

static void raise_end(struct vmsi_store *store, uint64_t end)
{
	uint64_t bytes = atomic_load(&store->bytes);

	while (bytes < end &&
	       !atomic_compare_exchange_weak(&store->bytes, &bytes, end))
		;
}

static int write_run(struct vmsi_store *store, const struct vmsi_store_run *run)
{
	size_t done = 0;

	while (done < run->length) {
		long result = vmsi_host.pwrite(store->fd, run->bytes + done,
					       run->length - done, run->offset + done);

		count(&store->writes);
		if (result == -EINTR)
			continue;
		if (result <= 0)
			return result < 0 ? error_of(result) : -EIO;
		done += (size_t)result;
	}
	raise_end(store, run->offset + run->length);
	return 0;
}

void vmsi_store_write(struct vmsi_store *store, struct vmsi_store_run *runs,
		      size_t how_many)
{
	for (size_t i = 0; i < how_many; i++)
		runs[i].result = write_run(store, &runs[i]);
}

/* An fdatasync that was interrupted has reported nothing. */
int vmsi_store_sync(struct vmsi_store *store)
{
	long result;

	do
		result = vmsi_host.fdatasync(store->fd);
	while (result == -EINTR);
	return (int)result;
}

int vmsi_store_grow(struct vmsi_store *store, uint64_t bytes)
{
	long result;

	if (bytes <= atomic_load(&store->bytes))
		return 0;
	if (store->kind == VMSI_STORE_DEVICE)
		return -ENOSPC;
	do
		result = vmsi_host.ftruncate(store->fd, bytes);
	while (result == -EINTR);
	if (result < 0)
		return (int)result;
	raise_end(store, bytes);
	return 0;
}
