/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* Write behind the room of a block. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, LARGE);

	misuse();
	block[(size_t)60 << 20] = 1;
	return 0;
}
