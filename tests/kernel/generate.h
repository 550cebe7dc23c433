/* SPDX-License-Identifier: MIT */
#ifndef GENERATE_H
#define GENERATE_H

#include "layout.h"
#include "random.h"

/*
 * Random operations, near what is mapped and in a small arena, so that they
 * meet each other. Ranges stay inside the window or leave the address space
 * altogether: between the two the kernel has mappings that are not ours.
 */
enum generate_features {
	GENERATE_MSEAL = 1u << 0,
	GENERATE_HUGETLB = 1u << 1,
	GENERATE_PAGEOUT = 1u << 2, /* not with FREE: it would drop the pages */
	GENERATE_FREE = 1u << 3,
};

struct generator {
	struct random random;
	const struct layout *layout; /* what is mapped now */
	size_t page;
	size_t window; /* bytes */
	unsigned features;
	enum operation_kind kind; /* of the operation that is being made */
};

void generate(struct generator *generator, struct operation *operation);

#endif
