/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* Ask for the usable size of a freed block. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, LARGE);

	vms_heap_free(heap, block);
	misuse();
	return vms_heap_usable_size(heap, block) == 0;
}
