/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "file/appenders.h"
#include "file/base.h"
#include "file/descriptor.h"
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

/* To cut a file gives back the space that it had past its end, too. */
static int cut(struct vms_file *file, uint64_t size)
{
	const int error = vmsi_disk_truncate(file->fd, size);

	if (!error)
		file->gather.space = vmsi_min(file->gather.space, size);
	return error;
}

/* --- taking back ---------------------------------------------------------------------- */

/* A file that has become longer than that has something of others behind. */
static bool ends_at(const struct vms_file *file, uint64_t end)
{
	uint64_t size = 0;

	return vmsi_disk_size(file->fd, &size) == 0 && size == end;
}

/*
 * Cut off what was written in part, where nobody else was ever seen to append: who does
 * so by write(2) has no lock, and might have come after the look at the size. Else zeros
 * stay there.
 */
static void take_back(struct vms_file *file, struct vmsi_written written)
{
	const uint64_t end = written.start + written.length;
	const bool alone = !file->others_append && vmsi_appenders_shut_out(file);

	if (!alone || !ends_at(file, end) || cut(file, written.start) != 0)
		(void)vmsi_disk_write_zeros(file->fd, written.start,
					    written.length);
	if (alone)
		vmsi_appenders_let_in(file);
}

/* --- additions ------------------------------------------------------------------------ */

/*
 * What is to be added, and what of it has been, by calls that each add at the end,
 * wherever that is: one where it is not too much for one and the disk has the space.
 */
struct addition {
	const char *bytes;     /* NULL: zeros */
	size_t length;
	const char *zeros;
	size_t zeros_length;   /* of what is at zeros */
	struct vmsi_written written;
};

/* One call takes so many parts (UIO_MAXIOV), and as many of these are ONE_WRITE. */
#define ZERO_PARTS 1024
#define ZERO_PART_BYTES ((size_t)2 << 20)

static bool has_room(const struct vms_file *file, uint64_t size, size_t length)
{
	return size <= file->maximum && length <= file->maximum - size;
}

/* The parts of the next call. */
static int cut_parts(const struct addition *addition, struct iovec *parts)
{
	const size_t done = addition->written.length;
	size_t left = vmsi_min(addition->length - done, ONE_WRITE);
	int count = 0;

	if (addition->bytes) {
		parts[0] = (struct iovec){
			(void *)(uintptr_t)(addition->bytes + done), left };
		return 1;
	}
	while (left > 0 && count < ZERO_PARTS) {
		const size_t part = vmsi_min(left, addition->zeros_length);

		parts[count++] = (struct iovec){
			(void *)(uintptr_t)addition->zeros, part };
		left -= part;
	}
	return count;
}

/* Somebody has added something between two parts: the want of space has parted them. */
static int give_up(struct vms_file *file, const struct addition *addition,
		   struct vmsi_written part)
{
	(void)vmsi_disk_write_zeros(file->fd, part.start, part.length);
	return addition->length > ONE_WRITE ? -EFBIG : -ENOSPC;
}

static int add_part(struct vms_file *file, struct addition *addition)
{
	struct vmsi_written *written = &addition->written;
	const uint64_t expected = written->length == 0 ? file->size :
		written->start + written->length;
	struct iovec parts[ZERO_PARTS];
	struct vmsi_written part;
	int error = vmsi_disk_append(file->fd, parts,
				     cut_parts(addition, parts),
				     file->size + addition->length, &part);

	if (error)
		return error;
	if (part.length == 0)
		return -EIO;
	if (part.start != expected)
		file->others_append = true;
	if (written->length == 0)
		written->start = part.start;
	else if (part.start != expected)
		return give_up(file, addition, part);
	written->length += part.length;
	return 0;
}

/*
 * What a call has written in part was stopped by something that the next one meets
 * again, and tells.
 */
static int add_parts(struct vms_file *file, struct addition *addition)
{
	int error = 0;

	while (!error && addition->written.length < addition->length)
		error = add_part(file, addition);
	if (!error && addition->written.start + addition->length > file->maximum)
		error = -EFBIG;
	if (error && addition->written.length > 0)
		take_back(file, addition->written);
	return error;
}

static int add_many_zeros(struct vms_file *file, struct addition *addition)
{
	const long zeros = vmsi_host.mmap(0, ZERO_PART_BYTES, PROT_READ,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error;

	if (zeros < 0)
		return (int)zeros;
	addition->zeros = (const char *)zeros;
	addition->zeros_length = ZERO_PART_BYTES;
	error = add_parts(file, addition);
	(void)vmsi_host.munmap((uintptr_t)zeros, ZERO_PART_BYTES);
	return error;
}

static int add(struct vms_file *file, struct addition *addition)
{
	static const char zeros[65536];

	if (!addition->bytes && addition->length > sizeof(zeros))
		return add_many_zeros(file, addition);
	addition->zeros = zeros;
	addition->zeros_length = sizeof(zeros);
	return add_parts(file, addition);
}

/* What takes several calls is added while no other process appends by this library. */
static int add_much(struct vms_file *file, struct addition *addition)
{
	int error;

	if (addition->length <= ONE_WRITE)
		return add(file, addition);
	if (!vmsi_appenders_shut_out(file))
		return -EFBIG;
	error = add(file, addition);
	vmsi_appenders_let_in(file);
	return error;
}

/*
 * A file system that copies on write needs space to cut a file, too: on a full one what
 * was written in part would stay. So there the space comes first.
 */
static int take_space(const struct vms_file *file, size_t length)
{
	int error;

	if (!file->copies_on_write)
		return 0;
	error = vmsi_disk_extend(file->fd, file->size, length,
				 VMSI_DISK_KEEP_SIZE);
	return error == -EOPNOTSUPP ? 0 : error;
}

/* --- append and resize ---------------------------------------------------------------- */

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
	error = vmsi_descriptor_look(file, NULL);
	if (!error)
		error = vmsi_appenders_join(file);
	if (!error)
		error = take_space(file, length);
	if (!error)
		error = add_much(file, &addition);
	if (error)
		return error;
	*start = addition.written.start;
	set_size(file, *start + length);
	begin_write_back(file, *start + length);
	return 0;
}

/* By its place, which changes nothing of what others append there meanwhile. */
static int extend(struct vms_file *file, uint64_t before, uint64_t size)
{
	int error;

	if (vmsi_file_has(file, VMS_FILE_SPARSE))
		return cut(file, size);
	error = vmsi_disk_extend(file->fd, before, size - before, VMSI_DISK_GROW);
	/* It has cut the file to what it was. */
	if (error)
		file->gather.space = vmsi_min(file->gather.space, before);
	return error;
}

static int lengthen(struct vms_file *file, uint64_t before, uint64_t size)
{
	struct addition zeros = { .length = size - before };
	int error;

	if (file->others_append || !vmsi_appenders_shut_out(file))
		return add_much(file, &zeros);
	error = extend(file, before, size);
	vmsi_appenders_let_in(file);
	return error;
}

static int cut_or_add(struct vms_file *file, uint64_t size)
{
	uint64_t before = 0;
	int error = vmsi_descriptor_look(file, &before);

	if (error || size == before)
		return error;
	return size < before ? cut(file, size) : lengthen(file, before, size);
}

int vmsi_shared_resize(struct vms_file *file, uint64_t size)
{
	int error = vmsi_descriptor_look(file, NULL);

	if (!error)
		error = vmsi_appenders_join(file);
	if (!error)
		error = cut_or_add(file, size);
	if (!error)
		set_size(file, size);
	return error;
}
