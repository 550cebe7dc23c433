/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_SHARE_STEPS_H
#define VMSI_TESTS_SHARE_STEPS_H

#include "../unit/share_fixture.h"

/* Children that end by SIGKILL before the step that they are told. */

#define STEPS_MOST 2000

/* As fork; 0 steps: a child that does not end so. All end with this process. */
pid_t fork_stepped(unsigned steps);

/* Wait for the end of a child: whether it was killed, and not done before. */
bool was_killed(pid_t child);

/* From now on another number is in a word each time that it is looked at; NULL: no more. */
void spoil(void *word);

/* After a test: print how many steps there were. */
int tell_steps(void **state);

#define step_test(function) cmocka_unit_test_teardown(function, tell_steps)

#endif
