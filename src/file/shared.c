/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "file/appenders.h"
#include "file/base.h"
#include "file/grow.h"
#include "file/write_error.h"
#include "host/disk.h"
#include "host/host.h"

/* The size of a shared file. See appenders.h for what other processes do meanwhile. */

/* The most that one write(2) takes: MAX_RW_COUNT of Linux, for pages of 64 KiB too. */
#define ONE_WRITE ((size_t)0x7fff0000)

/* --- write-back of what was appended -------------------------------------------------- */

#define WRITE_BACK_STEP ((uint64_t)8 << 20)

/*
 * Begin to write what was appended as soon as there is some of it, so that the next
 * sync has less left. It makes nothing durable, and is for regular progress only: a
 * file system in memory ignores it. An error that it finds is told by the next sync.
 */
static void begin_write_back(struct vms_file *file, uint64_t end)
{
	const uint64_t from = file->writing_back;
	const uint64_t to = vmsi_align_down(end, WRITE_BACK_STEP);
	long error;

	if (to <= from)
		return;
	file->writing_back = to;
	error = vmsi_host.sync_range(file->fd, from, to - from,
				     SYNC_FILE_RANGE_WRITE);
	if (vmsi_is_write_error((int)error))
		vmsi_write_error_keep(file, (int)error);
}

static void set_size(struct vms_file *file, uint64_t size)
{
	vmsi_set_size(file, size);
	if (file->writing_back > size)
		file->writing_back = vmsi_align_down(size, WRITE_BACK_STEP);
}

/* --- taking back ---------------------------------------------------------------------- */

/* A file that has become longer than that has something of others behind. */
static bool ends_at(const struct vms_file *file, uint64_t end)
{
	uint64_t size = 0;

	return vmsi_disk_size(file->fd, &size) == 0 && size == end;
}

static void take_back(struct vms_file *file, struct vmsi_written written)
{
	const bool alone = vmsi_appenders_shut_out(file);
	const uint64_t end = written.start + written.length;

	if (!alone || !ends_at(file, end) ||
	    vmsi_disk_truncate(file->fd, written.start) != 0)
		(void)vmsi_disk_write_zeros(file->fd, written.start,
					    written.length);
	if (alone)
		vmsi_appenders_let_in(file);
}

/* --- additions ------------------------------------------------------------------------ */

/* What is to be added, and what of it has been. */
struct addition {
	const char *bytes;     /* NULL: zeros */
	size_t length;
	struct vmsi_written written;
};

static bool has_room(const struct vms_file *file, uint64_t size, size_t length)
{
	return size <= file->maximum && length <= file->maximum - size;
}

/*
 * The rest of an addition, while nobody else adds: by steps, at the place that is
 * known.
 */
static int add_at(struct vms_file *file, const struct addition *addition,
		  uint64_t offset, size_t done)
{
	const size_t left = addition->length - done;

	if (addition->bytes)
		return vmsi_disk_write(file->fd, addition->bytes + done, left,
				       offset);
	if (vmsi_file_has(file, VMS_FILE_SPARSE))
		return vmsi_disk_truncate(file->fd, offset + left);
	return vmsi_disk_extend(file->fd, offset, left, VMSI_DISK_GROW);
}

/* Cut off what add_at has written before it failed. */
static int add_at_or_cut(struct vms_file *file, struct addition *addition)
{
	int error = add_at(file, addition, addition->written.start, 0);

	if (error)
		(void)vmsi_disk_truncate(file->fd, addition->written.start);
	else
		addition->written.length = addition->length;
	return error;
}

static int add_alone(struct vms_file *file, struct addition *addition)
{
	int error = vmsi_disk_size(file->fd, &addition->written.start);

	if (error)
		return error;
	if (!has_room(file, addition->written.start, addition->length))
		return -EFBIG;
	return add_at_or_cut(file, addition);
}

/* The rest of an addition that is the last of the file, while nobody else adds. */
static int add_rest_alone(struct vms_file *file, struct addition *addition)
{
	struct vmsi_written *written = &addition->written;
	int error = add_at(file, addition, written->start + written->length,
			   written->length);

	if (!error)
		written->length = addition->length;
	else if (vmsi_disk_truncate(file->fd, written->start) == 0)
		written->length = 0;
	return error;
}

