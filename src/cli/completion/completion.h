/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMPLETION_COMPLETION_H
#define VMSI_CLI_COMPLETION_COMPLETION_H

#include "cli/command.h"

/* Writes scripts for shells, made of the tables of options. */
extern const struct vmsi_command vmsi_command_completion;

#endif
