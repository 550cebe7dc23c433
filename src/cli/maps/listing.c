/* SPDX-License-Identifier: MIT */
#include "cli/maps/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"

#define DELETED " (deleted)"

const struct vmsi_flag_word vmsi_flag_words[] = {
	{ VMS_MAPPING_NORESERVE, "noreserve" },
	{ VMS_MAPPING_LOCKED, "locked" },
	{ VMS_MAPPING_GROWSDOWN, "growsdown" },
	{ VMS_MAPPING_HUGETLB, "hugetlb" },
	{ VMS_MAPPING_HUGE_FALLBACK, "hugefallback" },
	{ VMS_MAPPING_SEALED, "sealed" },
	{ VMS_MAPPING_DONTFORK, "dontfork" },
	{ VMS_MAPPING_WIPEONFORK, "wipeonfork" },
	{ VMS_MAPPING_DONTDUMP, "dontdump" },
	{ VMS_MAPPING_MERGEABLE, "mergeable" },
	{ VMS_MAPPING_HUGEPAGE, "hugepage" },
	{ VMS_MAPPING_NOHUGEPAGE, "nohugepage" },
	{ 0, NULL },
};

struct vmsi_prot_text vmsi_prot_text(int prot)
{
	return (struct vmsi_prot_text){ {
		prot & PROT_READ ? 'r' : '-',
		prot & PROT_WRITE ? 'w' : '-',
		prot & PROT_EXEC ? 'x' : '-',
		'\0',
	} };
}

/* Add to a sum; a sum that does not fit becomes the largest number. */
static void add(uint64_t *sum, uint64_t more)
{
	if (__builtin_add_overflow(*sum, more, sum))
		*sum = UINT64_MAX;
}

static void count(struct vmsi_total *total, const struct vmsi_listed *mapping)
{
	total->mappings++;
	add(&total->size, mapping->length);
	add(&total->committed, mapping->committed);
	if (mapping->resident != VMS_NOT_COUNTED)
		add(&total->resident, mapping->resident);
}

/*
 * The length of a path without the " (deleted)" that the kernel appends where the
 * file has no name any more.
 */
static size_t path_length(const char *path, enum vmsi_file_state *state)
{
	size_t length = strlen(path);
	size_t remark = sizeof(DELETED) - 1;

	*state = VMSI_FILE_PRESENT;
	if (length > remark && strcmp(path + length - remark, DELETED) == 0) {
		*state = VMSI_FILE_DELETED;
		length -= remark;
	}
	return length;
}

static int append(struct vmsi_listing *listing,
		  const struct vms_mapping_info *info)
{
	struct vmsi_listed mapping = {
		.start = info->start,
		.length = info->length,
		.prot = info->prot,
		.flags = info->flags,
		.page_size = info->page_size,
		.device = info->device,
		.inode = info->inode,
		.offset = info->offset,
		.committed = info->committed,
		.resident = info->resident,
	};
	size_t length = path_length(info->path, &mapping.file_state);
	struct vmsi_listed *mappings =
		vmsi_with_capacity(listing->mappings, listing->count,
			       &listing->capacity, sizeof(*mappings));

	if (!mappings)
		return -ENOMEM;
	listing->mappings = mappings;
	mapping.path = strndup(info->path, length);
	mapping.name = strdup(info->name);
	if (!mapping.path || !mapping.name) {
		free(mapping.path);
		free(mapping.name);
		return -ENOMEM;
	}
	mappings[listing->count++] = mapping;
	count(&listing->total, &mapping);
	return 0;
}

static int read_mappings(struct vmsi_listing *listing, vms_process_maps *maps)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	int result;

	while ((result = vms_process_maps_next(maps, &info)) > 0)
		if (append(listing, &info))
			return -ENOMEM;
	return result < 0 ? -errno : 0;
}

int vmsi_listing_read(struct vmsi_listing *listing, pid_t pid)
{
	vms_process_maps *maps;
	int error;

	*listing = (struct vmsi_listing){ .pid = pid ? pid : getpid() };
	vmsi_process_name_read(listing->command, listing->pid);
	maps = vms_process_maps_open(pid);
	if (!maps)
		return -errno;
	error = read_mappings(listing, maps);
	vms_process_maps_close(maps);
	return error;
}

void vmsi_listing_free(struct vmsi_listing *listing)
{
	for (size_t i = 0; i < listing->count; i++) {
		free(listing->mappings[i].path);
		free(listing->mappings[i].name);
	}
	free(listing->mappings);
	*listing = (struct vmsi_listing){ 0 };
}
