/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_SHARE_STEPS_KILL_H
#define VMSI_TESTS_SHARE_STEPS_KILL_H

/*
 * The layer of atomics for share_steps.c: before each access the process may end, or
 * another one may have written to the word.
 */
void kill_step(void);
void access_step(const void *word);

#define VMSI_SHARE_STEP(word) access_step(word)

#endif
