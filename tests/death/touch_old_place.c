/* SPDX-License-Identifier: MIT */
#include "death.h"

/* The place that a mapping has moved away from. */
int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = map_pages(space, 2);
	volatile char *moved;

	if (vms_mmap(space, (char *)memory + 2 * page_size(), page_size(),
		     PROT_READ, ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		     0) == MAP_FAILED)
		give_up("vms_mmap");
	moved = vms_mremap(space, (char *)memory, 2 * page_size(),
			   64 * page_size(), MREMAP_MAYMOVE, NULL);
	if (moved == MAP_FAILED || moved == memory || moved[0] != 1)
		return 2;
	misuse();
	return memory[0];
}
