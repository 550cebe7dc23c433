/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RUN_RUN_H
#define VMSI_CLI_RUN_RUN_H

#include "cli/command.h"

extern const struct vmsi_command vmsi_command_run;

#endif
