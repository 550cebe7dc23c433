/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* A pointer into a block in a slot. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, LARGE);

	misuse();
	vms_heap_free(heap, block + page_size());
	return 0;
}
