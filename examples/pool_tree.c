/* SPDX-License-Identifier: MIT */
/*
 * vmspace/pool.h: a B+-tree in one file, which may be far larger than the RAM that it is
 * given, with a log that is written ahead. Whoever kills it finds all that was durable.
 *
 *	pool_tree FILE put KEY VALUE | get KEY | fill COUNT | check
 *
 * Keys and values are numbers. One thread writes at a time, any number read, and these
 * fix nothing. fill says how many keys are durable, and check how many there are.
 *
 * The log has the changes of pages, not of keys: to add a record to a leaf, or the whole
 * page where it was split, or where it is the first change since the last checkpoint (a
 * page that the machine has written by half is mended so). A change that takes several
 * pages is one frame of the log, so that it is there whole or not at all.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>

#include <vmspace/pool.h>
#include "pool_log.h"

#define ROOM_OF_LOG (4u << 20) /* when the log is so long, a checkpoint makes it short */

/* --- pages ---------------------------------------------------------------------------- */

struct head {
	uint64_t lsn;          /* of the end of the frame that has its last change */
	uint64_t next;         /* of a leaf: the one to the right; 0: none */
	uint32_t level, count; /* level 0: a leaf */
};

/* Of a leaf: a key and its value. Above: the least key of a child, and its page. */
struct entry {
	uint64_t key, value;
};

#define ENTRIES ((PAGE - sizeof(struct head)) / sizeof(struct entry))

struct node {
	struct head head;
	struct entry entries[ENTRIES];
};

/* Page 0. */
struct root {
	struct head head;
	uint64_t page, used;   /* the root; pages from 0 on that have something, 0: no tree */
};

