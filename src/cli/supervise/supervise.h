/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_SUPERVISE_H
#define VMSI_CLI_SUPERVISE_SUPERVISE_H

#include "cli/program/program.h"
#include "cli/supervise/options.h"

/*
 * A program is run as a group of processes (vms_group_spawn(3)). The command
 * itself becomes the job, which the shell waits for (job.c). It forks the
 * supervisor of the group, which stays where processes outlive the program
 * (supervisor.c). A thread of the supervisor tells the job which signals the
 * program has got already (witness.c). Refusals are collected and reported at the
 * end (report.c).
 */

/*
 * Find the program of *arguments, and make sure that it can have a supervisor.
 * command is for messages. Where *arguments begins with 'vmspace heap' and its
 * options, prepare the heap here and set *arguments to the program behind them;
 * to NULL where only help was asked for. Returns VMSI_EXIT_OK, or the exit status
 * after an error message.
 */
enum vmsi_exit vmsi_supervise_find(const char *command, char ***arguments,
				   struct vmsi_program *program);

/* The same, where the program needs no supervisor. */
enum vmsi_exit vmsi_supervise_look_up(const char *command, char ***arguments,
				      struct vmsi_program *program);

/* Find the program and run it. Returns its exit status, or ends by its signal. */
enum vmsi_exit vmsi_supervise(struct vmsi_supervise_options *options,
			      char **arguments);

/* The reason, in words, for an errno of vms_group_probe. */
const char *vmsi_supervise_why_not(int error);

#endif
