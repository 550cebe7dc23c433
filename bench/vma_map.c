/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"
#include "vma/vma.h"

/*
 * The map of mappings alone: what an insert, a lookup, a gap search and an
 * erase cost at 10^3 to 10^6 mappings, in random order, and whether that grows
 * as log n.
 *
 *	bench-vma_map [--mappings MAX] [--repetitions N] [--seed N]
 *
 * The address range is cut into slots of 64 pages with a mapping of 1 to 63 in
 * each, so that gaps have many sizes and nothing merges. Each repetition takes
 * a tenth of the mappings out, puts them in again, and looks up and searches
 * as often; the map has 0.9 n to n mappings meanwhile.
 *
 * What is more than log n in the growth is the memory's: past the caches each
 * step down the tree waits for a read. The last line of each size tells what
 * one such read costs in as much memory as the mappings take.
 */

#define PAGE ((size_t)4096)
#define SLOT_PAGES 64
#define BASE ((uintptr_t)1 << 32)

enum operation { ERASE, INSERT, LOOKUP, FIND_GAP, READ, OPERATIONS };

static const char *const operation_names[OPERATIONS] = {
	[ERASE] = "erase",
	[INSERT] = "insert",
	[LOOKUP] = "lookup",
	[FIND_GAP] = "gap search",
	[READ] = "one random read",
};

static struct vmsi_map map;
static uint64_t random_state;
static uint32_t *order; /* the slots, shuffled */

/* As large as a mapping; next is the number of another, in one random cycle. */
static struct {
	uint32_t next;
	char rest[sizeof(struct vmsi_mapping) - sizeof(uint32_t)];
} *cells;
static uint32_t cell;

static void *get_chunk(void *context, size_t bytes)
{
	void *chunk = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)context;
	return chunk == MAP_FAILED ? NULL : chunk;
}

static void put_chunk(void *context, void *chunk, size_t bytes)
{
	(void)context;
	munmap(chunk, bytes);
}

static _Noreturn void give_up(const char *message)
{
	fprintf(stderr, "bench-vma_map: %s\n", message);
	exit(1);
}

/* The mapping of a slot; its length is a hash of the slot's number. */
static struct vmsi_range slot_range(uint32_t slot)
{
	uintptr_t start = BASE + slot * SLOT_PAGES * PAGE;
	size_t length = 1 + (slot * 2654435761u >> 16) % (SLOT_PAGES - 1);

	return (struct vmsi_range){ start, start + length * PAGE };
}

static void shuffle(size_t count)
{
	for (size_t i = 0; i < count; i++)
		order[i] = (uint32_t)i;
	for (size_t i = count - 1; i > 0; i--) {
		size_t j = bench_random(&random_state) % (i + 1);
		uint32_t slot = order[i];

		order[i] = order[j];
		order[j] = slot;
	}
}

static void insert_slot(uint32_t slot)
{
	static const struct vmsi_attributes attributes = {
		.prot = PROT_READ | PROT_WRITE,
		.flags = VMSI_ANONYMOUS,
		.page_shift = 12,
	};

	if (vmsi_map_reserve(&map, 1) != 0)
		give_up("no memory for a record");
	bench_use((uintptr_t)vmsi_map_insert(&map, slot_range(slot), 0,
					     &attributes));
}

static void erase_slot(uint32_t slot)
{
	if (vmsi_map_reserve(&map, 2) != 0)
		give_up("no memory for a record");
	vmsi_map_erase(&map, slot_range(slot));
}

static void look_up_slot(uint32_t slot)
{
	bench_use((uintptr_t)vmsi_map_lookup(&map, slot_range(slot).start));
}

