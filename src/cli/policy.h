/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_POLICY_H
#define VMSI_CLI_POLICY_H

#include <vmspace/space.h>

/* The word for a policy, as options have it: "strict". */
const char *vmsi_policy_word(enum vms_commit_policy policy);

/* The words of all policies in the order of the enum, then NULL. */
extern const char *const vmsi_policy_words[];

#endif
