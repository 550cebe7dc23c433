/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_CODE_DEATH_H
#define VMSI_TESTS_CODE_DEATH_H

#include <string.h>

#include "../unit/code_machine.h"
#include "death.h"

/* A pool of code, and a block in it that has run. */

static inline vms_code *open_code(enum vms_code_mode mode,
				  struct vms_code_block *block)
{
	const struct vms_code_options options = {
		.struct_size = sizeof(options),
		.mode = mode,
	};
	struct rlimit no_core = { 0, 0 };
	vms_code *code = vms_code_open(&options);

	setrlimit(RLIMIT_CORE, &no_core);
	if (!code)
		give_up("vms_code_open");
	must(vms_code_alloc(code, 100, block), "vms_code_alloc");
	write_return(block->write, 1);
	must(vms_code_publish(code, block), "vms_code_publish");
	must(call(block->run) != 1, "the code");
	return code;
}

#endif
