/* SPDX-License-Identifier: MIT */
#include "death.h"
#include "space/space.h"

/*
 * A stray write that runs upwards to the space's records must meet a guard page
 * first.
 */
int main(void)
{
	vms_space *space = open_space();
	volatile char *records = (volatile char *)(void *)space;

	misuse();
	records[-1] = 1;
	return 0;
}
