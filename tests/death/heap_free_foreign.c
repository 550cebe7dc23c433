/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* A pointer that is not the heap's at all. */
int main(void)
{
	vms_heap *heap = open_heap();
	static char block[64];

	misuse();
	vms_heap_free(heap, block);
	return 0;
}
