/* SPDX-License-Identifier: MIT */
#include "vma/tree.h"

#include <string.h>

#include "base/panic.h"

/* A search compares with every eighth key of a node first. */
#define STRIDE ((size_t)8)

/* Two nodes with at most so many entries together become one, which is not full. */
#define MERGE_MAX (2 * VMSI_TREE_FANOUT_MIN)

_Static_assert(VMSI_TREE_FANOUT == 4 * STRIDE - 1,
	       "a search looks at three keys and then at those between two");
_Static_assert(sizeof(struct vmsi_tree_node) % 64 == 0,
	       "a node does not begin and end at cache lines");
_Static_assert((VMSI_TREE_FANOUT + 1) / 2 >= VMSI_TREE_FANOUT_MIN + 1,
	       "half of a full node is too little");

static const struct vmsi_tree_key largest_key = { UINTPTR_MAX, UINTPTR_MAX };

static void clear(struct vmsi_tree_node *node)
{
	node->count = 0;
	for (size_t i = 0; i < VMSI_TREE_FANOUT; i++)
		node->key[i] = largest_key;
}

void vmsi_tree_pool_init(struct vmsi_pool *nodes, struct vmsi_pool_source source)
{
	vmsi_pool_init(nodes, sizeof(struct vmsi_tree_node), source);
}

void vmsi_tree_init(struct vmsi_tree *tree, struct vmsi_pool *nodes)
{
	*tree = (struct vmsi_tree){
		.root = &tree->first, .levels = 1, .nodes = nodes,
	};
	clear(&tree->first);
}

/*
 * With at least m entries a node, n entries have at most n/m leaves, n/m^2
 * nodes above them and so on: less than n/(m - 1) in all, and one more for the
 * root, which may have fewer than m. One of them, first, is not from the pool.
 */
size_t vmsi_tree_nodes_max(size_t entries)
{
	if (entries < 2 * VMSI_TREE_FANOUT_MIN)
		return 0;
	return entries / (VMSI_TREE_FANOUT_MIN - 1);
}

/* --- search ----------------------------------------------------------------------- */

__extension__ typedef unsigned __int128 two_words;

static inline two_words whole(struct vmsi_tree_key key)
{
	return (two_words)key.major << 64 | key.minor;
}

/* 1 or 0, without a branch, which the processor would mispredict half the time. */
static inline size_t at_most(const struct vmsi_tree_key *a,
			     struct vmsi_tree_key b)
{
	return whole(*a) <= whole(b);
}

/*
 * How many entries of the node have keys of at most this one: compares with the
 * keys that cut the node in four, then with those in one quarter. The sums have
 * parentheses so that no addition waits for all the others.
 */
static inline size_t rank(const struct vmsi_tree_node *node,
			  struct vmsi_tree_key key)
{
	const struct vmsi_tree_key *at = node->key + STRIDE - 1;
	size_t quarter = at_most(at, key) + at_most(at + STRIDE, key) +
		at_most(at + 2 * STRIDE, key);
	size_t before = quarter * STRIDE;

	at = node->key + before;
	before += ((at_most(at, key) + at_most(at + 1, key)) +
		   (at_most(at + 2, key) + at_most(at + 3, key))) +
		((at_most(at + 4, key) + at_most(at + 5, key)) +
		 at_most(at + 6, key));
	return before < node->count ? before : node->count;
}

/*
 * Prefetch all lines of a node at once: in a search, which line is read next
 * depends on the one before.
 */
static inline void prefetch(const struct vmsi_tree_node *node)
{
	for (size_t i = 0; i < sizeof(*node); i += 64)
		__builtin_prefetch((const char *)node + i);
}

void vmsi_tree_expect(const struct vmsi_tree *tree, struct vmsi_tree_key key)
{
	const struct vmsi_tree_node *node = tree->root;

	for (unsigned int i = tree->levels - 1; i > 0; i--) {
		size_t slot = rank(node, key);

		node = node->entry[slot - (slot != 0)];
	}
	prefetch(node);
}

