/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "chunks.h"
#include "vma/tree.h"

#define KEYS 3000
#define CHANGES 200000
#define NODES 1000

static struct vmsi_tree tree;
static struct vmsi_pool nodes;
static struct chunks chunks;

/* The minor key that the tree must have for each major key; 0: it has none. */
static uintptr_t minor_of[KEYS];
static size_t count;
static char entries[KEYS]; /* their addresses are the entries */

static struct vmsi_tree_key key_of(size_t major)
{
	return (struct vmsi_tree_key){ major, minor_of[major] };
}

static void insert(size_t major)
{
	minor_of[major] = 1 + major % 7;
	vmsi_tree_insert(&tree, key_of(major), &entries[major]);
	count++;
}

static void erase(size_t major)
{
	vmsi_tree_remove(&tree, key_of(major));
	minor_of[major] = 0;
	count--;
}

static void assert_sound(void)
{
	size_t used;
	const char *wrong = vmsi_tree_check(&tree, count, &used);

	if (wrong)
		fail_msg("%s", wrong);
	assert_int_equal(used, nodes.used_count);
	assert_true(used <= vmsi_tree_nodes_max(count));
}

static int open_tree(void **state)
{
	(void)state;
	vmsi_tree_pool_init(&nodes, chunks_source(&chunks));
	vmsi_tree_init(&tree, &nodes);
	memset(minor_of, 0, sizeof(minor_of));
	count = 0;
	return vmsi_pool_reserve(&nodes, NODES);
}

static int close_tree(void **state)
{
	(void)state;
	vmsi_pool_release(&nodes);
	return chunks.live ? -1 : 0;
}

/* Return the last major key at or below this one; KEYS if none. */
static size_t expected_below(size_t major)
{
	for (size_t i = major + 1; i-- > 0;)
		if (minor_of[i])
			return i;
	return KEYS;
}

static void assert_sought(size_t major)
{
	struct vmsi_tree_key key = { major, UINTPTR_MAX };
	struct vmsi_tree_cursor cursor;
	size_t expected = expected_below(major);

	vmsi_tree_expect(&tree, key);
	vmsi_tree_seek(&tree, key, &cursor);
	assert_int_equal(vmsi_tree_is_entry(&cursor), expected != KEYS);
	if (expected == KEYS)
		return;
	assert_ptr_equal(vmsi_tree_entry(&cursor), &entries[expected]);
	assert_int_equal(vmsi_tree_key(&cursor).major, expected);
	assert_int_equal(vmsi_tree_key(&cursor).minor, minor_of[expected]);
}

/* Walk up from before the first entry, and down again. */
static void assert_walks(void)
{
	struct vmsi_tree_cursor cursor;

	vmsi_tree_seek(&tree, (struct vmsi_tree_key){ 0, 0 }, &cursor);
	assert_false(vmsi_tree_is_entry(&cursor));
	for (size_t i = 0; i < KEYS; i++) {
		if (!minor_of[i])
			continue;
		assert_true(vmsi_tree_next(&tree, &cursor));
		assert_ptr_equal(vmsi_tree_entry(&cursor), &entries[i]);
	}
	assert_false(vmsi_tree_next(&tree, &cursor));
	vmsi_tree_seek(&tree, (struct vmsi_tree_key){ SIZE_MAX, SIZE_MAX },
		       &cursor);
	for (size_t i = expected_below(KEYS - 1); i != KEYS;) {
		assert_ptr_equal(vmsi_tree_entry(&cursor), &entries[i]);
		i = i ? expected_below(i - 1) : KEYS;
		assert_int_equal(vmsi_tree_previous(&tree, &cursor), i != KEYS);
	}
}

static void an_empty_tree_has_no_entries(void **state)
{
	(void)state;
	assert_sound();
	assert_walks();
	assert_sought(KEYS - 1);
	assert_null(vmsi_tree_find(&tree, (struct vmsi_tree_key){ 0, 0 }));
	assert_int_equal(nodes.used_count, 0);
}

static void a_small_tree_needs_no_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < VMSI_TREE_FANOUT; i++) {
		insert(i);
		assert_sound();
		assert_walks();
	}
	assert_int_equal(nodes.used_count, 0);
}

static void sorted_insertions_keep_the_order(void **state)
{
	(void)state;
	for (size_t i = KEYS / 2; i < KEYS; i++) {
		insert(i);
		assert_sound();
	}
	for (size_t i = KEYS / 2; i-- > 0;) {
		insert(i);
		assert_sound();
	}
	assert_true(tree.levels >= 3);
	assert_walks();
}

