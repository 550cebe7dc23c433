/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_RUN_H
#define VMSI_TESTS_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "host_fault.h"
#include "scenario.h"
#include "snapshot.h"

/*
 * One operation while the host refuses something: the state before and after
 * it are compared with each other and with a run in which nothing is refused.
 */

/* A limit of the process that is in force while the operation runs. */
struct limit {
	const char *name;
	/* Leave room for slack more of what is limited. */
	void (*impose)(struct vms_space *space, unsigned slack);
	void (*lift)(struct vms_space *space);
};

struct run {
	const struct scenario *scenario;
	struct fault_plan plan;
	const struct limit *limit;  /* NULL: none */
	unsigned slack;
	/* What came of it. */
	struct stage stage;
	struct fault_result result;
	int status;             /* of the operation: 0 or -1 */
	int error;              /* errno after it */
	enum vms_refusal refusal;
	size_t bytes_before;    /* of addresses of the whole process */
	int lowest_fd;
};

/* Once in a program. */
void run_prepare(void);

/* Learn what the scenario leaves when nothing is refused. */
void run_learn(const struct scenario *scenario);

/* Make the run and fail the test where its end is not as it must be. */
void run_try(struct run *run);

/* Fail the test, and say in which run. */
_Noreturn void run_complain(const struct run *run, const char *wrong,
			    size_t page);

/* All scenarios: families of them by name. */
struct family {
	const char *name;
	const struct scenario *scenarios;
	size_t count;
};
#define FAMILIES 6
void run_families(struct family families[FAMILIES]);

#endif
