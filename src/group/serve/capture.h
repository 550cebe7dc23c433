/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_CAPTURE_H
#define VMSI_GROUP_SERVE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "group/serve/code_file.h"
#include "group/serve/restart.h"

/*
 * What is copied of a stopped thread, so that it can go on while its stack is unwound:
 * its registers, its stack, and which files are mapped as code.
 *
 *	take, by the tracer ------------------------------> WHOLE: the thread goes on
 *	  |                                                   ^
 *	  | a file is not open, nor opened at once            |
 *	  v                                                   |
 *	vmsi_capture_open_files, by a thread that may hang ---'
 *	  |
 *	  | the stack is not copied, or a file has no name any more
 *	  v
 *	is_live: it is unwound while the thread stands still
 */

/* Code that is mapped from a file. */
struct vmsi_mapped_code {
	uintptr_t start, end;
	uint64_t offset;             /* in the file, of start */
	struct vmsi_code_file *file; /* held; NULL: not looked up yet */
};

struct vmsi_mapped {
	struct vmsi_mapped_code *list; /* by address */
	size_t count, room;
};

void vmsi_mapped_drop(struct vmsi_mapped *mapped);

/* A piece of the stack's memory, the last one that was read; a part of a page. */
#define VMSI_PIECE_BYTES ((size_t)1024)

struct vmsi_piece {
	bool is_read;
	uintptr_t begin;
	char bytes[VMSI_PIECE_BYTES];
};

struct vmsi_capture {
	pid_t thread;
	struct vmsi_registers registers;
	struct vmsi_mapped mapped;
	uintptr_t vdso_start, vdso_end; /* the kernel's own code; 0: there is none */
	/* The lines of /proc/PID/maps of those files. */
	char *maps;
	size_t maps_bytes, maps_room;
	char *stack;                 /* NULL: not copied */
	uintptr_t stack_begin;
	size_t stack_bytes;
	struct vmsi_piece piece;     /* where is_live */
	bool is_live;                /* the thread stands still: its memory is there */
};

/* Returns NULL without memory. */
struct vmsi_capture *vmsi_capture_make(pid_t thread);

/*
 * Copy what a stopped thread has, whose registers were read. Waits for no other
 * process. Returns whether that is all that it takes to unwind it.
 */
bool vmsi_capture_take(struct vmsi_capture *capture);

/*
 * The thread is still stopped: open the files that were not, while their names are
 * those that the process has mapped. This may take for ever, as any use of a file of
 * others may. Returns whether the thread can go on.
 */
bool vmsi_capture_open_files(struct vmsi_capture *capture);

/*
 * Look files up anew that are other ones by now, and open those that are not open: for
 * who reads them later. This may take for ever as well.
 */
void vmsi_capture_look_up_files(struct vmsi_capture *capture);

/* NULL is ignored. */
void vmsi_capture_free(struct vmsi_capture *capture);

/* --- unwind.c --------------------------------------------------------------- */

/*
 * Unwind a thread, by any thread of the supervisor, one at a time for a capture. Sets
 * frames, whose files are held then. Returns NULL, or why there are none. It may take
 * for ever where the capture is live or files have to be opened anew.
 */
const char *vmsi_capture_unwind(struct vmsi_capture *capture,
				struct vmsi_frames *frames);

/* Why no stack can be unwound in this build; NULL: it can. */
const char *vmsi_backtrace_why_not(void);

/* Close the files of programs that are kept open for the next backtrace. */
void vmsi_backtrace_forget(void);

#endif
