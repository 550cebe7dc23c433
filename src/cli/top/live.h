/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_LIVE_H
#define VMSI_CLI_TOP_LIVE_H

#include "cli/command.h"
#include "cli/top/source.h"

/*
 * Show a model on the terminal, read anew after each delay, until the user has enough
 * or a signal ends it, which then ends the program. The terminal is left as it was.
 */
enum vmsi_exit vmsi_top_live(struct vmsi_top_source *source,
			     struct vmsi_top_model *model, uint64_t delay_ns);

#endif
