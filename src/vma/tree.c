/* SPDX-License-Identifier: MIT */
#include "vma/tree.h"

static enum vmsi_tree_side opposite(enum vmsi_tree_side side)
{
	return side == VMSI_TREE_LEFT ? VMSI_TREE_RIGHT : VMSI_TREE_LEFT;
}

/* What a side adds to the balance of its parent by being one higher. */
static int weight(enum vmsi_tree_side side)
{
	return side == VMSI_TREE_LEFT ? -1 : 1;
}

static enum vmsi_tree_side side_of(const struct vmsi_tree_node *node)
{
	return node->parent->child[VMSI_TREE_LEFT] == node ?
		VMSI_TREE_LEFT : VMSI_TREE_RIGHT;
}

/* Put new, which may be NULL, where old is linked from above. */
static void replace(struct vmsi_tree *tree, struct vmsi_tree_node *old,
		    struct vmsi_tree_node *new)
{
	if (old->parent)
		old->parent->child[side_of(old)] = new;
	else
		tree->root = new;
	if (new)
		new->parent = old->parent;
}

static void set_child(struct vmsi_tree_node *node, enum vmsi_tree_side side,
		      struct vmsi_tree_node *child)
{
	node->child[side] = child;
	if (child)
		child->parent = node;
}

/*
 * Lift the child on a side into the place of node (drawn for the right side):
 *
 *	  node                child
 *	 /    \               /   \
 *	a     child   ->    node   c
 *	      /   \        /    \
 *	     b     c      a      b
 */
static void rotate(struct vmsi_tree *tree, struct vmsi_tree_node *node,
		   enum vmsi_tree_side side)
{
	struct vmsi_tree_node *child = node->child[side];

	replace(tree, node, child);
	set_child(node, side, child->child[opposite(side)]);
	set_child(child, opposite(side), node);
}

/* One rotation where the higher child leans to its own side, or to none. */
static struct vmsi_tree_node *rotate_once(struct vmsi_tree *tree,
					  struct vmsi_tree_node *node,
					  enum vmsi_tree_side side)
{
	struct vmsi_tree_node *child = node->child[side];

	/* A child without lean is met in removals only; the height stays. */
	node->balance = child->balance ? 0 : weight(side);
	child->balance = child->balance ? 0 : -weight(side);
	rotate(tree, node, side);
	return child;
}

/* Two rotations where the higher child leans inwards. */
static struct vmsi_tree_node *rotate_twice(struct vmsi_tree *tree,
					   struct vmsi_tree_node *node,
					   enum vmsi_tree_side side)
{
	struct vmsi_tree_node *child = node->child[side];
	struct vmsi_tree_node *grandchild = child->child[opposite(side)];
	int lean = grandchild->balance;

	node->balance = lean == weight(side) ? -weight(side) : 0;
	child->balance = lean == -weight(side) ? weight(side) : 0;
	grandchild->balance = 0;
	rotate(tree, child, opposite(side));
	rotate(tree, node, side);
	return grandchild;
}

/* Mend a node whose balance is 2 or -2; returns what is in its place then. */
static struct vmsi_tree_node *mend(struct vmsi_tree *tree,
				   struct vmsi_tree_node *node)
{
	enum vmsi_tree_side side =
		node->balance < 0 ? VMSI_TREE_LEFT : VMSI_TREE_RIGHT;

	if (node->child[side]->balance == -weight(side))
		return rotate_twice(tree, node, side);
	return rotate_once(tree, node, side);
}

void vmsi_tree_insert(struct vmsi_tree *tree, struct vmsi_tree_node *parent,
		      enum vmsi_tree_side side, struct vmsi_tree_node *node)
{
	*node = (struct vmsi_tree_node){ .parent = parent };
	if (!parent) {
		tree->root = node;
		return;
	}
	parent->child[side] = node;

	/* Upwards, while the subtree below parent has become higher. */
	for (; parent; node = parent, parent = node->parent) {
		parent->balance += weight(side_of(node));
		if (parent->balance == 0)
			return;
		if (parent->balance == 2 || parent->balance == -2) {
			mend(tree, parent);
			return;
		}
	}
}

/* Upwards, while the subtree on a side of node has become lower. */
static void rebalance_lower(struct vmsi_tree *tree, struct vmsi_tree_node *node,
			    enum vmsi_tree_side side)
{
	while (node) {
		node->balance -= weight(side);
		if (node->balance == 1 || node->balance == -1)
			return;
		if (node->balance != 0) {
			node = mend(tree, node);
			if (node->balance != 0)
				return;
		}
		if (node->parent)
			side = side_of(node);
		node = node->parent;
	}
}

/*
 * Exchange node, which has two children, with its successor, so that it has
 * one at most. Keys are in the records, so links move and not contents.
 */
static void sink_to_successor(struct vmsi_tree *tree,
			      struct vmsi_tree_node *node)
{
	struct vmsi_tree_node *successor =
		vmsi_tree_neighbour(node, VMSI_TREE_RIGHT);
	struct vmsi_tree_node below = *successor;

