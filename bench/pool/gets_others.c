/* SPDX-License-Identifier: MIT */
#include "gets_node.h"

#include <unistd.h>

#include "textbook.h"
#include "vmcache.h"

/* The tree in pools that are written for comparison. */

static struct textbook *textbook;
static struct vmcache *vmcache;
static uint64_t root;
static int tree;

/* --- a pool as textbooks have it ------------------------------------------------------------ */

static void open_textbook(size_t ram)
{
	root = root_page();
	tree = gets_open_tree();
	textbook = textbook_open(tree, PAGE, ram);
}

static void close_textbook(void)
{
	textbook_close(textbook);
	(void)close(tree);
}

INLINE const struct node *fix(void *store, uint64_t page)
{
	const struct node *node = textbook_fix(store, page);

	if (!node)
		gets_fail("textbook_fix");
	return node;
}

INLINE void unfix(void *store, uint64_t page)
{
	textbook_unfix(store, page);
}

static void get_textbook(uint64_t key, void *value)
{
	look_up_fixing(textbook, root, key, value, fix, unfix);
}

/* --- a pool as vmcache is one ---------------------------------------------------------------- */

static void open_vmcache(size_t ram)
{
	root = root_page();
	tree = gets_open_tree();
	vmcache = vmcache_open(tree, gets_tree_size() / PAGE, ram);
}

static void close_vmcache(void)
{
	vmcache_close(vmcache);
	(void)close(tree);
}

INLINE const struct node *begin(void *store, uint64_t page, uint64_t *ticket)
{
	return vmcache_begin(store, page, ticket);
}

INLINE bool validate(void *store, uint64_t page, uint64_t ticket)
{
	return vmcache_validate(store, page, ticket);
}

static void get_vmcache(uint64_t key, void *value)
{
	look_up(vmcache, root, key, value, begin, validate);
}

const struct contender gets_textbook = {
	"textbook pool", "tree", true, false, NULL, open_textbook, get_textbook, close_textbook,
};
const struct contender gets_vmcache = {
	"vmcache-like pool", "tree", true, false, NULL, open_vmcache, get_vmcache, close_vmcache,
};
