/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_REPORT_H
#define VMSI_CLI_REPORT_H

#include <stdio.h>

#include "cli/command.h"
#include "cli/recording/recording.h"

/* What 'vmspace report' shows of a recording, in which form. */

struct vmsi_report_view {
	const struct vmsi_recording *recording;
	uint64_t from, to;  /* microseconds since it began, both included */
};

/*
 * Write it. All return 0 or -ENOMEM; whether a write to the stream has failed is to be
 * asked of that.
 */
int vmsi_report_text(FILE *stream, const struct vmsi_report_view *view);
int vmsi_report_csv(FILE *stream, const struct vmsi_report_view *view);
int vmsi_report_json(FILE *stream, const struct vmsi_report_view *view);
/* The JSON trace event format, which Perfetto and Chromium's tracing open. */
int vmsi_report_perfetto(FILE *stream, const struct vmsi_report_view *view);

extern const struct vmsi_command vmsi_command_report;

#endif
