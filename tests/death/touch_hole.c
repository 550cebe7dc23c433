/* SPDX-License-Identifier: MIT */
#include "death.h"

/* A part of a space in which nothing is mapped. */
int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = map_pages(space, 2);

	misuse();
	return memory[2 * page_size()];
}