/* A length that depends on the slot, so that searches end all over the index. */
static void search_for_slot(uint32_t slot)
{
	struct vmsi_range range = slot_range(slot);
	struct vmsi_gap_request request = {
		.length = vmsi_range_length(range),
		.alignment = PAGE,
		.end = slot & 1 ? VMSI_GAP_LOW : VMSI_GAP_HIGH,
	};
	uintptr_t start;

	if (vmsi_map_find_gap(&map, &request, &start) != 0)
		give_up("a gap was not found");
	bench_use(start);
}

static void link_cells(size_t count)
{
	for (size_t i = 0; i < count; i++)
		cells[order[i]].next = order[(i + 1) % count];
	cell = 0;
}

static void read_cell(uint32_t slot)
{
	(void)slot;
	cell = cells[cell].next;
	bench_use(cell);
}

/* Nanoseconds an operation, over a batch of slots. */
static double time_batch(void (*operation)(uint32_t slot),
			 const uint32_t *slots, size_t count)
{
	uint64_t start = bench_now();

	for (size_t i = 0; i < count; i++)
		operation(slots[i]);
	return (double)(bench_now() - start) / (double)count;
}

static void measure(size_t count, size_t repetitions,
		    double *samples[OPERATIONS])
{
	static void (*const operations[OPERATIONS])(uint32_t slot) = {
		[ERASE] = erase_slot,
		[INSERT] = insert_slot,
		[LOOKUP] = look_up_slot,
		[FIND_GAP] = search_for_slot,
		[READ] = read_cell,
	};
	size_t batch = count / 10;

	shuffle(count);
	link_cells(count);
	for (size_t i = 0; i < count; i++)
		insert_slot(order[i]);
	if (map.count != count)
		give_up("mappings have merged");
	for (size_t i = 0; i < repetitions; i++)
		for (int j = 0; j < OPERATIONS; j++)
			samples[j][i] = time_batch(operations[j],
						   order + i % 10 * batch, batch);
}

static void report(size_t count, size_t repetitions,
		   double *samples[OPERATIONS], double first[OPERATIONS])
{
	for (int i = 0; i < OPERATIONS; i++) {
		struct bench_summary summary =
			bench_summarise(samples[i], repetitions);
		double ratio = summary.median / log2((double)count);
		char label[64];

		if (first[i] == 0)
			first[i] = ratio;
		snprintf(label, sizeof(label), "%s at %zu mappings",
			 operation_names[i], count);
		bench_print_summary(label, "ns", summary);
		if (i == READ)
			continue;
		printf("%44s %12.2f ns / log2(n); %.2f times that at the first n\n",
		       "", ratio, ratio / first[i]);
	}
}

int main(int argc, char **argv)
{
	size_t most = bench_option(argc, argv, "mappings", 1000000);
	size_t repetitions = bench_option(argc, argv, "repetitions", 11);
	double *samples[OPERATIONS], first[OPERATIONS] = { 0 };

	random_state = bench_option(argc, argv, "seed", 1);
	if (most < 1000 || most > 100000000 || repetitions < 5 ||
	    repetitions > 100000)
		give_up("from 1000 to 10^8 mappings, from 5 to 10^5 repetitions");
	order = calloc(most, sizeof(*order));
	for (int i = 0; i < OPERATIONS; i++)
		if (!(samples[i] = calloc(repetitions, sizeof(*samples[i]))))
			give_up("no memory");
	cells = calloc(most, sizeof(*cells));
	if (!order || !cells)
		give_up("no memory");
	bench_print_header(argc, argv);
	for (size_t count = 1000; count <= most; count *= 10) {
		struct vmsi_range bounds = {
			BASE, BASE + count * SLOT_PAGES * PAGE,
		};
		struct vmsi_pool_source source = { get_chunk, put_chunk, NULL };

		vmsi_map_init(&map, bounds, 0, source);
		measure(count, repetitions, samples);
		report(count, repetitions, samples, first);
		vmsi_map_destroy(&map);
	}
	for (int i = 0; i < OPERATIONS; i++)
		free(samples[i]);
	free(cells);
	free(order);
	return 0;
}
