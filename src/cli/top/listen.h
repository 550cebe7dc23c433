/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_LISTEN_H
#define VMSI_CLI_TOP_LISTEN_H

#include "cli/command.h"
#include "cli/top/source.h"

/*
 * Answers GET /metrics by OpenMetrics text, by one thread, until a signal ends it.
 */

/*
 * Take "ADDRESS:PORT", "[ADDRESS]:PORT" or "localhost:PORT". Returns false where the
 * text is none.
 */
bool vmsi_top_is_address(const char *text);

/* Reads the source whenever it is asked, but not more often than is of use. */
enum vmsi_exit vmsi_top_listen(const char *address, struct vmsi_top_source *source,
			       struct vmsi_top_model *model, enum vmsi_top_view view);

#endif
