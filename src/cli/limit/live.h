/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_LIMIT_LIVE_H
#define VMSI_CLI_LIMIT_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cli/command.h"
#include "cli/limit/by_kernel.h"
#include "cli/supervise/control.h"

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

/* --- live_find.c ------------------------------------------------------------- */

/* What was found; the figures are those that a supervisor tells. */
struct vmsi_live_group {
	char digits[VMSI_CONTROL_DIGITS + 1]; /* of its socket's name */
	bool answers;  /* there are figures */
	bool has_user; /* else the next two are not known: it cannot be reached */
	uid_t user;    /* by the kernel, as the next one */
	pid_t supervisor;
	struct vmsi_control_figures figures;
};

struct vmsi_live_groups {
	struct vmsi_live_group *list; /* the oldest first, those without an answer last */
	size_t count, capacity;
};

/*
 * Ask all supervisors of this user, or as root all, for their figures; those that do
 * not answer within a second are found without. The caller frees the list in any
 * case. Returns 0 or -errno.
 */
int vmsi_live_find(struct vmsi_live_groups *groups);
void vmsi_live_free(struct vmsi_live_groups *groups);

/*
 * Connect to a supervisor of this user, or as root to any, and send a request, whose
 * version is set here. Sets user
 * and supervisor of the group. Returns a socket that does not block, or -errno; EPERM:
 * it is another user's.
 */
int vmsi_live_ask(struct vmsi_live_group *group,
		  const struct vmsi_control_request *request);

/*
 * Receive figures. Returns 1; 0: the supervisor has gone; or -errno, where EAGAIN is that
 * nothing has come in so many milliseconds, of which -1 are any number.
 */
int vmsi_live_receive(int socket, struct vmsi_control_figures *figures,
		      int milliseconds);

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
