/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_STEPS_H
#define VMSI_TESTS_POOL_STEPS_H

#include <stddef.h>
#include <stdint.h>

/* The layer of atomics for the explorer: before each access another thread may run. */
void explorer_step(const void *word, size_t size);

#define VMSI_POOL_STEP(word) explorer_step((const void *)(word), sizeof(*(word)))

/* Who waits looks once before it sleeps. */
#define VMSI_POOL_LOOKS 1

/* A reader stands back once. */
#define VMSI_POOL_PATIENCE 1

/* A seeded fault: an exchange that is a comparison, and later a store. */
#ifdef EXPLORER_TORN
#define VMSI_POOL_TORN 1
#endif

#endif
