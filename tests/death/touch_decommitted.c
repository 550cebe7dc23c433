/* SPDX-License-Identifier: MIT */
#include "death.h"

/* Memory whose commit was given back. */
int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = map_pages(space, 2);

	must(vms_decommit(space, (char *)memory, 2 * page_size(),
			  VMS_DECOMMIT_UNCHARGE), "vms_decommit");
	misuse();
	memory[0] = 1;
	return 0;
}
