/* SPDX-License-Identifier: MIT */
#include "death.h"
#include "space/space.h"

/* An invariant that does not hold any more; only debug builds look. */
int main(void)
{
	vms_space *space = open_space();

	map_pages(space, 1);
	misuse();
	space->ledger.charged += page_size();
	map_pages(space, 1);
	return 0;
}
