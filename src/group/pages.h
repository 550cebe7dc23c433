/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_PAGES_H
#define VMSI_GROUP_PAGES_H

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

static inline size_t vmsi_page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* bytes, rounded up to whole pages; 0 where the sum would wrap round. */
static inline size_t vmsi_pages(uint64_t bytes)
{
	const size_t page = vmsi_page_bytes();

	return bytes > SIZE_MAX - page ? 0 : (bytes + page - 1) / page * page;
}

#endif
