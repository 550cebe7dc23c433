/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../unit/chunks.h"
#include "arguments.h"
#include "vma/vma.h"
#include "vma_shadow.h"

/*
 * Random operations on a map of mappings and on a flat array of pages; both are
 * compared after each one.
 */

#define OPERATIONS_USUAL 400000
#define OPERATIONS_PER_ROUND 4000

static uint64_t random_state;
static struct arguments given = { .operations = OPERATIONS_USUAL };

/* splitmix64 */
static uint64_t random_bits(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t random_below(size_t limit)
{
	return random_bits() % limit;
}

/* A round has a map, its shadow, and a choice of operations. */
static struct {
	struct vmsi_map map;
	struct shadow shadow;
	struct chunks chunks;
	size_t length_max;  /* pages of a range */
	size_t kinds;       /* kinds of attributes; few of them merge often */
	unsigned long step;
	unsigned long refused;
} run;

static void check(const char *operation, const char *wrong)
{
	if (wrong)
		fail_msg("%s: %s (step %lu, --seed %llu)", operation, wrong,
			 run.step, (unsigned long long)given.seed);
}

static void check_all(const char *operation)
{
	check(operation, vmsi_map_check(&run.map));
	check(operation, shadow_compare(&run.shadow, &run.map));
}

static struct vmsi_attributes random_attributes(void)
{
	static const uint32_t flags[] = {
		VMSI_ANONYMOUS, VMSI_ANONYMOUS | VMSI_GROWSDOWN, VMSI_SHARED,
		VMSI_ANONYMOUS | VMSI_LOCKED, VMSI_ANONYMOUS | VMSI_GREW,
		VMSI_ANONYMOUS | VMSI_TOUCHED,
	};
	size_t kind = random_below(run.kinds);

	return (struct vmsi_attributes){
		.prot = kind & 1 ? PROT_READ : PROT_READ | PROT_WRITE,
		.flags = flags[random_below(6)],
		.object = (void *)(kind / 2 % 3 * 64),
		.name = (void *)(kind / 6 % 2 * 64),
		.page_shift = kind == 12 ? 21 : 12,
	};
}

static void random_range(size_t *first, size_t *end)
{
	*first = random_below(run.shadow.pages);
	*end = *first + 1 + random_below(run.length_max);
	if (*end > run.shadow.pages)
		*end = run.shadow.pages;
}

static struct vmsi_range range_of(size_t first, size_t end)
{
	return (struct vmsi_range){
		shadow_address(&run.shadow, first),
		shadow_address(&run.shadow, end),
	};
}

/* Reserve records; return false if there are none, and nothing has changed. */
static bool reserve(size_t count)
{
	int error = vmsi_map_reserve(&run.map, count);

	if (!error)
		return true;
	if (error != -ENOMEM || run.chunks.chunks_left)
		check("reserve", "it failed though there was memory");
	check_all("reserve");
	run.refused++;
	return false;
}

static void do_erase(void)
{
	size_t first, end;

	random_range(&first, &end);
	if (!reserve(2))
		return;
	vmsi_map_erase(&run.map, range_of(first, end));
	shadow_erase(&run.shadow, first, end);
	check_all("erase");
}

/* Insert a mapping at the first free pages above a random place. */
static void do_insert(void)
{
	struct vmsi_attributes attributes = random_attributes();
	size_t first, end, free_end;
	uint64_t offset;
	const struct vmsi_mapping *mapping;

	random_range(&first, &end);
	if (run.shadow.page[first].mapped)
		first = shadow_run_end(&run.shadow, first);
	if (first == run.shadow.pages || !reserve(1))
		return;
	free_end = shadow_run_end(&run.shadow, first);
	if (end <= first || random_below(4) == 0 || end > free_end)
		end = free_end;
	/* Often let the offset go on from the mapping before, so that both merge. */
	offset = first * SHADOW_PAGE + random_below(2) * 64 * SHADOW_PAGE;
	mapping = vmsi_map_insert(&run.map, range_of(first, end), offset,
				  &attributes);
	shadow_insert(&run.shadow, first, end, offset, &attributes);
	check_all("insert");
	if (mapping != vmsi_map_lookup(&run.map,
				       shadow_address(&run.shadow, first)))
		check("insert", "the answer is not what holds the range");
}

struct change {
	uint32_t set, clear; /* flags */
	uint32_t prot;
	enum { CHANGE_FLAGS, CHANGE_PROT, CHANGE_NAME } kind;
};

static void change_attributes(struct vmsi_attributes *attributes,
			      const void *context)
{
	const struct change *change = context;

	switch (change->kind) {
	case CHANGE_FLAGS:
		attributes->flags |= change->set;
		attributes->flags &= ~change->clear;
		break;
	case CHANGE_PROT:
		attributes->prot = change->prot;
		break;
	case CHANGE_NAME:
		attributes->name = (void *)(uintptr_t)(change->prot * 64);
		break;
	}
}

/* The pieces that an update must visit, in order. */
struct pieces {
	const struct change *change;
	size_t page, end;
	bool wrong;
};

static void change_piece(struct vmsi_mapping *piece, void *context)
{
	struct pieces *pieces = context;
	const struct shadow *shadow = &run.shadow;
	size_t piece_end;

	while (pieces->page < pieces->end && !shadow->page[pieces->page].mapped)
		pieces->page++;
	piece_end = pieces->page < pieces->end ?
		shadow_mapping_end(shadow, pieces->page) : pieces->page;
	if (piece_end > pieces->end)
		piece_end = pieces->end;
	pieces->wrong |= piece->start != shadow_address(shadow, pieces->page) ||
		piece->end != shadow_address(shadow, piece_end);
	pieces->page = piece_end;
	change_attributes(&piece->attributes, pieces->change);
}

static struct change random_change(void)
{
	static const uint32_t flags[] = {
		VMSI_LOCKED, VMSI_GREW, VMSI_TOUCHED, VMSI_GROWSDOWN,
	};
	struct change change = { .prot = (uint32_t)random_below(2) };
	uint32_t flag = flags[random_below(4)];

	change.kind = (unsigned)random_below(3);
	if (random_below(2))
		change.set = flag;
	else
		change.clear = flag;
	return change;
}

static void do_update(void)
{
	struct change change = random_change();
	struct pieces pieces = { .change = &change };

	random_range(&pieces.page, &pieces.end);
	if (!reserve(2))
		return;

	size_t first = pieces.page, end = pieces.end;

	vmsi_map_update(&run.map, range_of(first, end), change_piece, &pieces);
	if (pieces.wrong || (pieces.page < end && run.shadow.page[pieces.page].mapped))
		check("update", "it gave other pieces");
	while (pieces.page < end)
		if (run.shadow.page[pieces.page++].mapped)
			check("update", "it left a piece out");
	shadow_update(&run.shadow, first, end, change_attributes, &change);
	check_all("update");
}

static void do_find_gap(void)
{
	size_t alignment = (size_t)1 << random_below(6);
	struct vmsi_gap_request request = {
		.length = (1 + random_below(run.length_max)) * SHADOW_PAGE,
		.alignment = alignment * SHADOW_PAGE,
		.residue = random_below(alignment) * SHADOW_PAGE,
		.end = random_below(2) ? VMSI_GAP_LOW : VMSI_GAP_HIGH,
	};
	uintptr_t start = 0;
	int error = vmsi_map_find_gap(&run.map, &request, &start);

	check("find_gap", shadow_judge_gap(&run.shadow, &request, error, start));
}

static void do_largest_gap(void)
{
	struct vmsi_range gap = vmsi_map_largest_gap(&run.map);
	struct vmsi_gap_request request = {
		.length = vmsi_range_length(gap), .alignment = SHADOW_PAGE,
	};
	uintptr_t start = 0;

	if (!vmsi_map_is_free(&run.map, gap))
		check("largest_gap", "it is not free");
	if (request.length &&
	    vmsi_map_find_gap(&run.map, &request, &start) != 0)
		check("largest_gap", "a search does not find it");
	request.length += SHADOW_PAGE;
	check("largest_gap",
	      shadow_judge_gap(&run.shadow, &request, -ENOMEM, 0));
}

static void do_lookup(void)
{
	const struct shadow *shadow = &run.shadow;
	size_t page = random_below(shadow->pages);
	bool mapped = shadow->page[page].mapped;
	uintptr_t address = shadow_address(shadow, page) +
		random_below(SHADOW_PAGE);
	const struct vmsi_mapping *held = vmsi_map_lookup(&run.map, address);
	const struct vmsi_mapping *found = vmsi_map_find(&run.map, address);
	size_t next = mapped ? page : shadow_run_end(shadow, page);

	if ((held != NULL) != mapped ||
	    (held && (held->start > address || held->end <= address)))
		check("lookup", "it found something else");
	if (mapped ? found != held :
	    next == shadow->pages ? found != NULL :
	    !found || found->start != shadow_address(shadow, next))
		check("find", "it found something else");
}

static void do_ranges(void)
{
	const struct shadow *shadow = &run.shadow;
	size_t first, end, free_pages = 0;
	struct vmsi_range range;

	random_range(&first, &end);
	range = range_of(first, end);
	for (size_t i = first; i < end; i++)
		free_pages += !shadow->page[i].mapped;
	if (vmsi_map_is_free(&run.map, range) != (free_pages == end - first))
		check("is_free", "the answer is wrong");
}

static void open_round(size_t pages)
{
	struct vmsi_range bounds;

	memset(&run.shadow, 0, sizeof(run.shadow));
	run.shadow.base = (1 + random_below(1u << 20)) * SHADOW_PAGE;
	run.shadow.pages = pages;
	run.shadow.guard = random_below(6);
	run.length_max = 1 + random_below(random_below(4) ? 4 : 1 + pages / 4);
	run.kinds = 1 + random_below(13);
	run.refused = 0;
	bounds = range_of(0, pages);
	vmsi_map_init(&run.map, bounds, run.shadow.guard * SHADOW_PAGE,
		      chunks_source(&run.chunks));
	check_all("init");
}

static void close_round(void)
{
	vmsi_map_destroy(&run.map);
	if (run.chunks.live || run.chunks.wrong_put)
		check("destroy", "memory is not given back");
	memset(run.shadow.page, 0, sizeof(run.shadow.page));
	check_all("destroy");
}

/* Phases of a round fill the map and empty it. */
static void one_operation(bool filling)
{
	size_t choice = random_below(20);

	run.step++;
	if (choice < 7)
		filling ? do_insert() : do_erase();
	else if (choice < 9)
		filling ? do_erase() : do_insert();
	else if (choice < 13)
		do_update();
	else if (choice < 16)
		do_find_gap();
	else if (choice < 17)
		do_largest_gap();
	else if (choice < 19)
		do_lookup();
	else
		do_ranges();
}

static size_t random_pages(void)
{
	size_t sizes[] = { 8, 64, 300, SHADOW_PAGES_MAX };
	size_t size = sizes[random_below(4)];

	/* Small bounds are used too: in a full map every edge is near. */
	return size / 2 + 1 + random_below(size / 2);
}

static void random_operations_agree_with_a_page_array(void **state)
{
	unsigned long tide;

	(void)state;
	for (unsigned long done = 0; done < given.operations;) {
		open_round(random_pages());
		tide = 1 + random_below(OPERATIONS_PER_ROUND);
		for (unsigned long i = 0; i < OPERATIONS_PER_ROUND &&
		     done < given.operations; i++, done++)
			one_operation(i / tide % 2 == 0);
		close_round();
	}
}

/* Take records of the pool until so many are left; they are in no map. */
static void drain(struct vmsi_pool *pool, size_t left)
{
	while (pool->free_count > left)
		vmsi_pool_take(pool);
	pool->used_count = 0;
}

/* Leave the map so many records and their nodes, and no memory for more. */
static void drain_pools(size_t records)
{
	if (vmsi_map_reserve(&run.map, records))
		check("reserve", "it failed though there was memory");
	run.chunks.chunks_left = 0;
	drain(&run.map.pool, records);
	drain(&run.map.nodes, 2 * vmsi_tree_nodes_max(records + 1));
}

static void operations_without_memory_change_nothing(void **state)
{
	unsigned long refused = 0;

	(void)state;
	for (unsigned long done = 0; done < given.operations / 4;) {
		open_round(random_pages());
		drain_pools(random_below(random_below(2) ? 20 : 500));
		for (unsigned long i = 0; i < OPERATIONS_PER_ROUND &&
		     done < given.operations / 4; i++, done++)
			one_operation(i % 200 < 150);
		refused += run.refused;
		close_round();
	}
	if (given.operations >= OPERATIONS_USUAL && !refused)
		check("reserve", "it never failed, so nothing was tested");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_page_array),
		cmocka_unit_test(operations_without_memory_change_nothing),
	};

	read_arguments("vma_model", argc, argv, &given);
	random_state = given.seed;
	return cmocka_run_group_tests_name("vma_model", tests, NULL, NULL);
}
