/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_REPORT_H
#define VMSI_CLI_SUPERVISE_REPORT_H

#include "cli/supervise/options.h"

/* What was refused, told on standard error and written to a file. */

struct vmsi_report;

/* NULL, and errno: no memory. Closed by vmsi_report_close. */
struct vmsi_report *
vmsi_report_open(const struct vmsi_supervise_options *options,
		 char **arguments);

/* As vms_group_options.on_refusal; context is the report. */
void vmsi_report_refusal(void *report, vms_group *group,
			 const struct vms_group_refusal *refusal);

/* At the end of the first process: on standard error, and to the file. */
void vmsi_report_finish(struct vmsi_report *report, vms_group *group);

/* At the end of all: the file anew, where more was refused since. */
void vmsi_report_update(struct vmsi_report *report, vms_group *group);
void vmsi_report_close(struct vmsi_report *report);

#endif
