/* SPDX-License-Identifier: MIT */
#include "death.h"

/* Use a handle of unmapped memory; only debug builds notice. */
int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = map_pages(space, 1);
	vms_handle handle;

	must(vms_handle_open(space, (char *)memory, page_size(), &handle),
	     "vms_handle_open");
	if (vms_handle_address(space, handle) != memory)
		return 2;
	must(vms_munmap(space, (char *)memory, page_size()), "vms_munmap");
	misuse();
	return vms_handle_address(space, handle) ? 1 : 0;
}
