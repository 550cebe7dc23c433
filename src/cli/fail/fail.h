/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_FAIL_FAIL_H
#define VMSI_CLI_FAIL_FAIL_H

#include "cli/command.h"

extern const struct vmsi_command vmsi_command_fail;

#endif
