/* SPDX-License-Identifier: MIT */
#include "death.h"

/* Beyond the end of a mapping that has grown several times. */
int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = map_pages(space, 1);
	size_t pages = 1;

	for (; pages < 16; pages *= 2) {
		memory = vms_mremap(space, (char *)memory, pages * page_size(),
				    2 * pages * page_size(), MREMAP_MAYMOVE,
				    NULL);
		if (memory == MAP_FAILED)
			give_up("vms_mremap");
	}
	memory[pages * page_size() - 1] = 1;
	misuse();
	memory[pages * page_size()] = 1;
	return 0;
}
