/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_FINDINGS_H
#define VMSI_CLI_SWEEP_FINDINGS_H

#include "cli/sweep/sweep.h"

/*
 * A line that names a finding, and stays the same when the program is built anew with
 * the same functions: its verdict, what has failed, and the functions on the stack. It
 * is malloc's; NULL without memory.
 */
char *vmsi_sweep_signature(const struct vmsi_sweep_result *result);

/*
 * Mark the findings that are in a baseline as known. Returns VMSI_EXIT_OK, or the exit
 * status after an error message.
 */
enum vmsi_exit vmsi_sweep_take_baseline(const char *path,
					const struct vmsi_sweep_part *parts,
					size_t count);

/* Write files for other programs. Return false after an error message. */
bool vmsi_sweep_write_baseline(const char *path,
			       const struct vmsi_sweep_part *parts, size_t count);
bool vmsi_sweep_write_junit(const struct vmsi_sweep_options *options,
			    const struct vmsi_sweep_part *parts, size_t count);
bool vmsi_sweep_write_sarif(const struct vmsi_sweep_options *options,
			    const struct vmsi_sweep_part *parts, size_t count);

#endif
