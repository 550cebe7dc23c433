/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_KNOWN_H
#define VMSI_CLI_KNOWN_H

#include "cli/recording/write.h"
#include "cli/sight/process.h"

/* What was seen of one life of a process, so that only what has changed is told. */
struct vmsi_known {
	uint32_t process; /* its number in the recording */
	struct vmsi_recorded_event *mappings; /* in ascending order of address */
	size_t count;
	struct vmsi_known_owner {
		enum vmsi_owner_kind kind;
		uint32_t number; /* in the recording */
		uint64_t hash;   /* of its name */
		char *name;
	} *owners;
	size_t owner_count, owner_capacity;
};

/*
 * Tell what is new in a process. Returns 0, or -ENOMEM and what was told is what there
 * was before.
 */
int vmsi_known_tell(struct vmsi_known *known, struct vmsi_recorder *recorder,
		   const struct vmsi_process *process);

/*
 * Tell by events what makes the mappings of after of those of before, both in
 * ascending order of address and without overlap.
 */
void vmsi_known_tell_changes(struct vmsi_recorder *recorder,
			    const struct vmsi_recorded_event *before,
			    size_t before_count,
			    const struct vmsi_recorded_event *after,
			    size_t after_count);

/* Tell that nothing is left. */
void vmsi_known_end(struct vmsi_known *known, struct vmsi_recorder *recorder);

void vmsi_known_free(struct vmsi_known *known);

#endif
