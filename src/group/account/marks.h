/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_ACCOUNT_MARKS_H
#define VMSI_GROUP_ACCOUNT_MARKS_H

#include <stdbool.h>
#include <stddef.h>

#define VMSI_MARKS 2

/*
 * Marks are sums of which the caller is told when they are reached, before the
 * limit is. Each is told once, until the sum has fallen well below it:
 *
 *	            rose_to, sum >= at           take_untold
 *	   WAITING -------------------> UNTOLD --------------> TOLD
 *	      ^  ^     take_back          |                     |
 *	      |  +------------------------+                     |
 *	      +-------------------------------------------------+
 *	                     fell_to, sum < again
 */
struct vmsi_mark {
	size_t at;    /* bytes; 0: no mark */
	enum { VMSI_MARK_WAITING, VMSI_MARK_UNTOLD, VMSI_MARK_TOLD } state;
};

struct vmsi_marks {
	struct vmsi_mark list[VMSI_MARKS];
};

/* Set other marks. One that was told stays so, until the sum falls below it. */
void vmsi_marks_set(struct vmsi_marks *marks, const size_t at[VMSI_MARKS]);

/* The lowest mark that waits; SIZE_MAX: none does. */
size_t vmsi_marks_next(const struct vmsi_marks *marks);

/* A sum below this would have a mark that was told wait again; 0: none would. */
size_t vmsi_marks_again(const struct vmsi_marks *marks);

/* The sum is at most this. */
void vmsi_marks_fell_to(struct vmsi_marks *marks, size_t sum);

/* The sum is this, by figures that were just read. */
void vmsi_marks_rose_to(struct vmsi_marks *marks, size_t sum);

/* The call that reached what is not told was not made after all. */
void vmsi_marks_take_back(struct vmsi_marks *marks);

/* Returns the lowest mark that is to be told, which is told by that; or -1. */
int vmsi_marks_take_untold(struct vmsi_marks *marks);

#endif
