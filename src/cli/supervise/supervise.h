/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_SUPERVISE_H
#define VMSI_CLI_SUPERVISE_SUPERVISE_H

#include "cli/supervise/options.h"

/*
 * A program is run as a group of processes (vms_group_spawn(3)). The command stays
 * as the job that the shell knows (job.c). A child of it supervises the group
 * (supervisor.c) and goes on where processes outlive the program. A thread of the
 * supervisor tells the job which signals have come to the program anyway
 * (witness.c). Refusals are collected and told at the end (report.c).
 */

/*
 * Run the program that arguments name; arguments may begin with 'vmspace heap'
 * and its options, which then is not run but done here. Returns its exit status,
 * or dies of its signal.
 */
enum vmsi_exit vmsi_supervise(struct vmsi_supervise_options *options,
			      char **arguments);

/* Why a group cannot be made here, of an errno of vms_group_probe. */
const char *vmsi_supervise_why_not(int error);

#endif
