/* SPDX-License-Identifier: MIT */
#include "death.h"

/* A guard page in the middle of a mapping. */
int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = map_pages(space, 3);

	must(vms_mprotect(space, (char *)memory + page_size(), page_size(),
			  PROT_NONE), "vms_mprotect");
	if (memory[2 * page_size()] != 3)
		return 2;
	misuse();
	memory[page_size()] = 1;
	return 0;
}
