/* SPDX-License-Identifier: MIT */
#include "code_death.h"

int main(void)
{
	struct vms_code_block block;
	vms_code *code = open_code(VMS_CODE_VIEWS, &block);
	void *run = block.run;

	must(vms_code_free(code, &block), "vms_code_free");
	misuse();
	(void)call(run);
	return 0;
}
