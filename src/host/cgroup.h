/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_CGROUP_H
#define VMSI_HOST_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The memory cgroups that the process is in. */

/* The files of a hierarchy, of version 2 and of version 1. */
struct vmsi_hierarchy {
	const char *root;
	const char *limit, *usage;
	const char *swap_limit, *swap_usage;
	bool swap_has_memory;  /* these two are of memory and swap together */
	/* Names in memory.stat of what is taken back: pages of files. */
	const char *files[2];
};

/* Version 2 comes first. */
#define VMSI_HIERARCHIES 2
extern const struct vmsi_hierarchy vmsi_hierarchies[VMSI_HIERARCHIES];

/* A path below a cgroup's directory, which is path[0..length). */
struct vmsi_cgroup {
	const struct vmsi_hierarchy *hierarchy;
	char path[PATH_MAX];
	size_t length;
};

/* The path of a file of a cgroup, until the next call; "": it would be too long. */
const char *vmsi_cgroup_file(struct vmsi_cgroup *cgroup, const char *name);

/* Visit the process's own and each above it, until visit answers false. */
void vmsi_cgroup_each(bool (*visit)(struct vmsi_cgroup *cgroup, void *context),
		      void *context);

/* The least limit of memory of them all, in bytes; UINT64_MAX: none. */
uint64_t vmsi_cgroup_memory(void);

#endif
