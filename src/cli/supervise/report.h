/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_REPORT_H
#define VMSI_CLI_SUPERVISE_REPORT_H

#include "cli/supervise/options.h"
#include "cli/supervise/warn.h"

/* The report of what was refused, on standard error and in a file. */

struct vmsi_report;

/*
 * The report also tells how often warning has come, and goes where that does; warning
 * outlives it. Returns NULL with errno ENOMEM without memory. Close it by
 * vmsi_report_close.
 */
struct vmsi_report *
vmsi_report_open(const struct vmsi_supervise_options *options,
		 const struct vmsi_warning *warning, char **arguments);

/* The on_refusal of struct vms_group_options; its context is the report. */
void vmsi_report_refusal(void *report, vms_group *group,
			 const struct vms_group_refusal *refusal);

/* Call this when the first process has ended: it writes both forms. */
void vmsi_report_finish(struct vmsi_report *report, vms_group *group);

/*
 * Call this when all have ended: it writes the file anew where more was refused, or
 * a threshold was reached, since.
 */
void vmsi_report_update(struct vmsi_report *report, vms_group *group);
void vmsi_report_close(struct vmsi_report *report);

#endif
