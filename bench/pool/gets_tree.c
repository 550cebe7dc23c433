/* SPDX-License-Identifier: MIT */
#include "gets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace/pool.h>

/*
 * A B+-tree of pages of 4 KiB, built once, as full as LMDB fills its pages when they are
 * appended to. The same code looks things up in memory of malloc(3), in a file that is
 * mapped, and in pools; what differs is how a page is got at.
 */

#define PAGE 4096u
#define ENTRIES 254u
#define LEVELS_MOST 8

struct node {
	uint32_t level, count;
	uint64_t rest;
	struct { uint64_t key, value; } entries[ENTRIES];
	char unused[PAGE - 16 - ENTRIES * 16];
};

_Static_assert(sizeof(struct node) == PAGE, "a page");

/* --- to build one -------------------------------------------------------------------------- */

static uint64_t root;

static uint64_t parts(uint64_t count)
{
	return (count + ENTRIES - 1) / ENTRIES;
}

/* Level by level, the leaves first; the last page is the root. */
static uint64_t pages_of(uint64_t count)
{
	uint64_t pages = 0;

	do {
		count = parts(count);
		pages += count;
	} while (count > 1);
	return pages;
}

static void build(struct node *nodes, uint64_t count)
{
	uint64_t below = 0, made = parts(count), end = made;

	for (uint64_t key = 0; key < count; key++) {
		struct node *leaf = &nodes[key / ENTRIES];

		leaf->entries[key % ENTRIES].key = key;
		leaf->entries[key % ENTRIES].value = gets_value(key);
		leaf->count = (uint32_t)(key % ENTRIES) + 1;
	}
	for (uint32_t level = 1; made > 1; level++) {
		const uint64_t nodes_above = parts(made);

		for (uint64_t i = 0; i < made; i++) {
			struct node *above = &nodes[end + i / ENTRIES];

			above->level = level;
			above->entries[i % ENTRIES].key = nodes[below + i].entries[0].key;
			above->entries[i % ENTRIES].value = below + i;
			above->count = (uint32_t)(i % ENTRIES) + 1;
		}
		below = end;
		end += nodes_above;
		made = nodes_above;
	}
}

static void make_file(const char *directory, uint64_t count)
{
	const uint64_t length = pages_of(count) * PAGE;
	char path[4096];
	struct node *nodes;
	int fd;

	gets_path(path, sizeof(path), directory, "tree");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)length) != 0)
		gets_fail(path);
	nodes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (nodes == MAP_FAILED)
		gets_fail("mmap");
	build(nodes, count);
	(void)munmap(nodes, length);
	if (fsync(fd) != 0)
		gets_fail("fsync");
	(void)close(fd);
}

/* --- to look something up --------------------------------------------------------------------- */

/* The last entry whose key is not more. */
static inline uint32_t find(const struct node *node, uint64_t key)
{
	uint32_t low = 0, high = node->count < ENTRIES ? node->count : ENTRIES;

	while (high - low > 1) {
		const uint32_t middle = (low + high) / 2;

		if (node->entries[middle].key <= key)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static struct node *memory;
static vms_pool *pool;

static uint64_t get_in_memory(uint64_t key)
{
	const struct node *node = &memory[root];

	for (;;) {
		const uint64_t value = node->entries[find(node, key)].value;

		if (node->level == 0)
			return value;
		node = &memory[value];
	}
}

/* Without fixing; the parent is asked again when the child was begun. */
static uint64_t get_in_pool(uint64_t key)
{
	vms_pool *const mine = pool;
	uint64_t page, ticket, next, above, ticket_above;
	const struct node *node;
	uint32_t level;

again:
	page = root;
	node = vms_pool_begin(mine, page, &ticket);
	for (;;) {
		if (!node)
			gets_fail("vms_pool_begin");
		next = node->entries[find(node, key)].value;
		level = node->level;
		if (!vms_pool_validate(mine, page, ticket))
			goto again;
		if (level == 0)
			return next;
		above = page;
		ticket_above = ticket;
		page = next;
		node = vms_pool_begin(mine, page, &ticket);
		if (!vms_pool_validate(mine, above, ticket_above))
			goto again;
	}
}

static uint64_t get_by_fixing(uint64_t key)
{
	uint64_t page = root;

	for (;;) {
		const struct node *node = vms_pool_fix(pool, page, VMS_POOL_READ);
		uint64_t next;
		uint32_t level;

		if (!node)
			gets_fail("vms_pool_fix");
		next = node->entries[find(node, key)].value;
		level = node->level;
		(void)vms_pool_unfix(pool, page);
		if (level == 0)
			return next;
		page = next;
	}
}

/* --- the contenders --------------------------------------------------------------------------- */

static int open_file(const char *directory)
{
	char path[4096];
	int fd;

	gets_path(path, sizeof(path), directory, "tree");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		gets_fail(path);
	return fd;
}

static size_t mapped;

static void open_mmap(const char *directory, uint64_t count, size_t ram)
{
	const int fd = open_file(directory);

	(void)ram;
	mapped = pages_of(count) * PAGE;
	root = pages_of(count) - 1;
	memory = mmap(NULL, mapped, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED || madvise(memory, mapped, MADV_RANDOM) != 0)
		gets_fail("mmap");
	(void)close(fd);
}

static void close_mmap(void)
{
	(void)munmap(memory, mapped);
}

static void open_malloc(const char *directory, uint64_t count, size_t ram)
{
	const size_t length = pages_of(count) * PAGE;

	(void)directory;
	(void)ram;
	root = pages_of(count) - 1;
	if (posix_memalign((void **)&memory, PAGE, length) != 0)
		gets_fail("posix_memalign");
	memset(memory, 0, length);
	build(memory, count);
}

static void close_malloc(void)
{
	free(memory);
}

static void open_pool(const char *directory, uint64_t count, size_t ram, unsigned flags)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options), .flags = flags, .ram = ram,
	};
	const int fd = open_file(directory);

	root = pages_of(count) - 1;
	pool = vms_pool_open(fd, &options);
	if (!pool)
		gets_fail("vms_pool_open");
	(void)close(fd);
}

static void open_frames(const char *directory, uint64_t count, size_t ram)
{
	open_pool(directory, count, ram, 0);
}

static void open_addressed(const char *directory, uint64_t count, size_t ram)
{
	open_pool(directory, count, ram, VMS_POOL_ADDRESSED);
}

static void close_pool(void)
{
	if (vms_pool_close(pool) != 0)
		gets_fail("vms_pool_close");
}

const struct contender gets_malloc = {
	"the tree in memory of malloc", true, NULL, open_malloc, get_in_memory, close_malloc,
};
const struct contender gets_frames = {
	"vms_pool, frames", false, make_file, open_frames, get_in_pool, close_pool,
};
const struct contender gets_addressed = {
	"vms_pool, addressed", false, make_file, open_addressed, get_in_pool, close_pool,
};
const struct contender gets_fix = {
	"vms_pool, frames, fixing", false, make_file, open_frames, get_by_fixing, close_pool,
};
const struct contender gets_mmap = {
	"the tree in a mapped file", false, make_file, open_mmap, get_in_memory, close_mmap,
};
