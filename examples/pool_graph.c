/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <vmspace.h>

/*
 * A graph search over a pool that is used by plain pointers: a graph of 8 MiB, whose nodes
 * point to each other, in 3 MiB of RAM. The search knows nothing of the pool. The nodes are
 * those of a grid, with a short cut from each to another one, and the search tells how many
 * steps each is away from the first.
 */

#define RAM ((size_t)3 << 20)
#define WIDTH 512
#define HEIGHT 256
#define NODES ((size_t)WIDTH * HEIGHT)
#define PAGE ((size_t)4096)

struct node {
	struct node *right, *below, *short_cut;
	struct node *next;      /* in the queue of the search */
	uint64_t steps;         /* 0: not found yet; the first one has 1 */
	uint64_t rest[3];
};

static void link_nodes(struct node *nodes)
{
	uint64_t random = 1;

	for (size_t i = 0; i < NODES; i++) {
		struct node *node = &nodes[i];

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
		*node = (struct node){
			.right = i % WIDTH + 1 < WIDTH ? node + 1 : NULL,
			.below = i + WIDTH < NODES ? node + WIDTH : NULL,
			/* Not far: a graph that is all random has no use for a cache. */
			.short_cut = &nodes[(i + (random >> 40) % (2 * WIDTH)) % NODES],
		};
	}
}

static struct node *visit(struct node *node, const struct node *from, struct node *last)
{
	if (!node || node->steps)
		return last;
	node->steps = from->steps + 1;
	last->next = node;
	return node;
}

/* Breadth first. Returns how many nodes there are, and how far the farthest is. */
static size_t search(struct node *first, uint64_t *steps)
{
	struct node *last = first;
	size_t count = 0;

	first->steps = 1;
	for (struct node *node = first; node; node = node->next) {
		last = visit(node->right, node, last);
		last = visit(node->below, node, last);
		last = visit(node->short_cut, node, last);
		*steps = node->steps - 1;
		count++;
	}
	return count;
}

static vms_pool *open_pages(void)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_TRANSPARENT,
		.page_size = PAGE > (size_t)sysconf(_SC_PAGESIZE) ?
			PAGE : (size_t)sysconf(_SC_PAGESIZE),
		.ram = RAM,
	};
	char path[] = "/tmp/vmspace-graph-XXXXXX";
	const int fd = mkstemp(path);
	vms_pool *pool;

	if (fd < 0)
		return NULL;
	(void)unlink(path);
	pool = ftruncate(fd, (off_t)(NODES * sizeof(struct node))) == 0 ?
		vms_pool_open(fd, &options) : NULL;
	(void)close(fd);
	return pool;
}

int main(void)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };
	vms_pool *pool = open_pages();
	uint64_t steps = 0;
	struct node *nodes;
	size_t count;

	if (!pool) {
		perror("pool");
		return 1;
	}
	nodes = vms_pool_base(pool);
	link_nodes(nodes);
	count = search(nodes, &steps);
	if (vms_pool_get_stats(pool, &stats) != 0)
		return 1;
	printf("%zu nodes of %zu, the farthest %llu steps away; %llu faults, "
	       "%llu pages ahead of them, %zu of %zu bytes of RAM\n", count, NODES,
	       (unsigned long long)steps, (unsigned long long)stats.faults,
	       (unsigned long long)stats.read_ahead, stats.used, stats.ram);
	return vms_pool_close(pool) == 0 && count == NODES && stats.used <= RAM ? 0 : 1;
}
