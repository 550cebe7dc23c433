/* SPDX-License-Identifier: MIT */
#include "death.h"

/* Memory of a space that is closed. */
int main(void)
{
	vms_space *space = open_space();
	volatile char *memory = map_pages(space, 2);

	must(vms_space_close(space), "vms_space_close");
	misuse();
	return memory[0];
}
