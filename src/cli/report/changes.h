/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_CHANGES_H
#define VMSI_CLI_CHANGES_H

#include "cli/report/lives.h"

/* Add a change. Returns 0 or -ENOMEM. */
int vmsi_changes_add(struct vmsi_lives *lives, struct vmsi_change change);

/*
 * Of the changes from first on, which one look has seen, make a move of what is gone
 * and what is new with the same owner. places has one number for each owner of the
 * recording, all of them VMSI_NOBODY before and after.
 */
void vmsi_changes_pair(struct vmsi_lives *lives, size_t first, uint32_t *places);

#endif
