/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vma/tree.h"

#define NODES 200

/* A node's key is its index. */
static struct vmsi_tree_node nodes[NODES];
static struct vmsi_tree tree;
static size_t count;

static void insert(size_t key)
{
	struct vmsi_tree_node *parent = NULL, *node = tree.root;
	enum vmsi_tree_side side = VMSI_TREE_LEFT;

	while (node) {
		parent = node;
		side = &nodes[key] < node ? VMSI_TREE_LEFT : VMSI_TREE_RIGHT;
		node = node->child[side];
	}
	vmsi_tree_insert(&tree, parent, side, &nodes[key]);
	count++;
}

static void erase(size_t key)
{
	vmsi_tree_remove(&tree, &nodes[key]);
	count--;
}

static void assert_sound(void)
{
	const char *wrong = vmsi_tree_check(&tree, count);

	if (wrong)
		fail_msg("%s", wrong);
}

static int empty_tree(void **state)
{
	(void)state;
	tree.root = NULL;
	count = 0;
	return 0;
}

static void an_empty_tree_has_no_nodes(void **state)
{
	(void)state;
	assert_sound();
	assert_null(vmsi_tree_outermost(&tree, VMSI_TREE_LEFT));
	assert_null(vmsi_tree_outermost(&tree, VMSI_TREE_RIGHT));
}

static void assert_ascending(size_t first, size_t last)
{
	const struct vmsi_tree_node *node =
		vmsi_tree_outermost(&tree, VMSI_TREE_LEFT);

	for (size_t key = first; key <= last; key++) {
		assert_ptr_equal(node, &nodes[key]);
		assert_true(vmsi_tree_holds(&tree, node));
		node = vmsi_tree_neighbour(node, VMSI_TREE_RIGHT);
	}
	assert_null(node);
	node = vmsi_tree_outermost(&tree, VMSI_TREE_RIGHT);
	for (size_t key = last + 1; key-- > first;) {
		assert_ptr_equal(node, &nodes[key]);
		node = vmsi_tree_neighbour(node, VMSI_TREE_LEFT);
	}
	assert_null(node);
}

static void sorted_insertions_stay_balanced(void **state)
{
	(void)state;
	for (size_t key = NODES / 2; key < NODES; key++) {
		insert(key);
		assert_sound();
	}
	for (size_t key = NODES / 2; key-- > 0;) {
		insert(key);
		assert_sound();
	}
	assert_ascending(0, NODES - 1);
}

/* Keys below size, in the order of strides through a prime number of them. */
static void fill_in_strides(size_t size, size_t stride)
{
	empty_tree(NULL);
	for (size_t i = 0; i < 41; i++)
		if (i * stride % 41 < size)
			insert(i * stride % 41);
	assert_int_equal(count, size);
}

static void removing_any_node_leaves_the_others(void **state)
{
	(void)state;
	for (size_t stride = 1; stride < 41; stride += 5) {
		for (size_t size = 1; size <= 40; size++) {
			for (size_t victim = 0; victim < size; victim++) {
				fill_in_strides(size, stride);
				erase(victim);
				assert_sound();
				for (size_t key = 0; key < size; key++)
					assert_true(key == victim ||
						    vmsi_tree_holds(&tree, &nodes[key]));
			}
		}
	}
}

static void removing_all_from_one_end_stays_balanced(void **state)
{
	(void)state;
	for (size_t key = 0; key < NODES; key++)
		insert(key);
	for (size_t key = 0; key < NODES; key++) {
		erase(key);
		assert_sound();
		if (key + 1 < NODES)
			assert_ascending(key + 1, NODES - 1);
	}
	assert_null(tree.root);
}

static void fill(size_t size)
{
	for (size_t key = 0; key < size; key++)
		insert(key);
	assert_sound();
}

static void assert_unsound(const char *wrong)
{
	const char *found = vmsi_tree_check(&tree, count);

	assert_non_null(found);
	assert_string_equal(found, wrong);
}

static void the_check_finds_a_wrong_balance(void **state)
{
	(void)state;
	fill(20);
	vmsi_tree_outermost(&tree, VMSI_TREE_LEFT)->balance++;
	assert_unsound("tree: a node is out of balance");
}

static void the_check_finds_a_tree_that_leans(void **state)
{
	(void)state;
	fill(20);
	/* Three in a row below the last node, with balances that say so. */
	for (size_t key = 20; key < 23; key++) {
		nodes[key] = (struct vmsi_tree_node){
			.parent = &nodes[key - 1], .balance = (int)(22 - key),
		};
		nodes[key - 1].child[VMSI_TREE_RIGHT] = &nodes[key];
		count++;
	}
	assert_unsound("tree: a node is out of balance");
}

static void the_check_finds_wrong_links(void **state)
{
	struct vmsi_tree_node *left;

	(void)state;
	fill(20);
	left = tree.root->child[VMSI_TREE_LEFT];
	left->parent = left;
	assert_unsound("tree: a child has another parent");
	left->parent = tree.root;
	tree.root->child[VMSI_TREE_RIGHT] = left;
	assert_unsound("tree: a node is linked twice");
}

static void the_check_ends_on_a_cycle(void **state)
{
	struct vmsi_tree_node *first;

	(void)state;
	fill(20);
	first = vmsi_tree_outermost(&tree, VMSI_TREE_LEFT);
	first->child[VMSI_TREE_LEFT] = tree.root;
	tree.root->parent = first;
	assert_non_null(vmsi_tree_check(&tree, count));
}

static void the_check_counts(void **state)
{
	(void)state;
	fill(20);
	count++;
	assert_unsound("tree: nodes are missing");
	count -= 2;
	assert_unsound("tree: too many nodes");
}

static void a_node_apart_is_not_held(void **state)
{
	struct vmsi_tree_node apart = { .balance = 0 };

	(void)state;
	fill(20);
	assert_false(vmsi_tree_holds(&tree, &apart));
	apart.parent = tree.root;
	assert_false(vmsi_tree_holds(&tree, &apart));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_tree_has_no_nodes, empty_tree),
		cmocka_unit_test_setup(sorted_insertions_stay_balanced, empty_tree),
		cmocka_unit_test_setup(removing_any_node_leaves_the_others, empty_tree),
		cmocka_unit_test_setup(removing_all_from_one_end_stays_balanced, empty_tree),
		cmocka_unit_test_setup(the_check_finds_a_wrong_balance, empty_tree),
		cmocka_unit_test_setup(the_check_finds_a_tree_that_leans, empty_tree),
		cmocka_unit_test_setup(the_check_finds_wrong_links, empty_tree),
		cmocka_unit_test_setup(the_check_ends_on_a_cycle, empty_tree),
		cmocka_unit_test_setup(the_check_counts, empty_tree),
		cmocka_unit_test_setup(a_node_apart_is_not_held, empty_tree),
	};

	return cmocka_run_group_tests_name("vma_tree", tests, NULL, NULL);
}
