/* SPDX-License-Identifier: MIT */
#ifndef GENERATE_H
#define GENERATE_H

#include "layout.h"
#include "random.h"

/*
 * Generate random operations near what is mapped, and in a small part of the window,
 * so that they meet. Ranges are in the window or past the address space: between,
 * the kernel has mappings of others.
 */
enum generate_features {
	GENERATE_MSEAL = 1u << 0,
	GENERATE_HUGETLB = 1u << 1,
	GENERATE_PAGEOUT = 1u << 2, /* not with FREE, which would drop the pages */
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
