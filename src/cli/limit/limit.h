/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_LIMIT_LIMIT_H
#define VMSI_CLI_LIMIT_LIMIT_H

#include "cli/command.h"

extern const struct vmsi_command vmsi_command_limit;

#endif
