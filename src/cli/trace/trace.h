/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TRACE_H
#define VMSI_CLI_TRACE_H

#include "cli/command.h"

extern const struct vmsi_command vmsi_command_trace;

#endif