void vmsi_tree_seek(const struct vmsi_tree *tree, struct vmsi_tree_key key,
		    struct vmsi_tree_cursor *cursor)
{
	struct vmsi_tree_node *node = tree->root;

	for (unsigned int i = tree->levels - 1; i > 0; i--) {
		size_t slot = rank(node, key);

		slot -= slot != 0;
		cursor->level[i].node = node;
		cursor->level[i].slot = (ptrdiff_t)slot;
		node = node->entry[slot];
		prefetch(node);
	}
	cursor->level[0].node = node;
	cursor->level[0].slot = (ptrdiff_t)rank(node, key) - 1;
}

enum side { FIRST, LAST };

/* Set all levels of the cursor below this one to their first or last entries. */
static void descend(struct vmsi_tree_cursor *cursor, unsigned int level,
		    enum side side)
{
	while (level-- > 0) {
		struct vmsi_tree_node *node =
			cursor->level[level + 1].node
				->entry[cursor->level[level + 1].slot];

		cursor->level[level].node = node;
		cursor->level[level].slot =
			side == FIRST ? 0 : (ptrdiff_t)node->count - 1;
	}
}

bool vmsi_tree_next(const struct vmsi_tree *tree,
		    struct vmsi_tree_cursor *cursor)
{
	for (unsigned int i = 0; i < tree->levels; i++) {
		if (cursor->level[i].slot + 1 >=
		    (ptrdiff_t)cursor->level[i].node->count)
			continue;
		cursor->level[i].slot++;
		descend(cursor, i, FIRST);
		return true;
	}
	return false;
}

bool vmsi_tree_previous(const struct vmsi_tree *tree,
			struct vmsi_tree_cursor *cursor)
{
	for (unsigned int i = 0; i < tree->levels; i++) {
		if (cursor->level[i].slot <= 0)
			continue;
		cursor->level[i].slot--;
		descend(cursor, i, LAST);
		return true;
	}
	return false;
}

static bool is_at(const struct vmsi_tree_cursor *cursor,
		  struct vmsi_tree_key key)
{
	if (!vmsi_tree_is_entry(cursor))
		return false;

	struct vmsi_tree_key found = vmsi_tree_key(cursor);

	return found.major == key.major && found.minor == key.minor;
}

void *vmsi_tree_find(const struct vmsi_tree *tree, struct vmsi_tree_key key)
{
	struct vmsi_tree_cursor cursor;

	vmsi_tree_seek(tree, key, &cursor);
	return is_at(&cursor, key) ? vmsi_tree_entry(&cursor) : NULL;
}

/* Go to the entry with this key, which must be in the tree. */
static void seek_existing(const struct vmsi_tree *tree,
			  struct vmsi_tree_key key,
			  struct vmsi_tree_cursor *cursor)
{
	vmsi_tree_seek(tree, key, cursor);
	if (!is_at(cursor, key))
		vmsi_panic("a key is not in its tree");
}

/* --- nodes ------------------------------------------------------------------------ */

static struct vmsi_tree_node *new_node(struct vmsi_tree *tree)
{
	struct vmsi_tree_node *node = vmsi_pool_take(tree->nodes);

	clear(node);
	return node;
}

/* Copy count entries, between two nodes or within one. */
static void copy(struct vmsi_tree_node *to, size_t at,
		 const struct vmsi_tree_node *from, size_t slot, size_t count)
{
	memmove(&to->key[at], &from->key[slot], count * sizeof(to->key[0]));
	memmove(&to->entry[at], &from->entry[slot],
		count * sizeof(to->entry[0]));
}

static void set_count(struct vmsi_tree_node *node, size_t count)
{
	for (size_t i = count; i < node->count; i++)
		node->key[i] = largest_key;
	node->count = count;
}

static void put(struct vmsi_tree_node *node, size_t slot,
		struct vmsi_tree_key key, void *entry)
{
	copy(node, slot + 1, node, slot, node->count - slot);
	node->key[slot] = key;
	node->entry[slot] = entry;
	node->count++;
}

