/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_FIND_H
#define VMSI_CLI_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Finds processes: by name, with their descendants, of a user. Each is found once. */

struct vmsi_found {
	pid_t pid;
	bool is_asked_for; /* by its number: that it cannot be read is an error */
};

struct vmsi_finds {
	struct vmsi_found *list; /* in the order of the arguments */
	size_t count, capacity;
};

/*
 * Add processes. All return 0; -ESRCH where there is no such process, so far as
 * the caller can see; -ENOENT without procfs; -ENOMEM, or -errno of listing /proc.
 */
int vmsi_finds_add(struct vmsi_finds *finds, pid_t pid);
/* By the name in /proc/PID/comm, or that of the file that it executes. */
int vmsi_finds_add_named(struct vmsi_finds *finds, const char *name);
/* A process and all its descendants, parents first. */
int vmsi_finds_add_tree(struct vmsi_finds *finds, pid_t pid);
int vmsi_finds_add_all(struct vmsi_finds *finds);
int vmsi_finds_add_user(struct vmsi_finds *finds, uid_t user);

void vmsi_finds_free(struct vmsi_finds *finds);

#endif
