/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_OLDER_H
#define VMSI_TESTS_OLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "layout.h"
#include "operation.h"

/*
 * What the kernel at hand does unlike the one that a space answers as: such calls
 * are not compared. It is found out by trying.
 */
struct older {
	bool moves_one;            /* mapping with one mremap */
	bool populates_past_holes;
};

void older_ask(struct older *older);

/* Return whether a call in a window of WINDOW bytes is one of these. */
bool older_differs(const struct older *older, const struct operation *operation,
		   const struct layout *layout, size_t page);

#endif
