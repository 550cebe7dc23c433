/* SPDX-License-Identifier: MIT */
#include "death.h"

/* Growth keeps the protection. */
int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = vms_mmap(space, NULL, page_size(), PROT_READ,
					 ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		give_up("vms_mmap");
	memory = vms_mremap(space, (char *)memory, page_size(),
			    4 * page_size(), MREMAP_MAYMOVE, NULL);
	if (memory == MAP_FAILED || memory[3 * page_size()] != 0)
		return 2;
	misuse();
	memory[3 * page_size()] = 2;
	return 0;
}
