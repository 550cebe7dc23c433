/* SPDX-License-Identifier: MIT */
#include "death.h"

/* Touch memory further below a growing mapping than its guard gap lets it grow. */
int main(void)
{
	vms_space *space = open_space();
	char *base = vms_space_base(space);
	volatile char *stack;

	if (vms_mmap(space, base + 512 * page_size(), page_size(), RW,
		     ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		give_up("vms_mmap");
	stack = vms_mmap(space, base + 768 * page_size(), page_size(), RW,
			 ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	if (stack == MAP_FAILED)
		give_up("vms_mmap");
	stack[0] = 1;
	misuse();
	/* The neighbour is less than a guard gap below. */
	stack[-(long)page_size()] = 1;
	return 0;
}
