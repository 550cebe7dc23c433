/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_BELONGS_H
#define VMSI_CLI_BELONGS_H

#include "cli/sight/names.h"
#include "cli/sight/process.h"

/*
 * Decide to whom each mapping belongs, and add it to its owner. The kernel names
 * files, the heap, the first stack and what programs have named; the rest is told
 * by what it lies next to. What the process tells of itself goes before all that.
 * Mappings come in ascending order of address.
 */

struct vmsi_belongs {
	struct vmsi_process *process;
	const struct vmsi_names *names;  /* NULL: the process tells nothing */
	size_t part;                     /* none of the parts below this one is left */
	struct vmsi_seen_mapping before; /* the mapping below this one */
};

/*
 * Where the owner may change in a mapping that is not added yet: mappings of two spaces
 * may be one to the kernel, as may the zeros of a library and what lies behind them.
 * UINTPTR_MAX: nowhere.
 */
uintptr_t vmsi_belongs_end(struct vmsi_belongs *belongs,
			   const struct vmsi_seen_mapping *mapping);

/*
 * Add a mapping with its figures to its owner, and not to the total of the process; its
 * owner and name are set here. label is that of the mapping. Returns 0 or -ENOMEM.
 */
int vmsi_belongs_add(struct vmsi_belongs *belongs,
		     struct vmsi_seen_mapping *mapping, struct vmsi_scan label);

#endif