static void removing_any_entry_leaves_the_others(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 100; size += 3) {
		for (size_t victim = 0; victim < size; victim++) {
			/* Visit all of a prime number of keys, in strides. */
			for (size_t i = 0; i < 101; i++)
				if (i * 37 % 101 < size)
					insert(i * 37 % 101);
			erase(victim);
			assert_sound();
			assert_walks();
			while (count)
				erase(expected_below(KEYS - 1));
		}
	}
}

static void removing_all_from_one_end_keeps_the_order(void **state)
{
	(void)state;
	for (int end = 0; end < 2; end++) {
		for (size_t i = 0; i < KEYS; i++)
			insert(i);
		for (size_t i = 0; i < KEYS; i++) {
			erase(end ? KEYS - 1 - i : i);
			assert_sound();
		}
		assert_walks();
		assert_int_equal(tree.levels, 1);
		assert_int_equal(nodes.used_count, 0);
	}
}

static void equal_majors_are_ordered_by_minor(void **state)
{
	struct vmsi_tree_cursor cursor;

	(void)state;
	for (size_t i = 0; i < 500; i++)
		vmsi_tree_insert(&tree, (struct vmsi_tree_key){ 7, i * 3 % 500 * 2 },
				 &entries[i * 3 % 500]);
	count = 500;
	assert_sound();
	for (size_t i = 0; i < 500; i++) {
		vmsi_tree_seek(&tree, (struct vmsi_tree_key){ 7, 2 * i + 1 },
			       &cursor);
		assert_ptr_equal(vmsi_tree_entry(&cursor), &entries[i]);
		assert_null(vmsi_tree_find(&tree, (struct vmsi_tree_key){
			7, 2 * i + 1 }));
	}
}

/* Keys may change in place while their order stays, the first of a leaf too. */
static void moved_keys_are_found_at_their_new_places(void **state)
{
	(void)state;
	for (size_t i = 1; i < KEYS; i += 2)
		insert(i);
	for (size_t i = 1; i < KEYS; i += 2) {
		struct vmsi_tree_key from = key_of(i), to = { i - 1, 9 };

		vmsi_tree_move(&tree, from, to);
		minor_of[i] = 0;
		minor_of[i - 1] = 9;
		assert_sound();
		assert_null(vmsi_tree_find(&tree, from));
		assert_ptr_equal(vmsi_tree_find(&tree, to), &entries[i]);
	}
}

static uint64_t random_state;

/* splitmix64 */
static size_t random_below(size_t limit)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % limit;
}

/* Phases fill the tree and empty it; each prefers a part of the keys. */
static void random_changes_agree_with_an_array(void **state)
{
	size_t low = 0, high = KEYS, filling = 1;

	(void)state;
	for (size_t i = 0; i < CHANGES; i++) {
		size_t major;

		if (i % 5000 == 0) {
			low = random_below(KEYS);
			high = low + 1 + random_below(KEYS - low);
			filling = random_below(3);
		}
		major = random_below(8) ? low + random_below(high - low) :
			random_below(KEYS);
		if (minor_of[major] && (!filling || random_below(4) == 0))
			erase(major);
		else if (!minor_of[major] && (filling || random_below(4) == 0))
			insert(major);
		assert_sought(random_below(KEYS));
		if (i % 16 == 0)
			assert_sound();
		if (i % 1000 == 0)
			assert_walks();
	}
}

/*
 * Fill leaves to their minimum, then insert into one after the other: more splits
 * than merges.
 */
static void so_many_nodes_are_enough(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS; i++)
		insert(i);
	for (size_t i = 0; i < KEYS; i++) {
		if (i % 31 % 2)
			erase(i);
		assert_sound();
	}
	assert_true(nodes.used_count > vmsi_tree_nodes_max(count) * 3 / 4);
	for (size_t i = 0; i < KEYS; i++) {
		if (!minor_of[i])
			insert(i);
		assert_sound();
	}
}

static void fill(void)
{
	for (size_t i = 0; i < 1000; i++)
		insert(i);
	assert_int_equal(tree.levels, 3);
	assert_sound();
}

static void assert_unsound(const char *wrong)
{
	size_t used;
	const char *found = vmsi_tree_check(&tree, count, &used);

	assert_non_null(found);
	assert_string_equal(found, wrong);
}

