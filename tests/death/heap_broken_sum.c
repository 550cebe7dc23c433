/* SPDX-License-Identifier: MIT */
#include "heap/heap.h"
#include "heap_death.h"

/* An invariant of the heap that does not hold any more; only debug builds look. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, LARGE);

	misuse();
	heap->ages.retained++;
	vms_heap_free(heap, block);
	return 0;
}
