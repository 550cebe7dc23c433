/* SPDX-License-Identifier: MIT */
#include "code_death.h"

/* Write to a block at its writable address when that was taken away. */
int main(void)
{
	struct vms_code_block block, other;
	vms_code *code = open_code(VMS_CODE_VIEWS, &block);
	char *write;

	must(vms_code_alloc(code, 100, &other), "vms_code_alloc");
	write = other.write;
	write_return(write, 2);
	must(vms_code_publish(code, &other), "vms_code_publish");
	write[99] = 0;
	must(vms_code_settle(code), "vms_code_settle");
	misuse();
	*(volatile char *)write = 0;
	return 0;
}
