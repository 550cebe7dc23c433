/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_PROGRAM_FILES_H
#define VMSI_GROUP_SERVE_PROGRAM_FILES_H

#include <elfutils/libdwfl.h>
#include <sys/types.h>

#include "group/serve/capture.h"

/*
 * The program and libraries of a process, as libdw has opened them to unwind. They
 * are kept for the next backtrace of the same process, or of another with the same
 * files at the same addresses, such as its fork.
 */
struct vmsi_program_files {
	Dwfl *dwfl;
	struct vmsi_mapped mapped;
	/* What is unwound; the callbacks get a pointer to this struct. */
	struct vmsi_capture *capture;
	struct vmsi_frames *frames;
};

/*
 * Take the files of a capture: kept ones, or else they are opened. The caller alone
 * has them until it puts them back. Returns NULL where they cannot be opened.
 */
struct vmsi_program_files *
vmsi_program_files_take(struct vmsi_capture *capture,
			const Dwfl_Thread_Callbacks *callbacks);

/* Say which file an address is in, and where; the file is held. */
void vmsi_program_files_place(const struct vmsi_program_files *files,
			      uintptr_t address, struct vmsi_frame *frame);

/* Keep the files; those that were used longest ago are closed. */
void vmsi_program_files_put(struct vmsi_program_files *files);

/* Close all that are kept. */
void vmsi_program_files_close(void);

#endif
