/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_OLDER_H
#define VMSI_TESTS_OLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "layout.h"
#include "operation.h"

/*
 * Where the kernel is older than the one that a space answers as: which calls
 * it takes otherwise, and are not compared. What it can do is found by trying.
 */
struct older {
	bool moves_one;            /* mapping with one mremap */
	bool populates_past_holes;
};

void older_ask(struct older *older);

/* Whether a call in a window of WINDOW bytes with this layout is of that kind. */
bool older_differs(const struct older *older, const struct operation *operation,
		   const struct layout *layout, size_t page);

#endif