static void cut(struct vmsi_tree_node *node, size_t slot)
{
	copy(node, slot, node, slot + 1, node->count - slot - 1);
	set_count(node, node->count - 1);
}

/* Copy the first key of a node, after a change, to the entries above it. */
static void raise_first_key(struct vmsi_tree *tree,
			    const struct vmsi_tree_cursor *cursor,
			    unsigned int level)
{
	struct vmsi_tree_key key = cursor->level[level].node->key[0];

	while (++level < tree->levels) {
		size_t slot = (size_t)cursor->level[level].slot;

		cursor->level[level].node->key[slot] = key;
		if (slot)
			return;
	}
}

/* --- changes ---------------------------------------------------------------------- */

/* Move the upper half of a full node to a new one. */
static struct vmsi_tree_node *split(struct vmsi_tree *tree,
				    struct vmsi_tree_node *lower)
{
	struct vmsi_tree_node *upper = new_node(tree);
	size_t kept = (VMSI_TREE_FANOUT + 1) / 2;

	upper->count = lower->count - kept;
	copy(upper, 0, lower, kept, upper->count);
	set_count(lower, kept);
	return upper;
}

static void grow_root(struct vmsi_tree *tree, struct vmsi_tree_node *upper)
{
	struct vmsi_tree_node *lower = tree->root;

	tree->root = new_node(tree);
	tree->levels++;
	put(tree->root, 0, lower->key[0], lower);
	put(tree->root, 1, upper->key[0], upper);
}

void vmsi_tree_insert(struct vmsi_tree *tree, struct vmsi_tree_key key,
		      void *entry)
{
	struct vmsi_tree_cursor cursor;

	vmsi_tree_seek(tree, key, &cursor);
	for (unsigned int i = 0; i < tree->levels; i++) {
		struct vmsi_tree_node *node = cursor.level[i].node, *upper = NULL;
		size_t slot = (size_t)(cursor.level[i].slot + 1);

		if (node->count == VMSI_TREE_FANOUT)
			upper = split(tree, node);
		if (upper && slot > node->count) {
			slot -= node->count;
			node = upper;
		}
		put(node, slot, key, entry);
		if (slot == 0)
			raise_first_key(tree, &cursor, i);
		if (!upper)
			return;
		key = upper->key[0];
		entry = upper;
	}
	grow_root(tree, entry);
}

/* Drop a root that has only one child left: the child becomes the root. */
static void shrink_root(struct vmsi_tree *tree)
{
	struct vmsi_tree_node *root = tree->root;

	if (tree->levels == 1 || root->count > 1)
		return;
	tree->root = root->entry[0];
	tree->levels--;
	vmsi_pool_give(tree->nodes, root);
}

/*
 * The child of parent at slot has too few entries: share evenly with a neighbour,
 * or move all of the upper of the two into the lower. Returns the slot of the
 * upper one if it is empty then, or 0.
 */
static size_t refill(struct vmsi_tree_node *parent, size_t slot)
{
	size_t above = slot ? slot : 1;
	struct vmsi_tree_node *lower = parent->entry[above - 1];
	struct vmsi_tree_node *upper = parent->entry[above];
	size_t total = lower->count + upper->count;
	size_t kept = total <= MERGE_MAX ? total : total / 2;

	if (kept > lower->count) {
		size_t moved = kept - lower->count;

		copy(lower, lower->count, upper, 0, moved);
		copy(upper, 0, upper, moved, upper->count - moved);
	} else {
		size_t moved = lower->count - kept;

		copy(upper, moved, upper, 0, upper->count);
		copy(upper, 0, lower, kept, moved);
	}
	set_count(lower, kept);
	set_count(upper, total - kept);
	parent->key[above] = upper->key[0];
	return upper->count ? 0 : above;
}

