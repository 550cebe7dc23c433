/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* A block in a slot that is freed, and resized then. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, LARGE);

	vms_heap_free(heap, block);
	misuse();
	return vms_heap_realloc(heap, block, LARGE + 1) != NULL;
}
