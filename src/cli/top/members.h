/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_MEMBERS_H
#define VMSI_CLI_TOP_MEMBERS_H

#include "cli/top/model.h"

/*
 * Take the entries out of a sorted sample that are not in the scope of the model. A
 * process that was in it stays, whoever its parent is now. Returns 0 or -ENOMEM.
 */
int vmsi_top_keep_members(const struct vmsi_top_model *model,
			  struct vmsi_top_sample *sample);

#endif
