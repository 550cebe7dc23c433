/* SPDX-License-Identifier: MIT */
#include "cli/policy.h"

#include <stddef.h>

const char *const vmsi_policy_words[] = {
	[VMS_COMMIT_HEURISTIC] = "heuristic",
	[VMS_COMMIT_ALWAYS] = "always",
	[VMS_COMMIT_STRICT] = "strict",
	NULL,
};

const char *vmsi_policy_word(enum vms_commit_policy policy)
{
	return (size_t)policy <= VMS_COMMIT_STRICT ?
		vmsi_policy_words[policy] : "unknown";
}
