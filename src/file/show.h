/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_SHOW_H
#define VMSI_FILE_SHOW_H

#include <stdint.h>

#include "file/base.h"
#include "file/file.h"
#include "file/pageset.h"

/*
 * What the pages of base of an atomic file are mapped from. Each call replaces what is
 * at the pages in one step, has the tracker follow what is new, and returns 0 or
 * -errno: the pages are as before. Called with the lock of the file, and, where the
 * pages may be in use, with the gate closed.
 */

/* The home file, by mapping it anew. */
int vmsi_show_home(struct vms_file *file, struct vmsi_page_run run);

/*
 * The same, alone and with all that was written in the sets; the home file has what is
 * committed. Zeros beside the pages that it has, too, are mapped from it with them: pages
 * that lie apart would each be a mapping of its own among them.
 */
int vmsi_show_home_around(struct vms_file *file, struct vmsi_page_run run);

/* Images in the journal, which lie one behind the other from an offset on. */
int vmsi_show_images(struct vms_file *file, struct vmsi_page_run run,
		     uint64_t offset);

/* Memory of zeros, behind what is mapped: base becomes longer. */
int vmsi_show_zeros(struct vms_file *file, struct vmsi_page_run run);

/* Nothing, from a page on: base becomes shorter. */
int vmsi_show_nothing(struct vms_file *file, uint64_t first);

/*
 * Let private pages go, so that the home file is seen at their place: without a new
 * mapping where it is mapped there, else as vmsi_show_home_around. Their sets are the
 * caller's to change, but for anonymous and spilled.
 */
int vmsi_show_home_again(struct vms_file *file, struct vmsi_page_run run);

/* The addresses of pages of base. */
static inline struct vmsi_range vmsi_pages_range(const struct vms_file *file,
						 struct vmsi_page_run run)
{
	const size_t page = vmsi_page_size();

	return (struct vmsi_range){
		(uintptr_t)file->base + run.first * page,
		(uintptr_t)file->base + run.end * page,
	};
}

#endif
