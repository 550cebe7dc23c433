/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* A block in a run that is freed twice. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, SMALL);

	make_block(heap, SMALL);
	vms_heap_free(heap, block);
	misuse();
	vms_heap_free(heap, block);
	return 0;
}
