/* SPDX-License-Identifier: MIT */
#include "code_death.h"

int main(void)
{
	struct vms_code_block block;

	(void)open_code(VMS_CODE_ANY, &block);
	misuse();
	*(volatile char *)block.run = 0;
	return 0;
}
