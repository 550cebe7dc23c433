/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_WRITERS_H
#define VMSI_CLI_TOP_WRITERS_H

#include <stdio.h>

#include "cli/top/source.h"

/* What a model has, for people and for programs. */

#define VMSI_TOP_FORMAT "vmspace top"
#define VMSI_TOP_VERSION 1

/* The head, the headings and all lines. */
void vmsi_top_write_text(const struct vmsi_top_model *model, const char *title);

/* Returns 0 or -ENOMEM. */
int vmsi_top_write_json(const struct vmsi_top_model *model, enum vmsi_top_view view);

/*
 * OpenMetrics text, version 1.0.0, with its "# EOF". ferror(3) tells of writes that
 * failed.
 */
void vmsi_top_write_openmetrics(FILE *stream, const struct vmsi_top_model *model,
				enum vmsi_top_view view);

#endif
