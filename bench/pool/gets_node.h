/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_GETS_NODE_H
#define VMSI_BENCH_GETS_NODE_H

#include "gets.h"

/*
 * A node of a B+-tree, a page of 4 KiB: its keys, and behind the room for these their
 * values, or above the leaves the pages of the children. The same code looks things up in
 * memory, in a mapped file and in pools; what differs is how a page is got at, which the
 * compiler puts in.
 */

#define PAGE 4096u
#define ROOM (PAGE - 16u)
#define FANOUT 254u

struct node {
	uint32_t level, count;
	uint64_t rest;
	unsigned char bytes[ROOM];
};

_Static_assert(sizeof(struct node) == PAGE, "a page");

#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t leaf_most(void)
{
	return (uint32_t)((ROOM - 16) / (sizeof(uint64_t) + gets_data.value_size));
}

INLINE uint64_t key_at(const struct node *node, uint32_t at)
{
	uint64_t key;

	memcpy(&key, node->bytes + at * sizeof(key), sizeof(key));
	return key;
}

INLINE uint64_t child_at(const struct node *node, uint32_t at)
{
	return key_at(node, FANOUT + at);
}

INLINE const unsigned char *value_at(const struct node *node, uint32_t at)
{
	return node->bytes + leaf_most() * sizeof(uint64_t) + at * gets_data.value_size;
}

/* The last entry whose key is not more. A count may be read in the midst of a change. */
INLINE uint32_t find(const struct node *node, uint32_t most, uint64_t key)
{
	uint32_t low = 0, high = node->count < most ? node->count : most;

	while (high > low + 1) {
		const uint32_t middle = (low + high) / 2;

		if (key_at(node, middle) <= key)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * Without fixing. The store is handed on, as a program has it in a register: what is read
 * from a variable of the program would be read anew after each validation.
 * A child is begun before its parent is asked again whether it was whole:
 * else the number of the child could be that of a page which is another by then.
 */
INLINE void look_up(void *store, uint64_t root, uint64_t key, void *value,
		    const struct node *(*begin)(void *store, uint64_t page, uint64_t *ticket),
		    bool (*validate)(void *store, uint64_t page, uint64_t ticket))
{
	uint64_t page, ticket = 0, next, next_ticket = 0;
	const struct node *node, *below;

again:
	page = root;
	node = begin(store, page, &ticket);
	while (node->level != 0) {
		next = child_at(node, find(node, FANOUT, key));
		if (!validate(store, page, ticket))
			goto again;
		below = begin(store, next, &next_ticket);
		if (!validate(store, page, ticket))
			goto again;
		page = next;
		ticket = next_ticket;
		node = below;
	}
	memcpy(value, value_at(node, find(node, leaf_most(), key)), gets_data.value_size);
	if (!validate(store, page, ticket))
		goto again;
}

INLINE void look_up_fixing(void *store, uint64_t root, uint64_t key, void *value,
			   const struct node *(*fix)(void *store, uint64_t page),
			   void (*unfix)(void *store, uint64_t page))
{
	uint64_t page = root;
	const struct node *node = fix(store, page);

	while (node->level != 0) {
		const uint64_t next = child_at(node, find(node, FANOUT, key));

		unfix(store, page);
		page = next;
		node = fix(store, page);
	}
	memcpy(value, value_at(node, find(node, leaf_most(), key)), gets_data.value_size);
	unfix(store, page);
}

/* The last page. */
static inline uint64_t root_page(void)
{
	return gets_tree_size() / PAGE - 1;
}

#endif
