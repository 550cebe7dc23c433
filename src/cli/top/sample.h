/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_SAMPLE_H
#define VMSI_CLI_TOP_SAMPLE_H

#include <sys/types.h>

#include "cli/top/columns.h"
#include "procfs/meminfo.h"

/* What was read at about one moment: readers fill it, the model takes it. */

/*
 * A process is its number and when it began, so that another process that gets the
 * number is another one. An owner is its kind and its name.
 */
struct vmsi_top_id {
	uint64_t number; /* of a process; of an owner a hash */
	uint64_t born;   /* clock ticks since the machine began; of an owner its kind */
};

struct vmsi_top_entry {
	struct vmsi_top_id id;
	uint64_t parent;   /* the number of a process's parent */
	const char *name;  /* any bytes but 0; the reader's, until it reads again */
	const char *command; /* the command line, as the name; NULL: it was not read */
	const char *kind;  /* of an owner, and stays; NULL: a process */
	bool is_deleted;   /* an owner: a file that has no name any more */
	bool counts_faults;
	bool is_shown;     /* its row stands on the screen */
	uint64_t addresses; /* bytes, of a process */
	uint64_t minor, major;           /* faults since it began */
	struct vmsi_top_figures figures; /* no rates: the model makes them */
};

/* The memory of the machine. */
struct vmsi_top_machine {
	bool is_known;
	bool tells_mode;
	uint64_t mode;   /* of overcommit: its limit is in force in mode 2 alone */
	struct vmsi_meminfo meminfo;
};

enum vmsi_top_limit_kind {
	VMSI_TOP_LIMIT_SUPERVISED, /* its supervisor tells */
	VMSI_TOP_LIMIT_KEPT,       /* of a control group; the kernel keeps and tells it */
	VMSI_TOP_LIMIT_MEMORY,     /* of what a control group has touched */
};

/* A group under a limit. */
struct vmsi_top_limit {
	bool is_known;
	bool has_ended;   /* the group; told without a limit, too */
	enum vmsi_top_limit_kind kind;
	const char *name; /* any bytes but 0; the reader's */
	uint64_t limit;
	uint64_t committed; /* of LIMIT_MEMORY: in use */
	uint64_t refusals;  /* but for LIMIT_MEMORY */
	/* Of LIMIT_SUPERVISED: */
	pid_t first;
	uint64_t peak, processes;
};

struct vmsi_top_sample {
	uint64_t at; /* nanoseconds */
	struct vmsi_top_machine machine;
	struct vmsi_top_limit limit;
	bool has_ended;  /* the process that is looked at */
	size_t untold;   /* processes that are there, and may not be read */
	struct vmsi_top_entry *list;
	size_t count, capacity;
};

#endif
