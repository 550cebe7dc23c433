/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_BASE_H
#define VMSI_FILE_BASE_H

#include <stdint.h>
#include <sys/mman.h>

#include "file/file.h"
#include "host/host.h"

/* The mapping of a file at its base. Each returns 0 or -errno. */

/* Of what pages of a private or an atomic file are. */
enum vmsi_base_pages {
	VMSI_BASE_FILE,        /* the file's, copied when they are written */
	VMSI_BASE_ZEROS,       /* anonymous memory */
};

/* Open the space of a file and map the file; writes base, maximum, mapped, view. */
int vmsi_base_open(struct vms_file *file, const struct vms_file_options *options);
void vmsi_base_close(struct vms_file *file);

/*
 * Map what is not mapped of a private or an atomic file up to end. Called with
 * the file's lock; -ENOMEM is final only after vmsi_ask_to_give_back, which is asked
 * without it.
 */
int vmsi_base_map(struct vms_file *file, uint64_t end, enum vmsi_base_pages pages);

/* Let what is mapped of a private or an atomic file end at a page. With its lock. */
int vmsi_base_unmap(struct vms_file *file, uint64_t end);

/* Unmap what is in the space of a file, the base or a window. */
int vmsi_base_give(struct vms_file *file, struct vmsi_range range);

/* Whether base is private to this process. */
static inline bool vmsi_base_is_private(const struct vms_file *file)
{
	return vmsi_file_has(file, VMS_FILE_PRIVATE) ||
		(vmsi_file_has(file, VMS_FILE_ATOMIC) &&
		 !vmsi_file_has(file, VMS_FILE_READ_ONLY));
}

/* Up to the end of the page that has a byte of a file's offset. */
static inline uint64_t vmsi_page_end(uint64_t size)
{
	return vmsi_align_up(size, vmsi_page_size());
}

/* The pages that base has when the file is so long. */
static inline uint64_t vmsi_pages_of(uint64_t size)
{
	return vmsi_page_end(size) / vmsi_page_size();
}

/* What may be done with what is mapped of a file. */
static inline int vmsi_base_protection(const struct vms_file *file)
{
	return vmsi_file_has(file, VMS_FILE_READ_ONLY) ?
		PROT_READ : PROT_READ | PROT_WRITE;
}

/* Whether a range lies in the file. */
static inline bool vmsi_file_covers(const struct vms_file *file, uint64_t offset,
				    uint64_t length)
{
	const uint64_t size = atomic_load_explicit(&file->size,
						   memory_order_acquire);

	return length <= size && offset <= size - length;
}

/* The addresses of all pages with a byte of a range, which lies in the file. */
static inline struct vmsi_range vmsi_base_range(const struct vms_file *file,
						uint64_t offset, uint64_t length)
{
	const uint64_t start = vmsi_align_down(offset, vmsi_page_size());

	return (struct vmsi_range){
		.start = (uintptr_t)file->base + start,
		.end = (uintptr_t)file->base + vmsi_page_end(offset + length),
	};
}

#endif
