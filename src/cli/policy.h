/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_POLICY_H
#define VMSI_CLI_POLICY_H

#include <vmspace/space.h>

/* The word for a policy or mode, as the options have it. */
const char *vmsi_policy_word(enum vms_commit_policy policy);

/* All of them in the order of the enum, and NULL. */
extern const char *const vmsi_policy_words[];

#endif
