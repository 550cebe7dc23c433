/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SAVED_H
#define VMSI_CLI_SAVED_H

#include "cli/sight/difference.h"

/* What 'vmspace maps --json' writes, and reads again. */

#define VMSI_SAVED_FORMAT "vmspace maps"
#define VMSI_SAVED_VERSION 1

/*
 * Read the owners of the processes of a saved listing; its mappings are left out.
 * Anybody may have written it. Returns NULL, or why it cannot be read, in words that
 * stay; the caller frees the processes in either case.
 */
const char *vmsi_saved_read(const char *path, struct vmsi_seen_processes *processes);

#endif
