/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PAGER_ENTRIES_H
#define VMSI_PAGER_ENTRIES_H

#include "pager/pager.h"

/*
 * The pagers of the process, for handlers of signals, which look an address up at any
 * instant and take no lock. Entries are used again and never unmapped.
 */

/* Returns 0 or -ENOMEM. */
int vmsi_entry_add(struct vmsi_pager *pager);
void vmsi_entry_remove(struct vmsi_pager *pager);

/* The pager that has an address; NULL: none has. */
struct vmsi_pager *vmsi_entry_find(uintptr_t address);

#endif
