/* SPDX-License-Identifier: MIT */
#include "heap/heap.h"
#include "heap_death.h"

/* The program breaks an invariant of the heap; only debug builds notice. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, LARGE);

	misuse();
	heap->ages.retained++;
	vms_heap_free(heap, block);
	return 0;
}
