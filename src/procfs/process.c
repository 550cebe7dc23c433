/* SPDX-License-Identifier: MIT */
#include <vmspace/process.h>

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/align.h"
#include "base/versioned.h"
#include "host/host.h"
#include "procfs/file.h"
#include "procfs/smaps.h"

/*
 * Holds the longest first line of a mapping: its path is VMS_PATH_MAX newlines,
 * each of which the kernel writes as four bytes. The kernel returns a few pages a
 * read at most, so a larger buffer would save no calls.
 */
#define BUFFER_BYTES ((size_t)32 << 10)

enum progress { LISTING, ENDED, FAILED };

struct vms_process_maps {
	int fd;
	int error; /* why FAILED; -errno */
	enum progress progress;
	uintptr_t listed; /* the end of the last mapping given */
	struct vmsi_lines lines;
	struct vms_mapping_info info;
	char buffer[BUFFER_BYTES];
};

static size_t list_bytes(void)
{
	return vmsi_align_up(sizeof(vms_process_maps), vmsi_page_size());
}

/*
 * Map memory for a list, with guard pages around it, so that the host does not
 * merge it with mappings that the list tells about.
 */
static vms_process_maps *allocate(void)
{
	const size_t guard = vmsi_page_size();
	long whole = vmsi_host.mmap(0, list_bytes() + 2 * guard, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				    -1, 0);
	uintptr_t list = (uintptr_t)whole + guard;

	if (whole < 0 && whole > -4096)
		return NULL;
	if (vmsi_host.mprotect(list, list_bytes(), PROT_READ | PROT_WRITE) < 0) {
		vmsi_host.munmap((uintptr_t)whole, list_bytes() + 2 * guard);
		return NULL;
	}
	return (vms_process_maps *)list;
}

static void release(vms_process_maps *maps)
{
	const size_t guard = vmsi_page_size();

	vmsi_host.munmap((uintptr_t)maps - guard, list_bytes() + 2 * guard);
}

static int open_maps(pid_t pid, vms_process_maps **result)
{
	vms_process_maps *maps;

	if (pid < 0)
		return -EINVAL;
	maps = allocate();
	if (!maps)
		return -ENOMEM;
	maps->fd = vmsi_procfs_open(pid, "smaps");
	if (maps->fd < 0) {
		int error = maps->fd;

		release(maps);
		return error;
	}
	vmsi_host_lines(&maps->lines, &maps->fd, maps->buffer, BUFFER_BYTES);
	*result = maps;
	return 0;
}

vms_process_maps *vms_process_maps_open(pid_t pid)
{
	vms_process_maps *maps = NULL;
	int error = open_maps(pid, &maps);

	if (error)
		errno = -error;
	return maps;
}

static bool is_private_anonymous(const struct vms_mapping_info *info)
{
	return (info->flags & (VMS_MAPPING_ANONYMOUS | VMS_MAPPING_SHARED)) ==
		VMS_MAPPING_ANONYMOUS;
}

/*
 * Cut off the part of a mapping that was given before. The process runs between
 * two reads, and may have made a mapping that was given part of a larger one:
 *
 *	given   [----)
 *	read    [---------)
 *	kept         [----)
 */
static void clip(struct vms_mapping_info *info, uintptr_t listed)
{
	size_t cut;

	if (info->start >= listed)
		return;
	cut = vmsi_min(listed - info->start, info->length);
	info->start += cut;
	info->length -= cut;
	if (info->inode != 0 && !is_private_anonymous(info))
		info->offset += cut;
	info->committed = vmsi_min(info->committed, info->length);
	if (info->resident != VMS_NOT_COUNTED)
		info->resident = vmsi_min(info->resident, info->length);
}

/* Read the next mapping. Returns 1 and maps->info, 0 at the end, or -errno. */
static int read_next(vms_process_maps *maps)
{
	do {
		int result = vmsi_smaps_next(&maps->lines, &maps->info);

		if (result == 0)
			return vmsi_procfs_check_complete(maps->fd);
		if (result < 0)
			return result;
		clip(&maps->info, maps->listed);
	} while (maps->info.length == 0);
	maps->listed = maps->info.start + maps->info.length;
	return 1;
}

static void advance(vms_process_maps *maps)
{
	int result = read_next(maps);

	if (result == 0)
		maps->progress = ENDED;
	if (result < 0) {
		maps->progress = FAILED;
		maps->error = result;
	}
}

int vms_process_maps_next(vms_process_maps *maps, struct vms_mapping_info *info)
{
	const int error = maps && info ?
		vmsi_check_struct_size(info->struct_size,
				       VMSI_FIRST_MAPPING_INFO) : -EINVAL;

	if (error) {
		errno = -error;
		return -1;
	}
	if (maps->progress == LISTING)
		advance(maps);
	if (maps->progress == FAILED) {
		errno = -maps->error;
		return -1;
	}
	if (maps->progress == ENDED)
		return 0;
	vmsi_give_figures(info, &maps->info, sizeof(maps->info));
	return 1;
}

void vms_process_maps_close(vms_process_maps *maps)
{
	if (!maps)
		return;
	vmsi_host.close(maps->fd);
	release(maps);
}
