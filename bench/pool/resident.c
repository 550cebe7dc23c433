/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace.h>

#include "bench.h"
#include "rss.h"
#include "textbook.h"

/*
 * What it costs to use a page that is there: a load of plain memory, an optimistic read, a
 * fix and its unfix, in frames and at addresses of theirs; and the pool of textbooks.
 *
 *	bench-pool-resident [--pages NUMBER] [--operations NUMBER] [--repeats NUMBER]
 *
 * The words and the pages that are used fit into the caches, so that it is the calls that
 * are measured. And what it takes to open a pool of a tebibyte, and to close it again.
 */

#define PAGE ((size_t)4096)
#define KINDS 8
#define SAMPLES 101

static uint64_t pages, operations, repeats;
static char *plain;
static vms_pool *frames, *addressed;
static struct textbook *textbook;

/* Page after page, as the compiler cannot foresee. */
static inline uint64_t next_page(uint64_t page)
{
	return (page * 5 + 1) & (pages - 1);
}

static uint64_t load(const void *address)
{
	uint64_t word;

	memcpy(&word, address, sizeof(word));
	return word;
}

static uint64_t read_plain(void)
{
	uint64_t sum = 0, page = 0;

	for (uint64_t i = 0; i < operations; i++) {
		sum += load(plain + page * PAGE);
		page = next_page(page);
	}
	return sum;
}

static uint64_t read_optimistically(vms_pool *pool)
{
	uint64_t sum = 0, page = 0, ticket = 0;

	for (uint64_t i = 0; i < operations; i++) {
		const void *address;
		uint64_t word;

		do {
			address = vms_pool_begin(pool, page, &ticket);
			word = load(address);
		} while (!vms_pool_validate(pool, page, ticket));
		sum += word;
		page = next_page(page);
	}
	return sum;
}

static uint64_t fix(vms_pool *pool, enum vms_pool_mode mode)
{
	uint64_t sum = 0, page = 0;

	for (uint64_t i = 0; i < operations; i++) {
		sum += load(vms_pool_fix(pool, page, mode));
		(void)vms_pool_unfix(pool, page);
		page = next_page(page);
	}
	return sum;
}

static uint64_t fix_textbook(void)
{
	uint64_t sum = 0, page = 0;

	for (uint64_t i = 0; i < operations; i++) {
		sum += load(textbook_fix(textbook, page));
		textbook_unfix(textbook, page);
		page = next_page(page);
	}
	return sum;
}

static uint64_t measure(size_t kind)
{
	switch (kind) {
	case 0:
		return read_plain();
	case 1:
		return read_optimistically(addressed);
	case 2:
		return read_optimistically(frames);
	case 3:
		return fix(frames, VMS_POOL_READ);
	case 4:
		return fix(frames, VMS_POOL_WRITE);
	case 5:
		return fix(addressed, VMS_POOL_READ);
	case 6:
		return fix(addressed, VMS_POOL_WRITE);
	default:
		return fix_textbook();
	}
}

static const char *const names[KINDS] = {
	"plain load", "optimistic read, addressed", "optimistic read, frames",
	"fix for reading + unfix, frames", "fix for writing + unfix, frames",
	"fix for reading + unfix, addressed", "fix for writing + unfix, addressed",
	"textbook fix + unfix",
};

static size_t ram_of_each(void)
{
	return pages * PAGE * 2 + ((size_t)4 << 20);
}

static vms_pool *open_pool(int fd, unsigned flags)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
		.page_size = PAGE,
		.ram = ram_of_each(),
	};
	vms_pool *pool = vms_pool_open(fd, &options);

	if (!pool) {
		perror("vms_pool_open");
		exit(1);
	}
	return pool;
}

/* --- a large one ------------------------------------------------------------------------ */

#define TEBIBYTE ((uint64_t)1 << 40)

static double open_tebibyte(int fd, unsigned flags)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
		.ram = (size_t)64 << 20,
		.pages = TEBIBYTE / PAGE,
	};
	const uint64_t start = bench_now();
	vms_pool *pool = vms_pool_open(fd, &options);
	const uint64_t time = bench_now() - start;

	if (!pool || vms_pool_close(pool) != 0) {
		perror("a pool of a tebibyte");
		exit(1);
	}
	return (double)time / 1000;
}

static void measure_tebibyte(int fd, unsigned flags, const char *label)
{
	double samples[SAMPLES];

	for (uint64_t i = 0; i < repeats; i++)
		samples[i] = open_tebibyte(fd, flags);
	bench_print_summary(label, "us", bench_summarise(samples, repeats));
}

int main(int argc, char **argv)
{
	static double samples[KINDS][SAMPLES];
	uint64_t random = 1;
	struct rss rss;
	int fd;

	pages = bench_option(argc, argv, "pages", 64);
	operations = bench_option(argc, argv, "operations", 1000000);
	repeats = bench_option(argc, argv, "repeats", 9);
	bench_print_header(argc, argv);
	if (repeats > SAMPLES || (pages & (pages - 1)))
		bench_refuse(argv[0], "too many repeats, or pages is no power of two");
	fd = memfd_create("pages", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)(pages * PAGE)) != 0)
		return 1;
	plain = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(plain, 1, pages * PAGE);
	rss_begin(&rss);
	frames = open_pool(fd, 0);
	addressed = open_pool(fd, VMS_POOL_ADDRESSED);
	textbook = textbook_open(fd, PAGE, pages * PAGE * 2);
	for (uint64_t i = 0; i < repeats + 1; i++) {
		size_t order[KINDS];

		bench_order(order, KINDS, &random);
		for (size_t k = 0; k < KINDS; k++) {
			const uint64_t start = bench_now();

			bench_use(measure(order[k]));
			/* The first round warms up. */
			if (i > 0)
				samples[order[k]][i - 1] =
					(double)(bench_now() - start) /
					(double)operations;
		}
	}
	for (size_t k = 0; k < KINDS; k++)
		bench_print_summary(names[k], "ns", bench_summarise(samples[k], repeats));
	measure_tebibyte(fd, 0, "open, 1 TiB, frames");
	measure_tebibyte(fd, VMS_POOL_ADDRESSED, "open, 1 TiB, addressed");
	textbook_close(textbook);
	return vms_pool_close(frames) != 0 || vms_pool_close(addressed) != 0 ||
		rss_print("all pools together", rss_end(&rss), 2 * ram_of_each()) != 0;
}