/* Where a key is, or would be put. A count may be read in the midst of a change. */
static uint32_t place_in(const struct node *node, uint64_t key)
{
	uint32_t low = 0, high = node->head.count < ENTRIES ? node->head.count : ENTRIES;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (node->entries[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct node *node, uint32_t place, uint64_t key)
{
	return place < ENTRIES && place < node->head.count &&
		node->entries[place].key == key;
}

/* The first child also has what is less than its key. */
static uint64_t child_of(const struct node *node, uint64_t key)
{
	const uint32_t place = place_in(node, key);

	return node->entries[place - (place > 0 && !is_at(node, place, key))].value;
}

static void put_in(struct node *node, struct entry entry)
{
	const uint32_t place = place_in(node, entry.key);

	if (!is_at(node, place, entry.key)) {
		memmove(&node->entries[place + 1], &node->entries[place],
			(node->head.count - place) * sizeof(entry));
		node->head.count++;
	}
	node->entries[place] = entry;
}

/* --- a tree ----------------------------------------------------------------------------- */

struct tree {
	vms_pool *pool;
	struct log log;
	/* The change that is being made: its pages are fixed until it is in the log. */
	struct { uint64_t page; struct head *head; } changes[MOST_CHANGES];
	size_t count;
};

static void *fix(struct tree *tree, uint64_t page, enum vms_pool_mode mode)
{
	void *address = vms_pool_fix(tree->pool, page, mode);

	if (!address)
		die("fix a page");
	return address;
}

static void unfix(struct tree *tree, uint64_t page)
{
	(void)vms_pool_unfix(tree->pool, page);
}

static void *note(struct tree *tree, uint64_t page, void *address)
{
	tree->changes[tree->count].page = page;
	tree->changes[tree->count++].head = address;
	return address;
}

/* A page to change. */
static void *change(struct tree *tree, uint64_t page)
{
	return note(tree, page, fix(tree, page, VMS_POOL_WRITE));
}

static void *change_new(struct tree *tree, struct root *root, uint64_t *page)
{
	void *address = vms_pool_allocate(tree->pool, page);

	if (!address)
		die("allocate a page");
	root->used = *page + 1;
	return note(tree, *page, address);
}

/*
 * Put the change into the log, and let go of its pages: they may be written after that.
 * put   the entry that was put into the only page; NULL: more has changed.
 */
static void finish_change(struct tree *tree, const struct entry *put)
{
	struct log *log = &tree->log;
	size_t bytes = PAGE;
	uint64_t lsn;

	pthread_mutex_lock(&log->lock);
	if (put && tree->changes[0].head->lsn > log->start)
		bytes = sizeof(*put);
	else
		put = NULL;
	lsn = begin_frame(log, tree->count * (sizeof(struct change) + bytes));
	for (size_t i = 0; i < tree->count; i++) {
		const struct change change = { tree->changes[i].page, bytes };

		tree->changes[i].head->lsn = lsn;
		add(log, &change, sizeof(change));
		add(log, put ? (const void *)put : tree->changes[i].head, bytes);
	}
	end_frame(log);
	pthread_mutex_unlock(&log->lock);
	while (tree->count > 0) {
		const uint64_t page = tree->changes[--tree->count].page;

		(void)vms_pool_dirty(tree->pool, page, lsn);
		unfix(tree, page);
	}
}

/* --- to look something up ------------------------------------------------------------------ */

static const void *begin(struct tree *tree, uint64_t page, uint64_t *ticket)
{
	const void *address = vms_pool_begin(tree->pool, page, ticket);

	/* A number that was read of a page in the midst of a change may be none. */
	if (!address && errno != ERANGE)
		die("read a page");
	return address;
}

enum answer { ABSENT, PRESENT, AGAIN };

/*
 * Go down without fixing anything. What is read is used only when the page was whole;
 * and it is still the child of its parent when that was, after the child was begun.
 */
static enum answer try_get(struct tree *tree, uint64_t key, uint64_t *value)
{
	uint64_t above = 0, page, ticket, ticket_above;
	const struct root *root = begin(tree, above, &ticket_above);
	const struct node *node;
	enum answer answer;
	uint32_t place;

	for (page = root->page;; page = child_of(node, key)) {
		if (!vms_pool_validate(tree->pool, above, ticket_above))
			return AGAIN;
		node = begin(tree, page, &ticket);
		if (!node || !vms_pool_validate(tree->pool, above, ticket_above))
			return AGAIN;
		if (node->head.level == 0)
			break;
		above = page;
		ticket_above = ticket;
	}
	place = place_in(node, key);
	answer = is_at(node, place, key) ? PRESENT : ABSENT;
	if (answer == PRESENT)
		*value = node->entries[place].value;
	return vms_pool_validate(tree->pool, page, ticket) ? answer : AGAIN;
}

static bool get(struct tree *tree, uint64_t key, uint64_t *value)
{
	enum answer answer;

	while ((answer = try_get(tree, key, value)) == AGAIN)
		;
	return answer == PRESENT;
}

/* --- to put something in --------------------------------------------------------------------- */

/* The right half goes to a page of its own. A root without a parent (0) gets one first. */
static void split(struct tree *tree, uint64_t parent, uint64_t page)
{
	struct root *root = change(tree, 0);
	struct node *above = parent ? change(tree, parent) :
				      change_new(tree, root, &root->page);
	struct node *from = change(tree, page), *to;
	uint64_t right;

	to = change_new(tree, root, &right);
	if (!parent) {
		above->head.level = from->head.level + 1;
		put_in(above, (struct entry){ 0, page });
	}
	to->head = from->head;
	to->head.count /= 2;
	from->head.count -= to->head.count;
	from->head.next = right;
	memcpy(to->entries, &from->entries[from->head.count],
	       to->head.count * sizeof(struct entry));
	put_in(above, (struct entry){ to->entries[0].key, right });
	finish_change(tree, NULL);
}

/* The leaf of a key, after each full page on the way was split. */
static uint64_t make_room(struct tree *tree, uint64_t key)
{
	const struct root *root = fix(tree, 0, VMS_POOL_READ);
	uint64_t parent = 0, page = root->page;

	unfix(tree, 0);
	for (;;) {
		const struct node *node = fix(tree, page, VMS_POOL_READ);
		const bool full = node->head.count == ENTRIES;
		const uint64_t next = node->head.level ? child_of(node, key) : 0;

		unfix(tree, page);
		if (full) {
			split(tree, parent, page);
			return make_room(tree, key);
		}
		if (!next)
			return page;
		parent = page;
		page = next;
	}
}

static void checkpoint(struct tree *tree)
{
	if (vms_pool_flush(tree->pool, VMS_POOL_ALL, NULL, NULL) != 0)
		die("write the pages");
	pthread_mutex_lock(&tree->log.lock);
	begin_log(&tree->log, tree->log.end);
	pthread_mutex_unlock(&tree->log.lock);
}

static void put(struct tree *tree, struct entry entry)
{
	struct node *leaf = change(tree, make_room(tree, entry.key));

	put_in(leaf, entry);
	finish_change(tree, &entry);
	if (tree->log.end - tree->log.start > ROOM_OF_LOG)
		checkpoint(tree);
}

/* --- recovery ---------------------------------------------------------------------------------- */

static void redo(struct tree *tree, const struct change *change, const void *bytes,
		 uint64_t lsn)
{
	struct head *head;

	if (vms_pool_pages(tree->pool) <= change->page &&
	    vms_pool_grow(tree->pool, change->page + 1) != 0)
		die("grow the file");
	head = fix(tree, change->page, VMS_POOL_WRITE);
	if (change->bytes == PAGE)
		memcpy(head, bytes, PAGE);
	else if (head->lsn < lsn)
		put_in((struct node *)head, *(const struct entry *)bytes), head->lsn = lsn;
	(void)vms_pool_dirty(tree->pool, change->page, lsn);
	unfix(tree, change->page);
}

/* What is behind the last whole frame was never acknowledged. */
static void recover(struct tree *tree)
{
	char *frame;

	while ((frame = read_frame(&tree->log)) != NULL) {
		const char *end = frame + ((struct frame *)frame)->bytes;
		const struct change *next = (struct change *)(frame + sizeof(struct frame));

		for (; (char *)next < end;
		     next = (const void *)((char *)(next + 1) + next->bytes))
			redo(tree, next, next + 1, tree->log.end);
		free(frame);
	}
	if (tree->log.end == 0 && lseek(tree->log.fd, 0, SEEK_END) != 0) {
		errno = EBADMSG;
		die("read the log");
	}
	checkpoint(tree);
}

/* Plant a tree where there is none. What is in no frame of the log is free. */
static void begin_tree(struct tree *tree)
{
	struct root *root = change(tree, 0);
	uint64_t used;

	if (root->used == 0) {
		(void)change(tree, 1);
		root->page = 1;
		root->used = 2;
	}
	used = root->used;
	finish_change(tree, NULL);
	for (; used < vms_pool_pages(tree->pool); used++)
		(void)vms_pool_free(tree->pool, used);
}

static void open_tree(struct tree *tree, const char *path, size_t ram)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options), .page_size = PAGE, .ram = ram,
		.pages = UINT64_C(1) << 24, .make_durable = make_durable,
		.context = &tree->log,
	};
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	char log_path[4096];

	*tree = (struct tree){ .log.lock = PTHREAD_MUTEX_INITIALIZER };
	snprintf(log_path, sizeof(log_path), "%s-log", path);
	tree->log.fd = open(log_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || tree->log.fd < 0)
		die(path);
	tree->pool = vms_pool_open(fd, &options);
	(void)close(fd);
	if (!tree->pool || (vms_pool_pages(tree->pool) < 2 && vms_pool_grow(tree->pool, 2) != 0))
		die("open the pool");
	recover(tree);
	begin_tree(tree);
}