	replace(tree, node, successor);
	successor->balance = node->balance;
	set_child(successor, VMSI_TREE_LEFT, node->child[VMSI_TREE_LEFT]);
	if (below.parent == node) {
		set_child(successor, VMSI_TREE_RIGHT, node);
	} else {
		set_child(successor, VMSI_TREE_RIGHT,
			  node->child[VMSI_TREE_RIGHT]);
		set_child(below.parent, VMSI_TREE_LEFT, node);
	}
	node->balance = below.balance;
	set_child(node, VMSI_TREE_LEFT, NULL);
	set_child(node, VMSI_TREE_RIGHT, below.child[VMSI_TREE_RIGHT]);
}

void vmsi_tree_remove(struct vmsi_tree *tree, struct vmsi_tree_node *node)
{
	if (node->child[VMSI_TREE_LEFT] && node->child[VMSI_TREE_RIGHT])
		sink_to_successor(tree, node);

	struct vmsi_tree_node *parent = node->parent;
	struct vmsi_tree_node *child = node->child[VMSI_TREE_LEFT] ?
		node->child[VMSI_TREE_LEFT] : node->child[VMSI_TREE_RIGHT];
	enum vmsi_tree_side side = parent ? side_of(node) : VMSI_TREE_LEFT;

	replace(tree, node, child);
	rebalance_lower(tree, parent, side);
}

static struct vmsi_tree_node *descend(const struct vmsi_tree_node *node,
				      enum vmsi_tree_side side)
{
	while (node && node->child[side])
		node = node->child[side];
	return (struct vmsi_tree_node *)node;
}

struct vmsi_tree_node *vmsi_tree_neighbour(const struct vmsi_tree_node *node,
					   enum vmsi_tree_side side)
{
	if (node->child[side])
		return descend(node->child[side], opposite(side));
	while (node->parent && node->parent->child[side] == node)
		node = node->parent;
	return node->parent;
}

struct vmsi_tree_node *vmsi_tree_outermost(const struct vmsi_tree *tree,
					   enum vmsi_tree_side side)
{
	return descend(tree->root, side);
}

bool vmsi_tree_holds(const struct vmsi_tree *tree,
		     const struct vmsi_tree_node *node)
{
	size_t steps = 0;

	while (node->parent && steps++ < VMSI_TREE_HEIGHT_MAX) {
		if (node->parent->child[VMSI_TREE_LEFT] != node &&
		    node->parent->child[VMSI_TREE_RIGHT] != node)
			return false;
		node = node->parent;
	}
	return node == tree->root;
}

static const char *check_links(const struct vmsi_tree_node *node)
{
	const struct vmsi_tree_node *left = node->child[VMSI_TREE_LEFT];
	const struct vmsi_tree_node *right = node->child[VMSI_TREE_RIGHT];

	if (left && left == right)
		return "tree: a node is linked twice";
	if ((left && left->parent != node) || (right && right->parent != node))
		return "tree: a child has another parent";
	return NULL;
}

/* The height of a node whose sides have these heights; 0: out of balance. */
static int checked_height(const struct vmsi_tree_node *node,
			  const int heights[2])
{
	int balance = heights[VMSI_TREE_RIGHT] - heights[VMSI_TREE_LEFT];

	if (balance != node->balance || balance < -1 || balance > 1)
		return 0;
	return 1 + (balance > 0 ? heights[VMSI_TREE_RIGHT] :
		    heights[VMSI_TREE_LEFT]);
}

/*
 * A walk along the links, down the left side of each node, down its right side
 * and up again, with the heights found so far on the way to the root.
 */
const char *vmsi_tree_check(const struct vmsi_tree *tree, size_t count)
{
	int heights[VMSI_TREE_HEIGHT_MAX][2];
	const struct vmsi_tree_node *node = tree->root;
	size_t depth = 0, seen = 0;
	int side = VMSI_TREE_LEFT; /* the next to go down; 2: go up */

	if (node && node->parent)
		return "tree: the root has a parent";
	while (node) {
		if (side == VMSI_TREE_LEFT) {
			const char *wrong = check_links(node);

			if (wrong)
				return wrong;
			if (++seen > count)
				return "tree: too many nodes";
			heights[depth][VMSI_TREE_LEFT] = 0;
			heights[depth][VMSI_TREE_RIGHT] = 0;
		}
		while (side < 2 && !node->child[side])
			side++;
		if (side < 2) {
			if (++depth == VMSI_TREE_HEIGHT_MAX)
				return "tree: too high";
			node = node->child[side];
			side = VMSI_TREE_LEFT;
			continue;
		}

		int height = checked_height(node, heights[depth]);

		if (!height)
			return "tree: a node is out of balance";
		if (node->parent) {
			side = side_of(node);
			heights[--depth][side++] = height;
		}
		node = node->parent;
	}
	return seen == count ? NULL : "tree: nodes are missing";
}
