/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_ATTEMPT_H
#define VMSI_CLI_SUPERVISE_ATTEMPT_H

#include "cli/supervise/tally.h"

/* A call that was refused, and what tells whether it goes with the one before it. */
struct vmsi_attempt {
	const struct vms_group_refusal *told;
	/*
	 * The program, and its stack without the inside of its allocator, or why there
	 * is none; malloc's, NULL without memory.
	 */
	char *key;
	uint64_t key_hash;
	uint64_t whole_hash;  /* of the whole stack; 0: there is none */
	bool has_allocator;   /* the stack has a function of an allocator */
};

/* The caller frees the key. */
struct vmsi_attempt vmsi_attempt_of(const struct vms_group_refusal *told);

/* Whether an attempt is one of the refusal that its thread got last. */
bool vmsi_attempt_belongs(const struct vmsi_tally_open *open,
			  const struct vmsi_attempt *attempt);

#endif
