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
	/* Let slack more of what is limited be had. */
	void (*impose)(struct vms_space *space, unsigned slack);
	void (*lift)(struct vms_space *space);
};

struct run {
	const struct scenario *scenario;
	struct fault_plan plan;
	const struct limit *limit;  /* NULL: none */
	unsigned slack;
	/* The result. */
	struct stage stage;
	struct fault_result result;
	int status;             /* of the operation: 0 or -1 */
	int error;              /* errno after it */
	enum vms_refusal refusal;
	size_t bytes_before;    /* of addresses of the whole process */
	int lowest_fd;
};

/* Call this once in a program, first. */
void run_prepare(void);

/* Learn what the scenario leaves when nothing is refused. */
void run_learn(const struct scenario *scenario);

/* Make the run; fail the test if it does not end as it must. */
void run_try(struct run *run);

/* Fail the test with a description of the run. */
_Noreturn void run_complain(const struct run *run, const char *wrong,
			    size_t page);

/* All scenarios, in named families. */
struct family {
	const char *name;
	const struct scenario *scenarios;
	size_t count;
};
#define FAMILIES 6
void run_families(struct family families[FAMILIES]);

#endif
