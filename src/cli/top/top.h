/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_H
#define VMSI_CLI_TOP_H

#include "cli/command.h"

/* 'vmspace top': who has the memory, again and again. */
extern const struct vmsi_command vmsi_command_top;

#endif
