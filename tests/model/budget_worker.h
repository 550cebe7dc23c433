/* SPDX-License-Identifier: MIT */
#ifndef BUDGET_WORKER_H
#define BUDGET_WORKER_H

#include <stddef.h>
#include <sys/types.h>
#include <vmspace.h>

#include "host/host.h"

/*
 * A process of the budget's model: it does what it is told and answers with what
 * it sees charged.
 */

#define WORKERS 8
#define MAPPINGS 6
#define FILES 5
#define SPACES 3
#define LIMIT_PAGES 300
#define PAGE vmsi_page_size()

enum action {
	MAP_A_FILE, MAP_AN_OBJECT, MAP_ALIAS, UNMAP, UNMAP_PART, MOVE,
	CHARGE, UNCHARGE, FORK, END, ACTIONS,
};

/* What a worker is told, and what it answers. */
struct order {
	enum action action;
	unsigned mapping;
	unsigned other;           /* a mapping, a file or a worker */
	unsigned space;
	size_t pages;
	size_t offset;            /* of a file, in pages */
};

struct answer {
	int error;                /* errno of the call, or 0 */
	pid_t pid;
	size_t charged;           /* pages */
	size_t charged_here;
	size_t part_charged;      /* of the worker's own budget */
};

struct pipes {
	int orders[2];
	int answers[2];
};

/* The test makes them before the first worker is forked. */
extern struct pipes pipes[WORKERS];
extern int files[FILES];
extern vms_budget *budget;        /* of all processes */

/* Open the spaces of the first worker and its own budget; its children copy them. */
void open_worker(void);

/* Follow orders until the end of the process, as the worker of this number. */
_Noreturn void work(unsigned self);

#endif
