/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_HANDLERS_H
#define VMSI_FILE_HANDLERS_H

/*
 * The count of handlers of SIGBUS that are at work in the process, so that others can
 * wait until no handler has a view or a file any more that they have just taken away.
 *
 * A child of fork(2) begins with none: the threads that were in a handler are not in
 * it. So the count lies in a page that the kernel wipes in the child.
 */

/* Make the page, once a process. Returns 0 or -errno. */
int vmsi_handlers_open(void);

/* A handler begins and ends; leave is given what enter has returned. */
unsigned vmsi_handler_enter(void);
void vmsi_handler_leave(unsigned phase);

/*
 * Wait until each handler that is at work now has left. A handler that enters later
 * sees what the caller has stored before.
 */
void vmsi_handlers_wait(void);

#endif
