/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_DECIDE_REQUEST_H
#define VMSI_GROUP_DECIDE_REQUEST_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "group/measure/memory_files.h"
#include "group/process/group.h"

/* What a notified call asks for. */
struct vmsi_request {
	enum vms_group_call call;
	int number;         /* of the system call */
	size_t bytes;       /* that it may be charged, at most */
	size_t requested;   /* bytes, before anything was looked at */
	size_t moved;       /* bytes that mremap moves: figures may miss them */
	/* Of brk: where the heap shall end, and the process that counts it. */
	uintptr_t data_end;
	struct vmsi_process *heap;
	/*
	 * The kernel will charge exactly bytes, or more: private memory that replaces
	 * nothing, and a brk.
	 */
	bool is_plain;
	/* It was refused by the sum of what processes may write to (floor.c). */
	bool is_quick;
	/* The bytes are an object's, and not the process's. */
	bool shared;
	key_t key;          /* of shmget */
	/*
	 * Of a file in memory: the part that is to count, and the descriptor.
	 */
	struct vmsi_file_part file;
	int descriptor;     /* -1: it is mapped already */
	size_t replaced;    /* bytes of private memory that the file replaces */
	/* The mappings that the call works on; end 0: none that matter. */
	uintptr_t start, end;
};

/* --- decode.c: from the registers, which nobody can change any more ------- */

/* Returns false for a call that charges nothing. */
bool vmsi_request_decode(struct vms_group *group, struct vmsi_process *process,
			 pid_t thread, const struct seccomp_data *data,
			 struct vmsi_request *request);

/* --- net.c: before a refusal ---------------------------------------------- */

/*
 * A request is decoded to the most that it may be charged. Look what it would
 * really be charged, and set its bytes to that.
 */
void vmsi_request_net(const struct vms_group *group,
		      const struct vmsi_process *process, pid_t thread,
		      struct vmsi_request *request);

/*
 * A look may have taken away what counted of the request's file: set its bytes
 * to what is missing now.
 */
void vmsi_request_update_file(const struct vms_group *group,
			      struct vmsi_request *request);

/*
 * By how much a request of brk would make the heap larger, as far as is known.
 */
size_t vmsi_request_heap_growth(const struct vmsi_request *request);

/* --- grant.c -------------------------------------------------------------- */

/*
 * Charge a request where it fits. Returns 0; -EDQUOT: it does not fit; -ENOMEM:
 * there is no memory to account for it. Nothing is charged where it fails.
 */
int vmsi_request_grant(struct vms_group *group, struct vmsi_process *process,
		       pid_t thread, struct vmsi_request *request);

/*
 * A request is let through that is charged nothing: note what figures may miss
 * until it has been made.
 */
void vmsi_request_note_free(struct vms_group *group,
			    struct vmsi_process *process, pid_t thread,
			    const struct vmsi_request *request);

/* A request was granted, but the call was interrupted before it was made. */
void vmsi_request_take_back(struct vms_group *group,
			    struct vmsi_process *process, pid_t thread,
			    const struct vmsi_request *request);

#endif
