/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_RING_STEPS_KILL_H
#define VMSI_TESTS_RING_STEPS_KILL_H

/* The layer of atomics for ring_kill.c: before each access the process may end. */
void kill_step(void);

#define VMSI_RING_STEP(word) ((void)(word), kill_step())

#endif
