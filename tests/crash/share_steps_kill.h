/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_SHARE_STEPS_KILL_H
#define VMSI_TESTS_SHARE_STEPS_KILL_H

/* The layer of atomics for share_steps.c: before each access the process may end. */
void kill_step(void);

#define VMSI_SHARE_STEP(word) ((void)(word), kill_step())

#endif
