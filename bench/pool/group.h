/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_GROUP_H
#define VMSI_BENCH_GROUP_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Put this process, which the bench has forked for a round, into a memory control group of
 * its own with a limit. false: the machine does not let it.
 */
bool group_enter(size_t limit);

/* Take the group of a process that has ended away; for its parent. */
void group_remove(int process);

/*
 * Take the groups of all processes away that a bench has forked and that have ended or are
 * about to.
 */
void group_remove_all(int bench);

#endif
