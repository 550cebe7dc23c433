/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* A block whose run has gone when it is freed again. */
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
