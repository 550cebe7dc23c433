/* SPDX-License-Identifier: MIT */
#ifndef VMSI_VMA_TREE_H
#define VMSI_VMA_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

/*
 * An ordered index from keys of two words to pointers: a B+-tree whose nodes
 * hold the keys, a few cache lines each, so that a search waits for one read of
 * memory a node and not for one a comparison, and reads no record.
 *
 * Keys are unique. An entry of an inner node has the key of the first entry of
 * its child. All leaves are at level 0, and every node but the root has at
 * least VMSI_TREE_FANOUT_MIN entries; so the number of entries alone bounds the
 * number of nodes, and an owner who has as many of them as vmsi_tree_nodes_max
 * says can insert, remove and move keys in any order.
 *
 * Not a binary tree: past the caches each of its 1.4 log2 n levels costs a read
 * of memory and one of the page tables.
 */

struct vmsi_tree_key {
	uintptr_t major;
	uintptr_t minor;
};

#define VMSI_TREE_FANOUT ((size_t)31)
#define VMSI_TREE_FANOUT_MIN ((size_t)14)

/* No tree with as many entries as 64 bits can address has more. */
#define VMSI_TREE_LEVELS_MAX 16

/* Whole cache lines: the pool places records of such a size at one. */
struct vmsi_tree_node {
	/* Behind the last entry's the largest key, so that searches pass none. */
	struct vmsi_tree_key key[VMSI_TREE_FANOUT];
	size_t count;
	void *entry[VMSI_TREE_FANOUT]; /* in inner nodes: children */
	uintptr_t unused[2];
};

struct vmsi_tree {
	struct vmsi_tree_node *root;
	unsigned int levels;
	struct vmsi_pool *nodes;
	/*
	 * The leaf with the lowest keys, always: an upper half is what splits
	 * off, and what goes where two become one. So an empty tree, and a small
	 * one, needs no memory.
	 */
	struct vmsi_tree_node first;
};

/* A place in a tree, until the tree changes: the way down to it. */
struct vmsi_tree_cursor {
	struct {
		struct vmsi_tree_node *node;
		ptrdiff_t slot; /* -1 in a leaf: before the first entry */
	} level[VMSI_TREE_LEVELS_MAX];
};

/* A pool of nodes, which several trees may share. */
void vmsi_tree_pool_init(struct vmsi_pool *nodes,
			 struct vmsi_pool_source source);

/* An empty tree; it stays where it is. */
void vmsi_tree_init(struct vmsi_tree *tree, struct vmsi_pool *nodes);

/* The most nodes from the pool that a tree with at most so many entries can have. */
size_t vmsi_tree_nodes_max(size_t entries);

/* Go to the last entry whose key is at most this one, or before the first. */
void vmsi_tree_seek(const struct vmsi_tree *tree, struct vmsi_tree_key key,
		    struct vmsi_tree_cursor *cursor);

/* Whether a tree, of tens of thousands of entries, is too large for a cache. */
static inline bool vmsi_tree_is_large(const struct vmsi_tree *tree)
{
	return tree->levels >= 4;
}

/*
 * Begin to read the leaf where this key is, or would be, so that searches that
 * follow do not each wait for theirs.
 */
void vmsi_tree_expect(const struct vmsi_tree *tree, struct vmsi_tree_key key);

/* Go to the neighbour; false, and the place is lost, where there is none. */
bool vmsi_tree_next(const struct vmsi_tree *tree,
		    struct vmsi_tree_cursor *cursor);
bool vmsi_tree_previous(const struct vmsi_tree *tree,
			struct vmsi_tree_cursor *cursor);

/* Whether there is an entry at a place, and not before the first. */
static inline bool vmsi_tree_is_entry(const struct vmsi_tree_cursor *cursor)
{
	return cursor->level[0].slot >= 0;
}

/* The entry at a place, and its key. */
static inline void *vmsi_tree_entry(const struct vmsi_tree_cursor *cursor)
{
	return cursor->level[0].node->entry[cursor->level[0].slot];
}

static inline struct vmsi_tree_key
vmsi_tree_key(const struct vmsi_tree_cursor *cursor)
{
	return cursor->level[0].node->key[cursor->level[0].slot];
}

/* The entry with exactly this key; NULL: none. */
void *vmsi_tree_find(const struct vmsi_tree *tree, struct vmsi_tree_key key);

/* Add an entry; its key is not in the tree. */
void vmsi_tree_insert(struct vmsi_tree *tree, struct vmsi_tree_key key,
		      void *entry);

/* Take the entry with a key, which is in the tree, out of it. */
void vmsi_tree_remove(struct vmsi_tree *tree, struct vmsi_tree_key key);

/*
 * Give the entry with key from, which is in the tree, the key to, which is
 * between those of its neighbours.
 */
void vmsi_tree_move(struct vmsi_tree *tree, struct vmsi_tree_key from,
		    struct vmsi_tree_key to);

/*
 * Check the structure of a tree that should have so many entries; *nodes counts
 * those from the pool. Returns NULL, or what is wrong. Ends on any structure whose
 * pointers lead to nodes, also on one with cycles.
 */
const char *vmsi_tree_check(const struct vmsi_tree *tree, size_t entries,
			    size_t *nodes);

#endif
