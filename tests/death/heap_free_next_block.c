/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* Where the next block of a run will be. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, SMALL);

	misuse();
	vms_heap_free(heap, block + vms_heap_usable_size(heap, block));
	return 0;
}