void vmsi_tree_remove(struct vmsi_tree *tree, struct vmsi_tree_key key)
{
	struct vmsi_tree_cursor cursor;

	seek_existing(tree, key, &cursor);
	for (unsigned int i = 0;; i++) {
		struct vmsi_tree_node *node = cursor.level[i].node, *parent;
		size_t slot = (size_t)cursor.level[i].slot;

		cut(node, slot);
		if (node == tree->root) {
			shrink_root(tree);
			return;
		}
		if (slot == 0)
			raise_first_key(tree, &cursor, i);
		if (node->count >= VMSI_TREE_FANOUT_MIN)
			return;
		parent = cursor.level[i + 1].node;
		slot = refill(parent, (size_t)cursor.level[i + 1].slot);
		if (!slot)
			return;
		vmsi_pool_give(tree->nodes, parent->entry[slot]);
		cursor.level[i + 1].slot = (ptrdiff_t)slot;
	}
}

void vmsi_tree_move(struct vmsi_tree *tree, struct vmsi_tree_key from,
		    struct vmsi_tree_key to)
{
	struct vmsi_tree_cursor cursor;

	seek_existing(tree, from, &cursor);
	cursor.level[0].node->key[cursor.level[0].slot] = to;
	if (cursor.level[0].slot == 0)
		raise_first_key(tree, &cursor, 0);
}

/* --- check ------------------------------------------------------------------------ */

struct tree_check {
	const struct vmsi_tree *tree;
	const struct vmsi_tree_key *before; /* the last key of the leaves so far */
	size_t entries;
	size_t entries_max;
	size_t nodes;
};

static bool is_below(const struct vmsi_tree_key *a,
		     const struct vmsi_tree_key *b)
{
	return at_most(a, *b) && !at_most(b, *a);
}

static const char *check_node(const struct tree_check *check,
			      const struct vmsi_tree_node *node,
			      unsigned int level)
{
	size_t least = VMSI_TREE_FANOUT_MIN;

	if (node == check->tree->root)
		least = level ? 2 : 0;
	if (node->count < least || node->count > VMSI_TREE_FANOUT)
		return "tree: a node has too few or too many entries";
	for (size_t i = 0; i < node->count; i++) {
		if (!node->entry[i])
			return "tree: an entry leads nowhere";
		if (i && !is_below(&node->key[i - 1], &node->key[i]))
			return "tree: keys are out of order";
	}
	for (size_t i = node->count; i < VMSI_TREE_FANOUT; i++)
		if (is_below(&node->key[i], &largest_key))
			return "tree: a key without an entry";
	return NULL;
}

static const char *check_leaf(struct tree_check *check,
			      const struct vmsi_tree_node *leaf)
{
	if (check->entries == 0 && leaf != &check->tree->first)
		return "tree: another leaf is the first";
	if (check->before && !is_below(check->before, &leaf->key[0]))
		return "tree: keys are out of order";
	if (leaf->count)
		check->before = &leaf->key[leaf->count - 1];
	check->entries += leaf->count;
	return check->entries > check->entries_max ? "tree: too many entries" : NULL;
}

/* Recursion ends, whatever the pointers: at level 0, or with too many entries. */
static const char *check_below(struct tree_check *check,
			       const struct vmsi_tree_node *node,
			       unsigned int level)
{
	const char *wrong = check_node(check, node, level);

	check->nodes += node != &check->tree->first;
	if (wrong)
		return wrong;
	if (level == 0)
		return check_leaf(check, node);
	for (size_t i = 0; i < node->count; i++) {
		const struct vmsi_tree_node *child = node->entry[i];

		if (is_below(&node->key[i], &child->key[0]) ||
		    is_below(&child->key[0], &node->key[i]))
			return "tree: a child has another first key";
		wrong = check_below(check, child, level - 1);
		if (wrong)
			return wrong;
	}
	return NULL;
}

const char *vmsi_tree_check(const struct vmsi_tree *tree, size_t entries,
			    size_t *nodes)
{
	struct tree_check check = { .tree = tree, .entries_max = entries };
	const char *wrong;

	if (tree->levels < 1 || tree->levels > VMSI_TREE_LEVELS_MAX)
		return "tree: the number of levels is wrong";
	wrong = check_below(&check, tree->root, tree->levels - 1);
	*nodes = check.nodes;
	if (!wrong && check.entries != entries)
		wrong = "tree: entries are missing";
	return wrong;
}
