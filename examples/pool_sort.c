/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmspace.h>

/*
 * A sort of more numbers than the memory that it may have: 32 MiB of them, and as much for
 * the result of each merge, in 8 MiB of RAM. What has no room is compressed, and then goes
 * to a swap file without a name, in the directory that is given, or in /var/tmp.
 */

#define PAGE ((size_t)16384)
#define PER_PAGE (PAGE / sizeof(uint64_t))
#define PAGES 2048u
#define RAM ((size_t)8 << 20)

static vms_pool *pool;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t *fix(uint64_t page, enum vms_pool_mode mode)
{
	uint64_t *numbers = vms_pool_fix(pool, page, mode);

	if (!numbers)
		fail("vms_pool_fix");
	return numbers;
}

static void unfix(uint64_t page)
{
	if (vms_pool_unfix(pool, page) != 0)
		fail("vms_pool_unfix");
}

static int compare(const void *a, const void *b)
{
	const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Numbers at random, each page sorted by itself. Returns the sum of all. */
static uint64_t make_runs(void)
{
	uint64_t sum = 0, x = 88172645463325252u;

	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t *numbers = fix(page, VMS_POOL_WRITE);

		for (size_t i = 0; i < PER_PAGE; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			numbers[i] = x >> 20;
			sum += numbers[i];
		}
		qsort(numbers, PER_PAGE, sizeof(*numbers), compare);
		unfix(page);
	}
	return sum;
}

/* Where a merge is in a run: one page of it is fixed. */
struct cursor {
	uint64_t page, end;
	size_t place;
	uint64_t *numbers;
};

static void begin(struct cursor *cursor, uint64_t page, uint64_t end,
		  enum vms_pool_mode mode)
{
	*cursor = (struct cursor){ .page = page, .end = end };
	cursor->numbers = page < end ? fix(page, mode) : NULL;
}

/* A page that is behind is not needed any more: those of the other half are next. */
static void advance(struct cursor *cursor, enum vms_pool_mode mode)
{
	if (++cursor->place < PER_PAGE)
		return;
	unfix(cursor->page);
	(void)vms_pool_hint(pool, cursor->page, VMS_POOL_DONE);
	begin(cursor, cursor->page + 1, cursor->end, mode);
}

static void merge(uint64_t first, uint64_t middle, uint64_t end, uint64_t target)
{
	struct cursor a, b, out;

	begin(&a, first, middle, VMS_POOL_READ);
	begin(&b, middle, end, VMS_POOL_READ);
	begin(&out, target, target + end - first, VMS_POOL_WRITE);
	while (out.numbers) {
		struct cursor *from = !b.numbers ? &a : !a.numbers ? &b :
			a.numbers[a.place] <= b.numbers[b.place] ? &a : &b;

		out.numbers[out.place] = from->numbers[from->place];
		advance(from, VMS_POOL_READ);
		advance(&out, VMS_POOL_WRITE);
	}
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Runs are merged from one half of the pool into the other and back. */
static uint64_t merge_all(void)
{
	uint64_t from = 0, to = PAGES;

	for (uint64_t length = 1; length < PAGES; length *= 2) {
		for (uint64_t page = 0; page < PAGES; page += 2 * length)
			merge(from + page, from + least(page + length, PAGES),
			      from + least(page + 2 * length, PAGES), to + page);
		to = from;
		from = PAGES - from;
	}
	return from;
}

static int is_sorted(uint64_t first, uint64_t sum)
{
	uint64_t last = 0;

	for (uint64_t page = first; page < first + PAGES; page++) {
		const uint64_t *numbers = fix(page, VMS_POOL_READ);

		for (size_t i = 0; i < PER_PAGE; i++) {
			if (numbers[i] < last)
				return 0;
			last = numbers[i];
			sum -= last;
		}
		unfix(page);
	}
	return sum == 0;
}

int main(int argc, char **argv)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_MEMORY,
		.page_size = PAGE,
		.ram = RAM,
		.pages = (uint64_t)2 * PAGES,
		.swap_path = argc > 1 ? argv[1] : "/var/tmp",
	};
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };
	uint64_t sum;

	pool = vms_pool_open(-1, &options);
	if (!pool)
		fail("vms_pool_open");
	if (vms_pool_grow(pool, options.pages) != 0)
		fail("vms_pool_grow");
	sum = make_runs();
	if (!is_sorted(merge_all(), sum)) {
		fprintf(stderr, "it is not sorted\n");
		return 1;
	}
	if (vms_pool_get_stats(pool, &stats) != 0)
		fail("vms_pool_get_stats");
	printf("%u numbers sorted in %zu MiB of RAM: %llu pages went aside, %llu came back\n",
	       (unsigned)(PAGES * PER_PAGE), RAM >> 20,
	       (unsigned long long)stats.pages_aside,
	       (unsigned long long)stats.misses);
	return vms_pool_close(pool) != 0;
}
