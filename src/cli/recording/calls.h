/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RECORDING_CALLS_H
#define VMSI_CLI_RECORDING_CALLS_H

#include <stddef.h>

/* The calls that a recording tells of. Their numbers are in the file: they stay. */
#define VMSI_RECORDED_CALLS 7

/* In the order of enum vms_group_call. */
extern const char *const vmsi_recorded_calls[VMSI_RECORDED_CALLS];

#endif
