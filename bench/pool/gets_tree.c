/* SPDX-License-Identifier: MIT */
#include "gets_node.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The tree, built once, its nodes full; in memory of malloc(3), and in a file that is
 * mapped.
 */

/* --- to build it ------------------------------------------------------------------------ */

/* Level by level, the leaves first; the last page is the root. */
static uint64_t parts(uint64_t count, uint64_t most)
{
	return (count + most - 1) / most;
}

size_t gets_tree_size(void)
{
	uint64_t made = parts(gets_data.count, leaf_most()), pages = made;

	while (made > 1) {
		made = parts(made, FANOUT);
		pages += made;
	}
	return pages * PAGE;
}

static void put_number(struct node *node, uint32_t at, uint64_t number)
{
	memcpy(node->bytes + at * sizeof(number), &number, sizeof(number));
}

static void build_leaves(struct node *nodes)
{
	const uint32_t most = leaf_most();

	for (uint64_t key = 0; key < gets_data.count; key++) {
		struct node *leaf = &nodes[key / most];
		const uint32_t at = (uint32_t)(key % most);

		put_number(leaf, at, key);
		gets_make_value(key, leaf->bytes + most * sizeof(key) +
				     at * gets_data.value_size);
		leaf->count = at + 1;
	}
}

static void build(struct node *nodes)
{
	uint64_t made = parts(gets_data.count, leaf_most()), below = 0, end = made;

	build_leaves(nodes);
	for (uint32_t level = 1; made > 1; level++) {
		const uint64_t above = parts(made, FANOUT);

		for (uint64_t i = 0; i < made; i++) {
			struct node *node = &nodes[end + i / FANOUT];
			const uint32_t at = (uint32_t)(i % FANOUT);

			node->level = level;
			put_number(node, at, key_at(&nodes[below + i], 0));
			put_number(node, FANOUT + at, below + i);
			node->count = at + 1;
		}
		below = end;
		end += above;
		made = above;
	}
}

static void make_file(void)
{
	const size_t length = gets_tree_size();
	char path[4200];
	struct node *nodes;
	int fd;

	gets_path(path, sizeof(path), "tree");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)length) != 0)
		gets_fail(path);
	nodes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (nodes == MAP_FAILED)
		gets_fail("mmap");
	build(nodes);
	(void)munmap(nodes, length);
	if (fsync(fd) != 0)
		gets_fail("fsync");
	(void)close(fd);
}

int gets_open_tree(void)
{
	char path[4200];
	int fd;

	gets_path(path, sizeof(path), "tree");
	fd = open(path, O_RDWR | O_CLOEXEC | (gets_data.is_direct ? O_DIRECT : 0));
	if (fd < 0)
		gets_fail(path);
	return fd;
}

/* --- in memory --------------------------------------------------------------------------- */

static struct node *nodes_in_memory;
static uint64_t root;

static void open_malloc(size_t ram)
{
	const size_t length = gets_tree_size();

	(void)ram;
	root = root_page();
	if (posix_memalign((void **)&nodes_in_memory, PAGE, length) != 0)
		gets_fail("posix_memalign");
	memset(nodes_in_memory, 0, length);
	build(nodes_in_memory);
}

static void close_malloc(void)
{
	free(nodes_in_memory);
}

static void open_mmap(size_t ram)
{
	const size_t length = gets_tree_size();
	const int fd = gets_open_tree();

	(void)ram;
	root = root_page();
	nodes_in_memory = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
	if (nodes_in_memory == MAP_FAILED ||
	    madvise(nodes_in_memory, length, MADV_RANDOM) != 0)
		gets_fail("mmap");
	(void)close(fd);
}

static void close_mmap(void)
{
	(void)munmap(nodes_in_memory, gets_tree_size());
}

static const struct node *begin(void *store, uint64_t page, uint64_t *ticket)
{
	const struct node *nodes = store;

	(void)ticket;
	return &nodes[page];
}

static bool validate(void *store, uint64_t page, uint64_t ticket)
{
	(void)store;
	(void)page;
	(void)ticket;
	return true;
}

static void get(uint64_t key, void *value)
{
	look_up(nodes_in_memory, root, key, value, begin, validate);
}

const struct contender gets_malloc = {
	"the tree in memory of malloc", NULL, false, false, NULL, open_malloc, get, close_malloc,
};
const struct contender gets_mmap = {
	"the tree in a mapped file", "tree", false, false, make_file, open_mmap, get, close_mmap,
};
