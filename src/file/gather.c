/* SPDX-License-Identifier: MIT */
#include "file/gather.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "file/appenders.h"
#include "file/base.h"
#include "file/descriptor.h"
#include "file/grow.h"
#include "host/disk.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * More at once makes the kernel use larger folios for the page cache, and gains nothing
 * any more by fewer calls.
 */
#define GATHER_BYTES ((size_t)256 << 10)

/* Each step is a call, and what is not used of the last one is given back. */
#define SPACE_STEP ((uint64_t)8 << 20)

/* --- opening and closing ------------------------------------------------------------ */

/*
 * Of the file system's own, for where the blocks are: it is no space past the end. A file
 * with holes may have some of that all the same.
 */
#define OWN_BYTES ((uint64_t)128 << 10)

/*
 * To cut a file to the size that it has gives back what lies behind. Not where others
 * were seen to append: they might come before the cut.
 */
static void give_back_space(struct vms_file *file)
{
	uint64_t size;

	if (!file->others_append && vmsi_descriptor_look(file, &size) == 0 &&
	    size == file->size)
		(void)vmsi_disk_truncate(file->fd, size);
}

/* What one has taken ahead that was killed. */
static void give_back_leftover(struct vms_file *file)
{
	struct stat status;

	if (vmsi_host.fstat(file->fd, &status) == 0 &&
	    (uint64_t)status.st_blocks * 512 > file->size + OWN_BYTES)
		give_back_space(file);
}

int vmsi_gather_open(struct vms_file *file)
{
	struct vmsi_gather *gather = &file->gather;
	int error;

	if (!vmsi_file_has(file, VMS_FILE_GATHERS))
		return 0;
	error = vmsi_appenders_keep_out(file);
	if (error)
		return error;
	gather->bytes = vmsi_records_get(NULL, GATHER_BYTES);
	if (!gather->bytes)
		return vmsi_refuse(VMS_REFUSAL_RECORDS);
	gather->space = file->size;
	give_back_leftover(file);
	return 0;
}

int vmsi_gather_close(struct vms_file *file)
{
	struct vmsi_gather *gather = &file->gather;
	int error;

	if (!gather->bytes)
		return 0;
	error = vmsi_gather_flush(file);
	if (gather->space > file->size)
		give_back_space(file);
	vmsi_records_put(NULL, gather->bytes, GATHER_BYTES);
	gather->bytes = NULL;
	return error;
}

void vmsi_gather_forked(struct vms_file *file)
{
	file->gather.length = 0;
	file->gather.space = 0;
	file->gather.is_inherited = true;
}

/* --- space ---------------------------------------------------------------------------- */

/* Up to `space` the limit of the process has been asked for, too. */
static int take_space(struct vms_file *file, uint64_t end)
{
	uint64_t *space = &file->gather.space;
	uint64_t ahead = vmsi_min(vmsi_align_up(end, SPACE_STEP), file->maximum);
	int error;

	if (end <= *space)
		return 0;
	error = vmsi_descriptor_look(file, NULL);
	if (error)
		return error;
	if (vmsi_disk_check_limit(ahead) != 0)
		ahead = end;
	error = vmsi_disk_check_limit(ahead);
	if (error)
		return error;
	if (!vmsi_file_has(file, VMS_FILE_SPARSE))
		return vmsi_disk_extend_ahead(file->fd, VMSI_DISK_KEEP_SIZE,
					      space, end, ahead);
	*space = ahead;
	return 0;
}

/* --- writing out --------------------------------------------------------------------- */

int vmsi_gather_write_out(struct vms_file *file)
{
	struct vmsi_gather *gather = &file->gather;
	const uint64_t told = file->size;
	uint64_t start;
	int error;

	if (gather->length == 0)
		return 0;
	error = vmsi_shared_append(file, gather->bytes, gather->length, &start);
	if (error) {
		/* What was written in part was cut off again, and the space behind. */
		(void)take_space(file, told + gather->length);
		return error;
	}
	gather->length = 0;
	return start == told ? 0 : -EBUSY;
}

int vmsi_gather_flush(struct vms_file *file)
{
	int error;

	if (!vmsi_file_has(file, VMS_FILE_GATHERS))
		return 0;
	vmsi_lock_acquire(&file->lock);
	error = vmsi_gather_write_out(file);
	vmsi_lock_release(&file->lock);
	return error;
}

int vmsi_file_reach(struct vms_file *file, uint64_t offset, uint64_t length)
{
	int error;

	if (vmsi_file_covers(file, offset, length))
		return 0;
	error = vmsi_gather_flush(file);
	if (error)
		return error;
	return vmsi_file_covers(file, offset, length) ? 0 : -ERANGE;
}

/* --- gathering ------------------------------------------------------------------------ */

static bool fits(const struct vmsi_gather *gather, const void *bytes, size_t length)
{
	return bytes && !gather->is_inherited &&
		length <= GATHER_BYTES - gather->length;
}

static int append_at_once(struct vms_file *file, const void *bytes, size_t length,
			  uint64_t *start)
{
	int error = vmsi_gather_write_out(file);

	return error ? error : vmsi_shared_append(file, bytes, length, start);
}

int vmsi_gather_append(struct vms_file *file, const void *bytes, size_t length,
		       uint64_t *start)
{
	struct vmsi_gather *gather = &file->gather;
	uint64_t end;
	int error;

	if (!fits(gather, bytes, length)) {
		error = vmsi_gather_write_out(file);
		if (error)
			return error;
	}
	if (!fits(gather, bytes, length))
		return vmsi_shared_append(file, bytes, length, start);
	*start = file->size + gather->length;
	if (!vmsi_add(*start, length, &end) || end > file->maximum)
		return -EFBIG;
	error = take_space(file, end);
	/* Where there is no space to be had ahead, a write tells whether there is any. */
	if (error == -EOPNOTSUPP)
		return append_at_once(file, bytes, length, start);
	if (error)
		return error;
	memcpy(gather->bytes + gather->length, bytes, length);
	gather->length += length;
	return 0;
}