static struct vmsi_tree_node *child(struct vmsi_tree_node *node, size_t slot)
{
	return node->entry[slot];
}

static void the_check_finds_wrong_keys(void **state)
{
	struct vmsi_tree_node *leaf;

	(void)state;
	fill();
	leaf = child(child(tree.root, 1), 2);
	leaf->key[3].major += 2;
	assert_unsound("tree: keys are out of order");
	leaf->key[3].major -= 2;
	leaf->key[leaf->count - 1].major += 2;
	assert_unsound("tree: keys are out of order");
	leaf->key[leaf->count - 1].major -= 2;
	leaf->key[0].minor--;
	assert_unsound("tree: a child has another first key");
	leaf->key[0].minor++;
	tree.root->key[1].minor--;
	assert_unsound("tree: a child has another first key");
	tree.root->key[1].minor++;
	leaf->key[leaf->count].major = KEYS;
	assert_unsound("tree: a key without an entry");
}

static void the_check_finds_wrong_entries(void **state)
{
	struct vmsi_tree_node *leaf;
	void *entry;

	(void)state;
	fill();
	leaf = child(child(tree.root, 0), 1);
	entry = leaf->entry[5];
	leaf->entry[5] = NULL;
	assert_unsound("tree: an entry leads nowhere");
	leaf->entry[5] = entry;
	leaf->count = VMSI_TREE_FANOUT_MIN - 1;
	assert_unsound("tree: a node has too few or too many entries");
	leaf->count = VMSI_TREE_FANOUT + 1;
	assert_unsound("tree: a node has too few or too many entries");
}

static void the_check_finds_a_wrong_shape(void **state)
{
	(void)state;
	fill();
	tree.levels = 0;
	assert_unsound("tree: the number of levels is wrong");
	tree.levels = VMSI_TREE_LEVELS_MAX + 1;
	assert_unsound("tree: the number of levels is wrong");
	tree.root = child(child(tree.root, 1), 0);
	tree.levels = 1;
	assert_unsound("tree: another leaf is the first");
}

static void the_check_ends_on_a_cycle(void **state)
{
	struct vmsi_tree_node *node;
	size_t used;

	(void)state;
	fill();
	node = child(tree.root, 1);
	node->entry[0] = node;
	assert_non_null(vmsi_tree_check(&tree, SIZE_MAX, &used));
	tree.levels = VMSI_TREE_LEVELS_MAX;
	tree.root->entry[0] = tree.root;
	assert_non_null(vmsi_tree_check(&tree, SIZE_MAX, &used));
}

static void the_check_counts(void **state)
{
	(void)state;
	fill();
	count++;
	assert_unsound("tree: entries are missing");
	count -= 2;
	assert_unsound("tree: too many entries");
}

static void removing_what_is_not_there_ends_the_program(void **state)
{
	int status;
	pid_t process;

	(void)state;
	fill();
	process = fork();
	assert_true(process >= 0);
	if (process == 0) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		vmsi_tree_remove(&tree, (struct vmsi_tree_key){ 7, 99 });
		_exit(0);
	}
	assert_int_equal(waitpid(process, &status, 0), process);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

#define tree_test(function) \
	cmocka_unit_test_setup_teardown(function, open_tree, close_tree)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		tree_test(an_empty_tree_has_no_entries),
		tree_test(a_small_tree_needs_no_memory),
		tree_test(sorted_insertions_keep_the_order),
		tree_test(removing_any_entry_leaves_the_others),
		tree_test(removing_all_from_one_end_keeps_the_order),
		tree_test(equal_majors_are_ordered_by_minor),
		tree_test(moved_keys_are_found_at_their_new_places),
		tree_test(random_changes_agree_with_an_array),
		tree_test(so_many_nodes_are_enough),
		tree_test(the_check_finds_wrong_keys),
		tree_test(the_check_finds_wrong_entries),
		tree_test(the_check_finds_a_wrong_shape),
		tree_test(the_check_ends_on_a_cycle),
		tree_test(the_check_counts),
		tree_test(removing_what_is_not_there_ends_the_program),
	};
	const char *given = argc > 1 ? argv[1] : getenv("VMS_SEED");

	random_state = given ? strtoull(given, NULL, 0) :
		(uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	printf("# vma_tree, seed %llu\n", (unsigned long long)random_state);
	fflush(stdout);
	return cmocka_run_group_tests_name("vma_tree", tests, NULL, NULL);
}
