/* SPDX-License-Identifier: MIT */
#include "gets_node.h"

#include <unistd.h>

#include <vmspace/pool.h>

/* The tree in a vms_pool. */

static vms_pool *pool;
static uint64_t root;

static void open_pool(size_t ram, unsigned flags)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags | (gets_data.is_direct ? VMS_POOL_DIRECT : 0),
		.page_size = PAGE,
		.ram = ram,
	};
	const int fd = gets_open_tree();

	root = root_page();
	pool = vms_pool_open(fd, &options);
	if (!pool)
		gets_fail("vms_pool_open");
	(void)close(fd);
}

static void open_frames(size_t ram)
{
	open_pool(ram, 0);
}

static void open_addressed(size_t ram)
{
	open_pool(ram, VMS_POOL_ADDRESSED);
}

static void close_pool(void)
{
	if (vms_pool_close(pool) != 0)
		gets_fail("vms_pool_close");
}

INLINE const struct node *begin(void *store, uint64_t page, uint64_t *ticket)
{
	const struct node *node = vms_pool_begin(store, page, ticket);

	if (!node)
		gets_fail("vms_pool_begin");
	return node;
}

INLINE bool validate(void *store, uint64_t page, uint64_t ticket)
{
	return vms_pool_validate(store, page, ticket);
}

static void get(uint64_t key, void *value)
{
	look_up(pool, root, key, value, begin, validate);
}

INLINE const struct node *fix(void *store, uint64_t page)
{
	const struct node *node = vms_pool_fix(store, page, VMS_POOL_READ);

	if (!node)
		gets_fail("vms_pool_fix");
	return node;
}

INLINE void unfix(void *store, uint64_t page)
{
	(void)vms_pool_unfix(store, page);
}

static void get_fixing(uint64_t key, void *value)
{
	look_up_fixing(pool, root, key, value, fix, unfix);
}

const struct contender gets_frames = {
	"vms_pool, frames", "tree", true, true, NULL, open_frames, get, close_pool,
};
const struct contender gets_addressed = {
	"vms_pool, addressed", "tree", true, true, NULL, open_addressed, get, close_pool,
};
const struct contender gets_fix = {
	"vms_pool, frames, fixing", "tree", true, true, NULL, open_frames, get_fixing, close_pool,
};
