/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* Free the address of a run's next block before it is handed out. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, SMALL);

	misuse();
	vms_heap_free(heap, block + vms_heap_usable_size(heap, block));
	return 0;
}
