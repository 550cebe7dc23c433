/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TRACE_GROUP_H
#define VMSI_CLI_TRACE_GROUP_H

#include "cli/trace/run.h"

/*
 * The recorder beside the supervisor of a group: a thread of it samples, and what the
 * group is refused is told with its stack. Its context is a struct vmsi_trace.
 */
extern const struct vmsi_beside vmsi_trace_beside;

#endif
