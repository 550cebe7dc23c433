/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_SEEN_H
#define VMSI_GROUP_SERVE_SEEN_H

#include <stdbool.h>

#include "group/serve/capture.h"

/*
 * Stacks that were seen. To name the functions of a stack takes some 50 ms, where a
 * file's symbols are read for it, and to open its files to unwind it some 10 ms. So a
 * thread of the library unwinds what was captured, while the thread that was refused
 * goes on, and names each distinct stack once.
 *
 *	vmsi_seen_take --> WAITS -- unwound; and named, if it is new --> NAMED
 *	                     |                                            ^
 *	     nobody waits any longer: vmsi_seen_text returns NULL --------'
 */
struct vmsi_taken;

/*
 * Whether so many stacks wait that no more are to be taken. Who is refused does not wait
 * for them, so nothing else would bound what is captured where a file is never read.
 */
bool vmsi_seen_is_full(void);

/*
 * Have a stack unwound and named. Takes the capture over, also where it returns NULL:
 * there is no memory.
 */
struct vmsi_taken *vmsi_seen_take(struct vmsi_capture *capture);

/* Likewise of one that was unwound before. Takes over what the frames hold. */
struct vmsi_taken *vmsi_seen_take_frames(struct vmsi_frames *frames);

/* It is of no use any more. NULL is ignored. */
void vmsi_seen_drop(struct vmsi_taken *taken);

/* Whether vmsi_seen_text need not wait. */
bool vmsi_seen_is_named(struct vmsi_taken *taken);

/*
 * A line for each frame, valid until the taken one is dropped. Waits until the stack
 * was named, some seconds at most. Returns NULL with why where it was not.
 */
const char *vmsi_seen_text(struct vmsi_taken *taken, const char **why);

/* Forget the stacks that nobody holds, and close the files of programs. */
void vmsi_seen_forget(void);

/* --- names.c, called by the one thread that names ------------------------- */

/* Returns a line for each frame, malloc's; NULL without memory. */
char *vmsi_names_of(const struct vmsi_frames *frames);

/* Close the files that were read. */
void vmsi_names_close(void);

#endif
