/* SPDX-License-Identifier: MIT */
#include "death.h"

/* The program uses a closed handle; only debug builds notice. */
int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = map_pages(space, 1);
	vms_handle handle;

	must(vms_handle_open(space, (char *)memory, page_size(), &handle),
	     "vms_handle_open");
	must(vms_handle_close(space, handle), "vms_handle_close");
	misuse();
	return (int)vms_handle_length(space, handle);
}
