/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include "file/file.h"
#include "file/guard.h"
#include "file/view.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * A stand-in for open.c, until that is there: it maps
 * a file that exists, so that the guard can be tested.
 */

static int map_base(struct vms_file *file)
{
	const bool writes = !vmsi_file_has(file, VMS_FILE_READ_ONLY);
	long base = vmsi_host.mmap(0, file->maximum, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				   -1, 0);

	if (base < 0)
		return (int)base;
	file->mapped = vmsi_file_has(file, VMS_FILE_PRIVATE) ?
		vmsi_align_up(file->size, vmsi_page_size()) : file->maximum;
	base = vmsi_host.mmap((uintptr_t)base, file->mapped,
			      PROT_READ | (writes ? PROT_WRITE : 0),
			      MAP_FIXED |
			      (vmsi_file_has(file, VMS_FILE_PRIVATE) ?
			       MAP_PRIVATE : MAP_SHARED), file->fd, 0);
	if (base < 0)
		return (int)base;
	file->base = (char *)base;
	file->view = vmsi_view_add(file, (struct vmsi_range){
		(uintptr_t)base, (uintptr_t)base + file->maximum }, 0);
	return file->view ? 0 : -ENOMEM;
}

static int open_file(struct vms_file *file, const char *path,
		     const struct vms_file_options *options)
{
	struct stat status;
	long fd;

	file->flags = options ? options->flags : 0;
	fd = vmsi_host.open_file(path, vmsi_file_has(file, VMS_FILE_READ_ONLY) ?
				 O_RDONLY : O_RDWR, 0);
	if (fd < 0)
		return (int)fd;
	file->fd = (int)fd;
	if (vmsi_host.fstat(file->fd, &status) < 0)
		return -EBADF;
	file->size = (uint64_t)status.st_size;
	file->maximum = options && options->maximum ? options->maximum :
		vmsi_align_up(4 * file->size, (uintptr_t)1 << 30);
	vmsi_lock_init(&file->lock, VMSI_RANK_FILE);
	if (vmsi_losses_open(&file->losses, file->maximum) != 0)
		return -ENOMEM;
	return options && options->window_addresses ? 0 : map_base(file);
}

vms_file *vms_file_open(const char *path, const struct vms_file_options *options)
{
	struct vms_file *file = vmsi_records_get(NULL, vmsi_page_size());
	int error = vmsi_guard_install();

	if (!error)
		error = file ? open_file(file, path, options) : -ENOMEM;
	if (error) {
		vmsi_status(error);
		return NULL;
	}
	return file;
}

int vms_file_close(vms_file *file)
{
	if (file->base) {
		vmsi_view_remove(file->view);
		vmsi_host.munmap((uintptr_t)file->base, file->maximum);
	}
	vmsi_host.close(file->fd);
	vmsi_losses_close(&file->losses);
	vmsi_records_put(NULL, file, vmsi_page_size());
	return 0;
}

uint64_t vms_file_size(const vms_file *file)
{
	return file->size;
}

void *vms_file_at(const vms_file *file, uint64_t offset, size_t length)
{
	if (!file->base || offset > file->size || length > file->size - offset) {
		vmsi_status(file->base ? -ERANGE : -ENXIO);
		return NULL;
	}
	return file->base + offset;
}

int vms_file_refresh(vms_file *file)
{
	struct stat status;
	int error;

	vmsi_lock_acquire(&file->lock);
	error = (int)vmsi_host.fstat(file->fd, &status);
	if (!error) {
		atomic_store(&file->size, (uint64_t)status.st_size);
		error = vmsi_losses_mend(file);
	}
	vmsi_lock_release(&file->lock);
	return vmsi_status(error);
}

int vms_file_get_stats(vms_file *file, struct vms_file_stats *stats)
{
	stats->size = file->size;
	stats->maximum = file->maximum;
	stats->losses = file->losses.count;
	stats->losses_outside = file->losses.outside;
	return 0;
}
