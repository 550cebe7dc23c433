/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_PROCESS_GROUP_H
#define VMSI_GROUP_PROCESS_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include <vmspace/group.h>

#include "group/account/account.h"
#include "group/process/process.h"

/*
 * A group is one account and the state of each layer that works on it. A layer
 * knows the types of its own state and of the layers below, and those above it
 * only as pointers, so the compiler keeps it from touching them:
 *
 *	serve     service.h   receives calls, answers them, tells of refusals
 *	decide    faults.h    what a call asks for, and whether it gets it
 *	refresh   looks.h     when to read the kernel's figures, and of whom
 *	measure   shared.h    the kernel's figures of processes and objects
 *	process   process.h   who is in the group
 *	account   account.h   the sums; knows nothing of the kernel
 */
struct vms_group {
	/* Fixed when the group is made. */
	uint32_t flags;                /* VMS_GROUP_... */
	bool counts_noreserve;         /* memory of MAP_NORESERVE counts, too */
	uint64_t addresses_end;        /* no program has an address from here on */
	struct vmsi_account account;   /* has the limit and the policy, too */
	struct vmsi_members members;
	struct vmsi_shared *shared;
	struct vmsi_looks *looks;
	struct vmsi_faults *faults;
	struct vmsi_service *service;
};

#endif
