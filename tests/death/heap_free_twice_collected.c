/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* Free a block again after its run was given back. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, SMALL);

	vms_heap_free(heap, block);
	(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
	misuse();
	vms_heap_free(heap, block);
	return 0;
}
