/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* A block in a run that is freed, and resized then. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, SMALL);

	vms_heap_free(heap, block);
	misuse();
	return vms_heap_realloc(heap, block, 2 * SMALL) != NULL;
}
