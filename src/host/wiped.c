/* SPDX-License-Identifier: MIT */
#include "base/mman.h"
#include "host/host.h"

long vmsi_host_wiped_page(void)
{
	const size_t bytes = vmsi_page_size();
	const long page = vmsi_host.mmap(0, bytes, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long error;

	if (page < 0)
		return page;
	error = vmsi_host.madvise((uintptr_t)page, bytes, MADV_WIPEONFORK);
	if (error < 0)
		vmsi_host.munmap((uintptr_t)page, bytes);
	return error < 0 ? error : page;
}