/* --- the program ------------------------------------------------------------------------------- */

/* Numbers that seem random, each once. */
static uint64_t key_of(uint64_t i)
{
	i *= UINT64_C(0x9e3779b97f4a7c15);
	return i ^ i >> 32;
}

/* Go on to fill a tree until it has count keys, and say what is durable. */
static void fill(struct tree *tree, uint64_t count)
{
	uint64_t i, value;

	for (i = 0; get(tree, key_of(i), &value); i++)
		;
	while (i < count) {
		for (uint64_t to = i + 64; i < to && i < count; i++)
			put(tree, (struct entry){ key_of(i), i });
		(void)make_durable(&tree->log, tree->log.end);
		printf("%" PRIu64 "\n", i);
		fflush(stdout);
	}
}

/* A tree that was filled has the first so many keys, and nothing else. */
static void check(struct tree *tree)
{
	uint64_t count = 0, records = 0, value, last = 0;

	for (; get(tree, key_of(count), &value); count++)
		if (value != count)
			die("a wrong value");
	/* The first leaf is always the first one that there was. */
	for (uint64_t page = 1; page;) {
		const struct node *leaf = fix(tree, page, VMS_POOL_READ);
		const uint64_t next = leaf->head.next;

		for (uint32_t i = 0; i < leaf->head.count; i++, records++) {
			if (records > 0 && leaf->entries[i].key <= last)
				die("keys out of order");
			last = leaf->entries[i].key;
		}
		unfix(tree, page);
		page = next;
	}
	if (records != count)
		die("keys that were not put");
	printf("%" PRIu64 "\n", count);
}

int main(int argc, char **argv)
{
	const uint64_t key = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
	uint64_t value = argc > 4 ? strtoull(argv[4], NULL, 0) : 0;
	const char *what = argc > 2 ? argv[2] : "";
	struct tree tree;

	if (!*what)
		return fprintf(stderr, "usage: pool_tree FILE put|get|fill|check ...\n"), 2;
	open_tree(&tree, argv[1], 1u << 20);
	if (strcmp(what, "put") == 0)
		put(&tree, (struct entry){ key, value }); /* durable by the checkpoint below */
	else if (strcmp(what, "fill") == 0)
		fill(&tree, key);
	else if (strcmp(what, "check") == 0)
		check(&tree);
	else if (get(&tree, key, &value))
		printf("%" PRIu64 "\n", value);
	checkpoint(&tree);
	(void)vms_pool_close(tree.pool);
	free(tree.log.buffer);
	return 0;
}
