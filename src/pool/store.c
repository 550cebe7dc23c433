/* SPDX-License-Identifier: MIT */
#include "pool/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/align.h"
#include "base/hot.h"
#include "host/disk.h"
#include "host/host.h"

/* --- open ----------------------------------------------------------------------------------- */

/* The descriptor must be open for what the pool is to do. */
static int check_access(int fd, unsigned flags)
{
	const long access = vmsi_host.file_flags(fd);

	if (access < 0)
		return (int)access;
	if (access & O_PATH)
		return -EBADF;
	if ((access & O_ACCMODE) == O_RDWR || ((access & O_ACCMODE) == O_RDONLY &&
					       flags & VMSI_STORE_READ_ONLY))
		return 0;
	return -EBADF;
}

/* Before it is opened again: that could wait for ever for the other end of a FIFO. */
static int find_kind(struct vmsi_store *store, int fd)
{
	struct stat status = { .st_size = 0 };
	const long result = vmsi_host.fstat(fd, &status);

	if (result < 0)
		return (int)result;
	if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
		return -ENOTSUP;
	store->kind = S_ISBLK(status.st_mode) ? VMSI_STORE_DEVICE : VMSI_STORE_FILE;
	atomic_store(&store->bytes, (uint64_t)status.st_size);
	return 0;
}

/*
 * A description of its own: nobody else's fsync(2) takes the error of a write away, and
 * O_DIRECT is for the pool alone. Without /proc the caller's must do, but not with
 * O_APPEND, by which each page that is written would be added at the end.
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
	if (access == O_RDWR && vmsi_host.file_flags(fd) & O_APPEND)
		return result;
	return vmsi_host.duplicate(fd, 0);
}

static int find_device_size(struct vmsi_store *store)
{
	const int64_t size = vmsi_host.end(store->fd);

	if (size < 0)
		return (int)size;
	atomic_store(&store->bytes, (uint64_t)size);
	return 0;
}

int vmsi_store_open(struct vmsi_store *store, int fd, unsigned flags, unsigned depth)
{
	int error = check_access(fd, flags);
	long opened;

	if (!error)
		error = find_kind(store, fd);
	if (error)
		return error;
	opened = open_again(fd, flags);
	if (opened < 0)
		return (int)opened;
	store->fd = (int)opened;
	if (store->kind == VMSI_STORE_DEVICE)
		error = find_device_size(store);
	if (!error)
		error = vmsi_io_open(depth, 0, &store->io);
	if (error)
		vmsi_store_close(store);
	return error;
}

/* A size has at most 63 bits. */
uint64_t vmsi_store_pages(const struct vmsi_store *store, size_t page_size)
{
	const uint64_t bytes = atomic_load(&store->bytes);

	if (store->kind == VMSI_STORE_DEVICE)
		return bytes / page_size;
	return (bytes + page_size - 1) / page_size;
}

int vmsi_store_open_memory(struct vmsi_store *store, unsigned depth)
{
	store->fd = -1;
	store->kind = VMSI_STORE_MEMORY;
	return vmsi_io_open(depth, 0, &store->io);
}

/* The child of a fork that comes meanwhile must not find an io that is gone. */
static void close_io(struct vmsi_io **place)
{
	struct vmsi_io *io = *place;

	*place = NULL;
	if (io)
		vmsi_io_close(io);
}

void vmsi_store_end(struct vmsi_store *store)
{
	close_io(&store->io);
	for (unsigned i = 0; i < VMSI_LANES; i++)
		close_io(&store->lanes.ios[i]);
}

void vmsi_store_close(struct vmsi_store *store)
{
	vmsi_store_end(store);
	vmsi_aside_close(&store->aside);
	if (store->fd >= 0)
		(void)vmsi_host.close(store->fd);
	store->fd = -1;
}

static void forked(struct vmsi_io *io)
{
	if (io)
		vmsi_io_forked(io);
}

