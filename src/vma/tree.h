/* SPDX-License-Identifier: MIT */
#ifndef VMSI_VMA_TREE_H
#define VMSI_VMA_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

/*
 * An ordered index from keys of two words to pointers. It is a B+-tree: nodes of
 * some cache lines hold the keys, so that a search waits for memory once a node,
 * and reads no record. A binary tree was rejected: where it exceeds the caches,
 * each of its 1.4 log2 n levels costs a read of memory and one of page tables.
 *
 * Keys are unique. An entry of an inner node has the key of the first entry of
 * its child. All leaves are at level 0, and every node but the root has at
 * least VMSI_TREE_FANOUT_MIN entries. So the number of entries bounds the number
 * of nodes: an owner who has reserved vmsi_tree_nodes_max of them can insert,
 * remove and move keys in any order.
 */

struct vmsi_tree_key {
	uintptr_t major;
	uintptr_t minor;
};

#define VMSI_TREE_FANOUT ((size_t)31)
#define VMSI_TREE_FANOUT_MIN ((size_t)14)

/* A tree of as many entries as 64 bits can address has no more levels. */
#define VMSI_TREE_LEVELS_MAX 16

/* Its size is of whole cache lines, at which the pool places such records. */
struct vmsi_tree_node {
	/*
	 * The keys from index count on are the largest that there is, so that a
	 * search stops there without reading count.
	 */
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
	 * Always the leaf with the lowest keys, as a split makes a new upper node
	 * and a merge frees the upper one. So a small tree needs no pool.
	 */
	struct vmsi_tree_node first;
};

/* A place in a tree, as the way down to it. Valid until the tree changes. */
struct vmsi_tree_cursor {
	struct {
		struct vmsi_tree_node *node;
		ptrdiff_t slot; /* -1 in a leaf: before the first entry */
	} level[VMSI_TREE_LEVELS_MAX];
};

/* Make a pool of nodes, which several trees may share. */
void vmsi_tree_pool_init(struct vmsi_pool *nodes,
			 struct vmsi_pool_source source);

/* Make an empty tree, which must not be copied: it points into itself. */
void vmsi_tree_init(struct vmsi_tree *tree, struct vmsi_pool *nodes);

/* The most nodes of the pool that a tree with at most so many entries has. */
size_t vmsi_tree_nodes_max(size_t entries);

/* Go to the last entry whose key is at most this one, or before the first entry. */
void vmsi_tree_seek(const struct vmsi_tree *tree, struct vmsi_tree_key key,
		    struct vmsi_tree_cursor *cursor);

/* Whether a tree has so many entries, tens of thousands, that prefetching pays. */
static inline bool vmsi_tree_is_large(const struct vmsi_tree *tree)
{
	return tree->levels >= 4;
}

/* Prefetch the leaf where this key is, or would be. */
void vmsi_tree_expect(const struct vmsi_tree *tree, struct vmsi_tree_key key);

/* Go to the next or previous entry; false: there is none, and the place is lost. */
bool vmsi_tree_next(const struct vmsi_tree *tree,
		    struct vmsi_tree_cursor *cursor);
bool vmsi_tree_previous(const struct vmsi_tree *tree,
			struct vmsi_tree_cursor *cursor);

/* Whether the cursor is at an entry, and not before the first one. */
static inline bool vmsi_tree_is_entry(const struct vmsi_tree_cursor *cursor)
{
	return cursor->level[0].slot >= 0;
}

/* The entry that the cursor is at, and its key. */
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

/* Add an entry, whose key must not be in the tree. */
void vmsi_tree_insert(struct vmsi_tree *tree, struct vmsi_tree_key key,
		      void *entry);

/* Remove the entry with this key, which must be in the tree. */
void vmsi_tree_remove(struct vmsi_tree *tree, struct vmsi_tree_key key);

/* Change the key of an entry; the new key lies between those of its neighbours. */
void vmsi_tree_move(struct vmsi_tree *tree, struct vmsi_tree_key from,
		    struct vmsi_tree_key to);

/*
 * Check the structure of a tree that should have so many entries. Sets *nodes to
 * the number of its nodes from the pool. Returns NULL, or what is wrong. It ends
 * even where the pointers between nodes form a cycle.
 */
const char *vmsi_tree_check(const struct vmsi_tree *tree, size_t entries,
			    size_t *nodes);

#endif
