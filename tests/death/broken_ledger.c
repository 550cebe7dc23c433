/* SPDX-License-Identifier: MIT */
#include "death.h"
#include "space/space.h"

/* The program breaks an invariant of the ledger; only debug builds notice. */
int main(void)
{
	vms_space *space = open_space();

	map_pages(space, 1);
	misuse();
	space->ledger.charged += page_size();
	map_pages(space, 1);
	return 0;
}
