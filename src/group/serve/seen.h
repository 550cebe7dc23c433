/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_SEEN_H
#define VMSI_GROUP_SERVE_SEEN_H

#include <stdbool.h>

#include "group/serve/code_file.h"

/*
 * Stacks that were seen. To name the functions of a stack takes some 50 ms, where a
 * file's symbols are read for it, so each distinct stack is named once, by a thread
 * of the library, while the thread that was refused goes on.
 *
 *	vmsi_seen_take, the first time --> WAITS -- the thread has named it --> NAMED
 *	                                     |                                   ^
 *	            nobody waits any longer: vmsi_seen_text returns NULL --------'
 */
struct vmsi_seen;

/*
 * Find or add a stack, and hold it. Takes the frames over, also where it returns NULL:
 * there is no memory.
 */
struct vmsi_seen *vmsi_seen_take(struct vmsi_frames *frames);

/* Whether a stack of these frames was seen. */
bool vmsi_seen_is_known(const struct vmsi_frames *frames);

/* Hold it no more. NULL is ignored. */
void vmsi_seen_drop(struct vmsi_seen *stack);

/* Whether vmsi_seen_text need not wait. */
bool vmsi_seen_is_named(struct vmsi_seen *stack);

/*
 * A line for each frame, valid for as long as the stack is held. Waits until the stack
 * was named, some seconds at most. Returns NULL with why where it was not.
 */
const char *vmsi_seen_text(struct vmsi_seen *stack, const char **why);

/* Forget the stacks that nobody holds, and close the files of programs. */
void vmsi_seen_forget(void);

/* --- names.c, called by the one thread that names ------------------------- */

/* Returns a line for each frame, malloc's; NULL without memory. */
char *vmsi_names_of(const struct vmsi_frames *frames);

/* Close the files that were read. */
void vmsi_names_close(void);

#endif