/*
 * What a call has written in part was stopped by something that the next byte meets
 * again. To find out what, the rest is written, if nobody else has added anything
 * behind; if somebody has, the want of space is the likely reason.
 */
static int add_rest(struct vms_file *file, struct addition *addition)
{
	const struct vmsi_written written = addition->written;
	int error = -ENOSPC;

	if (!vmsi_appenders_shut_out(file))
		return error;
	if (ends_at(file, written.start + written.length))
		error = add_rest_alone(file, addition);
	vmsi_appenders_let_in(file);
	return error;
}

static int add_parts(struct vms_file *file, struct addition *addition,
		     const struct iovec *parts, int count)
{
	const uint64_t end = file->size + addition->length;
	int error = vmsi_disk_append(file->fd, parts, count, end,
				     &addition->written);

	if (!error && addition->written.length < addition->length)
		error = add_rest(file, addition);
	if (!error && addition->written.start + addition->length > file->maximum)
		error = -EFBIG;
	if (error && addition->written.length > 0)
		take_back(file, addition->written);
	return error;
}

static int add_bytes(struct vms_file *file, struct addition *addition)
{
	const struct iovec all = {
		.iov_base = (void *)(uintptr_t)addition->bytes,
		.iov_len = addition->length,
	};

	return add_parts(file, addition, &all, 1);
}

/* --- zeros where others append, too --------------------------------------------------- */

/* One call takes so many parts (UIO_MAXIOV), and as many of these are ONE_WRITE. */
#define ZERO_PARTS 1024
#define ZERO_PART_BYTES ((size_t)2 << 20)

static int cut_zeros(struct iovec *parts, void *zeros, size_t length)
{
	int count = 0;

	while (length > 0) {
		size_t part = vmsi_min(length, ZERO_PART_BYTES);

		parts[count++] = (struct iovec){ zeros, part };
		length -= part;
	}
	return count;
}

static int add_zeros(struct vms_file *file, struct addition *addition)
{
	struct iovec parts[ZERO_PARTS];
	long zeros = vmsi_host.mmap(0, ZERO_PART_BYTES, PROT_READ,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error;

	if (zeros < 0)
		return (int)zeros;
	error = add_parts(file, addition, parts,
			  cut_zeros(parts, (void *)zeros, addition->length));
	(void)vmsi_host.munmap((uintptr_t)zeros, ZERO_PART_BYTES);
	return error;
}

/* --- append and resize ---------------------------------------------------------------- */

/* What one call cannot do well: it is done alone, or else with one call, too. */
static int add_much(struct vms_file *file, struct addition *addition)
{
	int error;

	if (vmsi_appenders_shut_out(file)) {
		error = add_alone(file, addition);
		vmsi_appenders_let_in(file);
		return error;
	}
	if (addition->length > ONE_WRITE)
		return -EFBIG;
	return addition->bytes ? add_bytes(file, addition) :
				 add_zeros(file, addition);
}

static int add(struct vms_file *file, struct addition *addition)
{
	int error = vmsi_appenders_join(file);

	if (error)
		return error;
	if (addition->bytes && addition->length <= ONE_WRITE)
		return add_bytes(file, addition);
	return add_much(file, addition);
}

int vmsi_shared_append(struct vms_file *file, const void *bytes, size_t length,
		       uint64_t *start)
{
	struct addition addition = { .bytes = bytes, .length = length };
	int error;

	*start = file->size;
	if (!has_room(file, file->size, length))
		return -EFBIG;
	if (length == 0)
		return 0;
	error = add(file, &addition);
	if (error)
		return error;
	*start = addition.written.start;
	set_size(file, *start + length);
	begin_write_back(file, *start + length);
	return 0;
}

static int cut_or_add(struct vms_file *file, uint64_t size)
{
	struct addition zeros = { .bytes = NULL };
	uint64_t before = 0;
	int error = vmsi_disk_size(file->fd, &before);

	if (error || size == before)
		return error;
	if (size < before)
		return vmsi_disk_truncate(file->fd, size);
	zeros.length = size - before;
	return add_much(file, &zeros);
}

int vmsi_shared_resize(struct vms_file *file, uint64_t size)
{
	int error = vmsi_appenders_join(file);

	if (!error)
		error = cut_or_add(file, size);
	if (!error)
		set_size(file, size);
	return error;
}
