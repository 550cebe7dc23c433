/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_WHAT_IF_H
#define VMSI_CLI_WHAT_IF_H

#include "cli/commit/commit_figures.h"

/*
 * Put other settings in the place of those that hold: "mode=2,ratio=80", with
 * mode, ratio (percent), kbytes (KiB), swap and ram (sizes). Returns the word that is
 * not understood, in text; NULL where all is.
 */
const char *vmsi_what_if(const char *text, struct vmsi_commit_sources *sources);

#endif
