/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_SUPERVISE_H
#define VMSI_CLI_SUPERVISE_SUPERVISE_H

#include "cli/program/program.h"
#include "cli/supervise/options.h"

/*
 * A program is run as a group of processes (vms_group_spawn(3)). The command stays
 * as the job that the shell knows (job.c). A child of it supervises the group
 * (supervisor.c) and goes on where processes outlive the program. A thread of the
 * supervisor tells the job which signals have come to the program anyway
 * (witness.c). Refusals are collected and told at the end (report.c).
 */

/*
 * Find the program that a supervisor is to run, and make sure that it can have one.
 * command is the supervisor, for messages. Where arguments begin with 'vmspace
 * heap' and its options, that part is done here, and *arguments goes past it; it
 * becomes NULL where only help was asked for. Returns VMSI_EXIT_OK, or has said
 * what is wrong.
 */
enum vmsi_exit vmsi_supervise_find(const char *command, char ***arguments,
				   struct vmsi_program *program);

/* Run that program. Returns its exit status, or dies of its signal. */
enum vmsi_exit vmsi_supervise(struct vmsi_supervise_options *options,
			      char **arguments);

/* Why a process can have no supervisor here, of an errno of vms_group_probe. */
const char *vmsi_supervise_why_not(int error);

#endif
