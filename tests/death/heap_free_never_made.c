/* SPDX-License-Identifier: MIT */
#include "heap_death.h"

/* A pointer to where no block was ever made. */
int main(void)
{
	vms_heap *heap = open_heap();
	char *block = make_block(heap, LARGE);

	misuse();
	vms_heap_free(heap, block + ((size_t)1 << 30));
	return 0;
}
