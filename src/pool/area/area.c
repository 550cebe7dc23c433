/* SPDX-License-Identifier: MIT */
#include "pool/area/area.h"

#include <errno.h>
#include <string.h>

#include "host/disk.h"
#include "host/host.h"
#include "pool/area/path.h"
#include "pool/area/read.h"
#include "pool/area/recover.h"

/* --- to open -------------------------------------------------------------------------------- */

/* Nobody has the area open meanwhile but for reading, as this one has. */
int vmsi_area_take(struct vmsi_area *area, const char *path, const struct vmsi_store *store,
		   unsigned flags)
{
	long fd;

	*area = (struct vmsi_area){ .fd = -1 };
	area->is_read_only = flags & VMSI_STORE_READ_ONLY;
	fd = vmsi_area_path_open(path, store->fd, area->is_read_only);
	/* Who only reads makes none. */
	if (fd == -ENOENT && area->is_read_only)
		return 0;
	if (fd < 0)
		return (int)fd;
	area->fd = (int)fd;
	return 0;
}

int vmsi_area_open(struct vmsi_area *area, const char *path, struct vmsi_store *store)
{
	int error;

	if (area->fd < 0)
		return 0;
	error = vmsi_area_recover(area, store);
	/* A file that was made and whose name is lost is of no use. */
	if (!error && !area->is_read_only)
		error = vmsi_disk_sync_name(path);
	if (error)
		vmsi_area_close(area);
	return error;
}

/*
 * The header comes before the room: a file that has room has a header, so that no other
 * one is taken for an area.
 */
static int begin_anew(const struct vmsi_area *area)
{
	const struct vmsi_area_header *header = &area->header;
	char bytes[VMSI_AREA_HEADER_BYTES];
	int error = vmsi_disk_truncate(area->fd, 0);

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, header, sizeof(*header));
	/* Behind a new header no batch may be that has the salt of the old one. */
	if (!error)
		error = (int)vmsi_host.fsync(area->fd);
	if (!error)
		error = vmsi_disk_write(area->fd, bytes, sizeof(bytes), 0);
	if (!error)
		error = (int)vmsi_host.fsync(area->fd);
	if (!error)
		error = vmsi_disk_extend(area->fd, sizeof(bytes),
					 vmsi_area_bytes(header) - sizeof(bytes),
					 VMSI_DISK_GROW);
	return error ? error : (int)vmsi_host.fsync(area->fd);
}

int vmsi_area_begin(struct vmsi_area *area, size_t page_size, size_t batch_pages)
{
	struct vmsi_area_header *header = &area->header;
	int error;

	if (!vmsi_area_is_used(area))
		return 0;
	header->page_size = page_size;
	header->batch_pages = batch_pages;
	header->places = VMSI_AREA_PLACES;
	error = vmsi_host_get_random(&header->salt, sizeof(header->salt));
	if (error)
		return error;
	vmsi_area_header_finish(header);
	return begin_anew(area);
}

/* --- to close -------------------------------------------------------------------------------- */

/* Where it fails, what is in it is what the file has: nothing comes of it. */
void vmsi_area_end(struct vmsi_area *area)
{
	if (vmsi_area_is_used(area) && vmsi_disk_truncate(area->fd, 0) == 0)
		(void)vmsi_host.fsync(area->fd);
}

void vmsi_area_close(struct vmsi_area *area)
{
	if (area->fd >= 0)
		vmsi_area_path_unlock(area->fd);
	vmsi_area_forked(area);
}

void vmsi_area_forked(struct vmsi_area *area)
{
	const int fd = area->fd;

	/* The child of a fork that comes meanwhile does not close another one by that number. */
	area->fd = -1;
	if (fd >= 0)
		(void)vmsi_host.close(fd);
}

/* --- to put ---------------------------------------------------------------------------------- */

/*
 * A batch that could not be made durable has its place still, which the next one fills
 * anew from its beginning: so nothing depends on what the kernel has dropped.
 */
int vmsi_area_put(struct vmsi_area *area, struct vmsi_area_head *head,
		  const uint64_t *pages, size_t count)
{
	const size_t page_size = area->header.page_size;
	const char *images = (const char *)head + VMSI_AREA_HEAD_BYTES;
	const uint64_t sequence = area->sequence + 1;
	int error;

	head->sequence = sequence;
	head->settled = area->settled;
	head->count = count;
	for (size_t i = 0; i < count; i++)
		head->entries[i] = (struct vmsi_area_entry){
			.page = pages[i],
			.sum = vmsi_area_sum(&area->header, sequence, pages[i],
					     images + i * page_size),
		};
	vmsi_area_head_finish(&area->header, head);
	error = vmsi_disk_write(area->fd, head, VMSI_AREA_HEAD_BYTES + count * page_size,
				vmsi_area_offset(&area->header, sequence));
	if (!error)
		error = vmsi_disk_sync(area->fd);
	if (!error)
		area->sequence = sequence;
	return error;
}

/* What fails once more has failed still. */
int vmsi_area_write_failed(struct vmsi_area *area, struct vmsi_store *store)
{
	struct vmsi_area_reader reader;
	uint64_t differing = 0;
	int error;

	if (area->failed <= area->settled)
		return 0;
	error = vmsi_area_reader_open(&reader, area->fd, &area->header);
	if (error)
		return error;
	error = vmsi_area_mend(&reader, store, area->settled, area->sequence, false,
			       &differing);
	vmsi_area_reader_close(&reader);
	return error;
}
