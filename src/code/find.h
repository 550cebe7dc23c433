/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_FIND_H
#define VMSI_CODE_FIND_H

#include "code/code.h"

/* A block as the maps of bits have it. */
struct vmsi_place {
	struct vmsi_chunk *chunk;
	size_t start, end; /* units */
};

/* Find a block that the program names; false: there is none. */
bool vmsi_block_find(struct vms_code *code, const struct vms_code_block *block,
		     struct vmsi_place *place);

/* Whether the program names a block that is published. */
bool vmsi_block_is_published(struct vms_code *code,
			     const struct vms_code_block *block);

#endif
