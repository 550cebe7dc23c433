/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RUNNING_H
#define VMSI_CLI_RUNNING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cli/supervise/control.h"

/* Find the groups that run under a limit, and ask their supervisors. */

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
 * version is set here. Sets user and supervisor of the group. Returns a socket that
 * does not block, or -errno; EPERM: it is another user's.
 */
int vmsi_live_ask(struct vmsi_live_group *group,
		  const struct vmsi_control_request *request);

/*
 * Receive figures. Returns 1; 0: the supervisor has gone; or -errno, where EAGAIN is that
 * nothing has come in so many milliseconds, of which -1 are any number.
 */
int vmsi_live_receive(int socket, struct vmsi_control_figures *figures,
		      int milliseconds);

#endif
