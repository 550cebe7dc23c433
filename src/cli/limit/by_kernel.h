/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_LIMIT_BY_KERNEL_H
#define VMSI_CLI_LIMIT_BY_KERNEL_H

#include <stdint.h>

#include <jansson.h>

#include "cli/command.h"
#include "keeper/keeper.h"

/* Limits that the kernel keeps, of control groups: --cgroup and --backend=bpf. */

/* Set the limit of a control group; text is a size, or "none". */
enum vmsi_exit vmsi_by_kernel_set(const char *program, const char *path,
				  const char *text);

/*
 * Become a program in a control group of its own, below that of the caller. Returns
 * only where that fails, after a message.
 */
enum vmsi_exit vmsi_by_kernel_run(const char *program, uint64_t limit,
				  char **arguments);

/* The control groups that have a limit. */
struct vmsi_kernel_limits {
	struct vmsi_bpf_group list[VMSI_BPF_LIMITS];
	size_t count;
	uint64_t lost; /* memories that are in no account */
};

/* Find them. There are none for who is not root. Fails after a message. */
enum vmsi_exit vmsi_by_kernel_find(const char *program,
				   struct vmsi_kernel_limits *limits);

void vmsi_by_kernel_write_text(const struct vmsi_kernel_limits *limits);

json_t *vmsi_by_kernel_json(const struct vmsi_bpf_group *group);

/* Append them to an array. Returns 0 or -ENOMEM. */
int vmsi_by_kernel_append_json(const struct vmsi_kernel_limits *limits, json_t *list);

/* What --explain tells of it. */
void vmsi_by_kernel_explain(void);

#endif
