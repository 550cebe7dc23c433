/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_BELONGS_H
#define VMSI_CLI_BELONGS_H

#include "cli/sight/process.h"

/*
 * Decide to whom each mapping belongs, and add it to its owner. The kernel names
 * files, the heap, the first stack and what programs have named; the rest is told
 * by what it lies next to. Mappings come in ascending order of address.
 */

struct vmsi_belongs {
	struct vmsi_process *process;
	struct vmsi_seen_mapping before; /* the mapping below this one */
};

/*
 * Add a mapping with its figures to its owner, and not to the total of the process; its
 * owner and name are set here. label is that of the mapping. Returns 0 or -ENOMEM.
 */
int vmsi_belongs_add(struct vmsi_belongs *belongs,
		     struct vmsi_seen_mapping *mapping, struct vmsi_scan label);

#endif
