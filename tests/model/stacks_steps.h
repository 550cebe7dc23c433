/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_STACKS_STEPS_H
#define VMSI_TESTS_STACKS_STEPS_H

#include "ring_schedule.h"

/* For the explorer: before each access another thread may run. */
#define VMSI_LIST_STEP(word) schedule_step((const void *)(word), sizeof(*(word)))

/* A seeded fault: a list that begins with the same slot again is taken for the same. */
#ifdef EXPLORER_UNCOUNTED
#define VMSI_LIST_CHANGE 0
#else
#define VMSI_LIST_CHANGE 1
#endif

#endif
