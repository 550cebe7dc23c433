/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_GROUP_H
#define VMSI_BENCH_GROUP_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Put this process into a memory control group of its own with a limit, below the one that
 * it is in. false: the machine does not let it.
 */
bool group_enter(size_t limit);

/* Take the group of a process that has ended away; for its parent. */
void group_remove(int process);

#endif
