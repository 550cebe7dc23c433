/* SPDX-License-Identifier: MIT */
#ifndef VMSI_VMA_TREE_H
#define VMSI_VMA_TREE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A height-balanced binary tree (AVL) of nodes that live inside the records of
 * their owner. It knows nothing of keys: the owner descends from the root by
 * its own order and tells where a node is to be linked.
 *
 * AVL rather than red-black: lookups are far more frequent than changes, and
 * its height is at most 1.44 log2 n.
 */

enum vmsi_tree_side {
	VMSI_TREE_LEFT = 0,
	VMSI_TREE_RIGHT = 1,
};

struct vmsi_tree_node {
	struct vmsi_tree_node *child[2];
	struct vmsi_tree_node *parent;
	int balance; /* height of the right side less that of the left */
};

struct vmsi_tree {
	struct vmsi_tree_node *root;
};

/* No AVL tree whose nodes fit into 64 bits of addresses is higher. */
#define VMSI_TREE_HEIGHT_MAX 96

/*
 * Link node as the child of parent on a side, which is empty, and balance the
 * tree. A NULL parent makes it the root of an empty tree.
 */
void vmsi_tree_insert(struct vmsi_tree *tree, struct vmsi_tree_node *parent,
		      enum vmsi_tree_side side, struct vmsi_tree_node *node);

/* Unlink node, which is in the tree, and balance the tree. */
void vmsi_tree_remove(struct vmsi_tree *tree, struct vmsi_tree_node *node);

/* The neighbour of node in order, on a side; NULL: none. */
struct vmsi_tree_node *vmsi_tree_neighbour(const struct vmsi_tree_node *node,
					   enum vmsi_tree_side side);

/* The outermost node on a side; NULL where the tree is empty. */
struct vmsi_tree_node *vmsi_tree_outermost(const struct vmsi_tree *tree,
					   enum vmsi_tree_side side);

/* Whether the parents of node lead to the tree's root. */
bool vmsi_tree_holds(const struct vmsi_tree *tree,
		     const struct vmsi_tree_node *node);

/*
 * Check links and balance of a tree that should have count nodes. Returns
 * NULL, or what is wrong. Ends on any structure, also on one with cycles.
 */
const char *vmsi_tree_check(const struct vmsi_tree *tree, size_t count);

#endif
