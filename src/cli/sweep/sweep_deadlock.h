/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_DEADLOCK_H
#define VMSI_CLI_SWEEP_DEADLOCK_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether a process waits for itself for ever: it has no children, and each of its threads
 * is in a wait for a futex that is private to it, without a time limit, so that only
 * another of its threads could end the wait. False also where that cannot be seen.
 */
bool vmsi_sweep_is_deadlocked(pid_t process);

#endif
