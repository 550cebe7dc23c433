/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_LIMIT_LIVE_H
#define VMSI_CLI_LIMIT_LIVE_H

#include "cli/command.h"
#include "cli/limit/by_kernel.h"
#include "cli/supervise/running.h"

/* 'vmspace limit' without a program: groups that run under a limit. */

enum vmsi_live_form { VMSI_LIVE_TEXT, VMSI_LIVE_JSON };

struct vmsi_live_request {
	const char *program; /* "vmspace limit", for messages */
	const char *group;   /* its name or the number of its first process; or NULL */
	enum vmsi_live_form form;
};

/* List the groups of this user; root: of all users. */
enum vmsi_exit vmsi_live_list(const struct vmsi_live_request *request);

/*
 * Set the limit of one: text is a size, or where the limit comes from, and request->group
 * is whose; or the other way round.
 */
enum vmsi_exit vmsi_live_set(const struct vmsi_live_request *request,
			     const char *text);

/* The same of a control group, which is named by its path, and has a limit. */
enum vmsi_exit vmsi_live_set_cgroup(const struct vmsi_live_request *request,
				    const char *text);
enum vmsi_exit vmsi_live_follow_cgroup(const struct vmsi_live_request *request);

/* Write a line now and whenever its figures change, until all of it has ended. */
enum vmsi_exit vmsi_live_follow(const struct vmsi_live_request *request);

/* --- live_write.c ------------------------------------------------------------ */

/* Where a limit comes from, as --set has it; "" for a size, and for what is none. */
struct vmsi_limit_source_text
vmsi_live_source(const struct vmsi_control_figures *figures);

/* Write these, and the control groups that the kernel limits. */
void vmsi_live_write_text(const struct vmsi_live_groups *groups,
			  const struct vmsi_kernel_limits *limits);

/* Returns 0 or -ENOMEM. */
int vmsi_live_write_json(const struct vmsi_live_groups *groups,
			 const struct vmsi_kernel_limits *limits);

/* One line of --follow. Returns 0 or -ENOMEM. */
int vmsi_live_write_change(const struct vmsi_control_figures *figures,
			   enum vmsi_live_form form);

#endif
