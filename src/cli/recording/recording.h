/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RECORDING_H
#define VMSI_CLI_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/sight/owners.h"

/*
 * What a program and its descendants had over time, as it was read from a file: tables
 * of who there was, and events in the order of their times, which name them by number.
 * 'vmspace trace' records it; the page, the terminal, CSV and Perfetto are written of
 * it. Nothing here knows what the file looks like.
 */

#define VMSI_NOBODY UINT32_MAX

/* One life of a process between two executions: a program that it executed. */
struct vmsi_recorded_process {
	pid_t pid;
	uint32_t parent;      /* its number in the table; VMSI_NOBODY: the first */
	uint64_t begin, end;  /* microseconds since the recording began */
	bool is_ended;        /* it was seen to end; else end is the recording's */
	bool is_status_known;
	int status;           /* of waitpid(2), where it is known */
	char *name;           /* any bytes but 0 */
};

struct vmsi_recorded_owner {
	uint32_t process;
	enum vmsi_owner_kind kind;
	char *name;           /* any bytes but 0 */
};

struct vmsi_recorded_stack {
	uint32_t count;
	char **frames;        /* the innermost first, as reports write them */
};

enum vmsi_recorded_kind {
	/*
	 * From start to end there is this now, whatever there was before: of owner, with
	 * these figures.
	 */
	VMSI_RECORDED_MAPPING,
	/* From start to end there is nothing now. */
	VMSI_RECORDED_UNMAPPED,
	/*
	 * Calls that ask for memory were answered: call, size, error, stack. Of some that
	 * were granted one after the other, the last was at time and the first at first:
	 * size and commit are their sums.
	 */
	VMSI_RECORDED_CALL,
	/* What a limit has: commit of size (0: without end). */
	VMSI_RECORDED_LIMIT,
	/*
	 * The machine: commit of its limit in size (0: none is in force), memory that is
	 * available in file.
	 */
	VMSI_RECORDED_MACHINE,
	VMSI_RECORDED_KINDS,
};

/* All sizes are bytes. What does not belong to a kind is 0, or VMSI_NOBODY. */
struct vmsi_recorded_event {
	uint64_t time;        /* microseconds since the recording began */
	enum vmsi_recorded_kind kind;
	uint32_t process;
	uint32_t owner;
	uint32_t stack;       /* VMSI_NOBODY: it was not seen */
	int prot;             /* of a mapping: PROT_* */
	bool is_shared;
	bool has_pages;       /* anonymous, file and swapped were read */
	int error;            /* of a call: 0, or why it was refused */
	const char *call;     /* its name, as "mmap"; stays */
	uint64_t count;       /* of calls: how many they are, at least 1 */
	uint64_t first;       /* of calls: when the first was; as time */
	uintptr_t start, end;
	uint64_t size;
	uint64_t commit;      /* of calls: what they were charged */
	uint64_t anonymous, file, swapped;
};

struct vmsi_recording {
	char *program;        /* what was run, in one line */
	char *machine;        /* kernel and processor, in one line */
	uint64_t began;       /* microseconds since 1970 */
	uint64_t length;      /* microseconds, up to what was read last */
	uint64_t page_size;   /* of the machine that recorded; bytes */
	bool is_cut;          /* it ends in the midst: the recorder was killed */
	struct vmsi_recorded_process *processes;
	struct vmsi_recorded_owner *owners;
	struct vmsi_recorded_stack *stacks;
	struct vmsi_recorded_event *events;
	size_t process_count, owner_count, stack_count, event_count;
};

#endif
