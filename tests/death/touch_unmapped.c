/* SPDX-License-Identifier: MIT */
#include "death.h"

/* Memory that was given back. */
int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = map_pages(space, 2);

	must(vms_munmap(space, (char *)memory, 2 * page_size()), "vms_munmap");
	misuse();
	return memory[0];
}
