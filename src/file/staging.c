/* SPDX-License-Identifier: MIT */
#include "file/staging.h"

#include <string.h>
#include <sys/mman.h>

#include "base/align.h"
#include "host/host.h"

#define FIRST_PAGES 16u

/* Pages first, images and offsets behind them. */
static size_t bytes_for(size_t pages)
{
	return vmsi_align_up(pages * (vmsi_page_size() +
				      sizeof(struct vmsi_image) +
				      sizeof(uint64_t)),
			     vmsi_page_size());
}

int vmsi_staging_prepare(struct vmsi_staging *staging, size_t pages)
{
	size_t room = staging->room ? staging->room : FIRST_PAGES;
	long memory;

	while (room < pages && room < VMSI_STAGING_PAGES)
		room *= 2;
	staging->count = 0;
	if (room == staging->room)
		return 0;
	memory = vmsi_host.mmap(0, bytes_for(room), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* A smaller one does as well, in more pieces. */
	if (memory < 0)
		return staging->room ? 0 : (int)memory;
	vmsi_staging_close(staging);
	staging->pages = (char *)memory;
	staging->images = (struct vmsi_image *)
		(memory + (long)(room * vmsi_page_size()));
	staging->offsets = (uint64_t *)(staging->images + room);
	staging->room = room;
	return 0;
}

void vmsi_staging_close(struct vmsi_staging *staging)
{
	if (staging->room)
		vmsi_host.munmap((uintptr_t)staging->pages,
				 bytes_for(staging->room));
	*staging = (struct vmsi_staging){ .room = 0 };
}

void vmsi_staging_add(struct vmsi_staging *staging, uint64_t page,
		      const void *bytes)
{
	char *copy = staging->pages + staging->count * vmsi_page_size();

	memcpy(copy, bytes, vmsi_page_size());
	staging->images[staging->count++] = (struct vmsi_image){ page, copy };
}
