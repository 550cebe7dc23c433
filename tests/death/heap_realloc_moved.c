/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* Resize a block at the place that it has moved from. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, LARGE);

	if (!vms_heap_realloc(heap, block, (size_t)100 << 20))
		give_up("vms_heap_realloc");
	misuse();
	return vms_heap_realloc(heap, block, 2 * LARGE) != NULL;
}
