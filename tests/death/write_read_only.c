/* SPDX-License-Identifier: MIT */
#include "death.h"

int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = map_pages(space, 1);

	must(vms_mprotect(space, (char *)memory, page_size(), PROT_READ),
	     "vms_mprotect");
	if (memory[0] != 1)
		return 2;
	misuse();
	memory[0] = 2;
	return 0;
}
