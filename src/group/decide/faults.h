/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_DECIDE_FAULTS_H
#define VMSI_GROUP_DECIDE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/group.h>

struct vmsi_process;
struct vmsi_request;

/* Requests that are refused on demand. */
struct vmsi_faults {
	struct vms_group_faults wanted;
	uint64_t requests;             /* of the program, so far */
	uint64_t random;               /* the state of the random numbers */
	/* The last one that was refused, and what may be tried in its place. */
	pid_t thread;
	size_t bytes;
	const enum vms_group_call *instead; /* a list that ends with fork */
};

void vmsi_faults_init(struct vmsi_faults *faults,
		      const struct vms_group_faults *wanted);

/*
 * Count a request of a thread, made by the code at an address. Returns whether
 * it is to be refused.
 */
bool vmsi_faults_count(struct vmsi_faults *faults, struct vmsi_process *process,
		       pid_t thread, uintptr_t code,
		       const struct vmsi_request *request);

#endif
