/* SPDX-License-Identifier: MIT */
#include "death.h"
#include "space/space.h"

/*
 * A stray write that runs on upwards from below the space's own records meets
 * a guard page before it reaches them.
 */
int main(void)
{
	vms_space *space = open_space();
	volatile char *records = (volatile char *)(void *)space;

	misuse();
	records[-1] = 1;
	return 0;
}