void vmsi_store_forked(struct vmsi_store *store)
{
	forked(store->io);
	for (unsigned i = 0; i < VMSI_LANES; i++)
		forked(store->lanes.ios[i]);
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

/* How many of so many bytes from an offset on are in the file. */
static size_t length_in_file(const struct vmsi_store *store, size_t length,
			     uint64_t offset)
{
	const uint64_t bytes = atomic_load(&store->bytes);

	return offset >= bytes ? 0 : vmsi_min(length, bytes - offset);
}

static int end_read_file(struct vmsi_store *store, const struct vmsi_io_request *request)
{
	const size_t wanted = length_in_file(store, request->length, request->offset);
	const size_t got = request->result > 0 ? (size_t)request->result : 0;
	int error = 0;

	if (got < wanted) {
		/* Where the file ends too early nobody says why. */
		error = vmsi_io_status(request);
		error = error == -ENODATA ? -EIO : error_of(error);
		count(&store->read_errors);
	} else {
		memset((char *)request->buffer + got, 0, request->length - got);
	}
	return error;
}

static int end_read_aside(struct vmsi_store *store, const struct vmsi_io_request *request)
{
	const int error = vmsi_aside_end_read(&store->aside, request);

	if (error)
		count(&store->read_errors);
	return error;
}

/* Only what is aside is read in parts. */
int vmsi_store_end_read(struct vmsi_store *store, const struct vmsi_io_request *request)
{
	if (request->part_count)
		return end_read_aside(store, request);
	return end_read_file(store, request);
}

static bool is_aside(const struct vmsi_store *store, uint64_t offset)
{
	return store->aside.swap &&
		vmsi_aside_has(&store->aside, offset >> store->aside.page_shift);
}

static int read_aside(struct vmsi_store *store, char *buffer, uint64_t offset)
{
	const int error = vmsi_aside_read(&store->aside,
					  offset >> store->aside.page_shift, buffer);

	if (error)
		count(&store->read_errors);
	return error;
}

static struct vmsi_io_request request_of(const struct vmsi_store *store,
					 enum vmsi_io_opcode opcode, char *buffer,
					 size_t length, uint64_t offset)
{
	return (struct vmsi_io_request){
		.opcode = opcode,
		.fd = store->fd,
		.buffer = buffer,
		.length = length,
		.offset = offset,
	};
}

bool vmsi_store_begin_read(struct vmsi_store *store, unsigned number, char *buffer,
			   size_t length, uint64_t offset,
			   struct vmsi_io_request *request, int *error)
{
	if (is_aside(store, offset)) {
		if (vmsi_aside_begin_read(&store->aside,
					  offset >> store->aside.page_shift, buffer,
					  number, request, error))
			return true;
		if (*error)
			count(&store->read_errors);
		return false;
	}
	if (store->kind == VMSI_STORE_MEMORY) {
		memset(buffer, 0, length);
		*error = 0;
		return false;
	}
	*request = request_of(store, VMSI_IO_READ, buffer, length, offset);
	return true;
}

/* A first read did not give all that was asked for: maybe there is more, or an error. */
__attribute__((noinline))
static int read_on(struct vmsi_store *store, char *buffer, size_t length, uint64_t offset,
		   long first)
{
	struct vmsi_io_request request = request_of(store, VMSI_IO_READ, buffer, length,
						    offset);

	(void)vmsi_io_go_on(&request, first);
	return end_read_file(store, &request);
}

/* What is aside, or is nowhere: a store of memory has no file. */
__attribute__((noinline))
static int read_elsewhere(struct vmsi_store *store, char *buffer, size_t length,
			  uint64_t offset)
{
	if (is_aside(store, offset))
		return read_aside(store, buffer, offset);
	memset(buffer, 0, length);
	return 0;
}

VMSI_HOT
int vmsi_store_read(struct vmsi_store *store, char *buffer, size_t length,
		    uint64_t offset, bool *was_read)
{
	long first;

	*was_read = store->kind != VMSI_STORE_MEMORY &&
		length_in_file(store, length, offset) != 0 && !is_aside(store, offset);
	if (!*was_read)
		return read_elsewhere(store, buffer, length, offset);
	first = vmsi_host.pread(store->fd, buffer, length, offset);
	/* As nearly always; without the rest's frame and its pages of code. */
	if (first == (long)length)
		return 0;
	return read_on(store, buffer, length, offset, first);
}

/* --- write -------------------------------------------------------------------------------------- */

static void raise_end(struct vmsi_store *store, uint64_t end)
{
	uint64_t bytes = atomic_load(&store->bytes);

	while (bytes < end &&
	       !atomic_compare_exchange_weak(&store->bytes, &bytes, end))
		;
}

struct vmsi_io_request vmsi_store_request(const struct vmsi_store *store, char *bytes,
					  size_t length, uint64_t offset)
{
	return request_of(store, VMSI_IO_WRITE, bytes, length, offset);
}

/* A disk that takes less than all of a write, and does not say why, is full. */
int vmsi_store_write_error(int error)
{
	return error == -ENODATA ? -ENOSPC : error_of(error);
}

/*
 * What RLIMIT_FSIZE lets the file have. A write beyond is not made: the kernel would raise
 * SIGXFSZ, in a thread that only wanted room for a page.
 */
static uint64_t most_bytes(const struct vmsi_store *store)
{
	return store->kind == VMSI_STORE_DEVICE ? UINT64_MAX : vmsi_disk_limit();
}

static bool is_beyond(const struct vmsi_io_request *request, uint64_t most)
{
	return request->offset + request->length > most;
}

/* One is made at once. Others are put in flight by parts. */
#define PART 64

static void write_part(struct vmsi_store *store, struct vmsi_io_request *requests,
		       size_t how_many, uint64_t most)
{
	struct vmsi_io_request *pointers[PART];
	size_t allowed = 0;

	for (size_t i = 0; i < how_many; i++)
		if (!is_beyond(&requests[i], most))
			pointers[allowed++] = &requests[i];
	vmsi_io_submit(store->io, pointers, allowed);
}

static void write_together(struct vmsi_store *store, struct vmsi_io_request *requests,
			   size_t how_many, uint64_t most)
{
	for (size_t i = 0; i < how_many; i += PART)
		write_part(store, &requests[i], vmsi_min(PART, how_many - i), most);
	for (size_t i = 0; i < how_many; i++)
		if (!is_beyond(&requests[i], most))
			(void)vmsi_io_wait(store->io, &requests[i]);
}

void vmsi_store_write(struct vmsi_store *store, struct vmsi_io_request *requests,
		      size_t how_many, enum vmsi_store_way way)
{
	const bool is_alone = how_many == 1 || way == VMSI_STORE_ALONE;
	const uint64_t most = most_bytes(store);

	if (!is_alone)
		write_together(store, requests, how_many, most);
	for (size_t i = 0; is_alone && i < how_many; i++)
		if (!is_beyond(&requests[i], most))
			(void)vmsi_io_run(&requests[i]);
	for (size_t i = 0; i < how_many; i++) {
		if (is_beyond(&requests[i], most)) {
			requests[i].result = requests[i].error = -EFBIG;
			continue;
		}
		count(&store->writes);
		if (vmsi_io_status(&requests[i]) == 0)
			raise_end(store, requests[i].offset + requests[i].length);
	}
}

void vmsi_store_begin_sync(const struct vmsi_store *store, uint64_t offset,
			   uint64_t length)
{
	(void)vmsi_host.sync_range(store->fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

int vmsi_store_sync(struct vmsi_store *store)
{
	return vmsi_disk_sync(store->fd);
}

/* Somebody else may have made it longer already, and shall not lose that. */
int vmsi_store_grow(struct vmsi_store *store, uint64_t bytes)
{
	uint64_t now = 0;
	int error;

	if (bytes <= atomic_load(&store->bytes))
		return 0;
	if (store->kind == VMSI_STORE_MEMORY) {
		raise_end(store, bytes);
		return 0;
	}
	if (store->kind == VMSI_STORE_DEVICE)
		return -ENOSPC;
	error = vmsi_disk_size(store->fd, &now);
	if (!error && now < bytes)
		error = vmsi_disk_truncate(store->fd, bytes);
	if (!error)
		raise_end(store, bytes);
	return error;
}
