/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* A pointer into a block in a run. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, SMALL);

	misuse();
	vms_heap_free(heap, block + 16);
	return 0;
}
