/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_HEAP_SCENARIOS_H
#define VMSI_TESTS_HEAP_SCENARIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <vmspace.h>

#include "../model/heap_blocks.h"

/* Operations of a heap, and how to prepare the heap for each. */

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define BLOCKS 4

/* The heap of an operation, and its blocks. */
struct stage {
	vms_heap *heap;
	struct heap_block blocks[BLOCKS];
};

struct scenario {
	const char *name;
	void (*arrange)(struct stage *stage);
	/* The operation, on block 0. */
	void (*act)(struct stage *stage);
	struct vms_heap_options options;
	bool exact;              /* the charge must be exact, whatever failed */
};

extern const struct scenario heap_scenarios[];
extern const size_t heap_scenario_count;

/* Fail the test with the scenario and the plan that is followed. */
void expect(bool condition, const char *what);

#endif
