/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/mman.h>

#include "pool_fixture.h"

/*
 * Pages with an address of theirs are in huge pages if all of them fit, and only then; and
 * what leaves them when there is less RAM is gone.
 */

#define HUGE ((size_t)2 << 20)
#define PAGES ((uint64_t)(4 * HUGE / PAGE))

/* Bytes of a field in the part of smaps that is about an address. */
static size_t field_at(const void *address, const char *name)
{
	char line[512], format[64];
	size_t kib = 0;
	bool is_here = false;
	FILE *file = fopen("/proc/self/smaps", "re");

	assert_non_null(file);
	(void)snprintf(format, sizeof(format), "%s: %%zu kB", name);
	while (fgets(line, sizeof(line), file)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			is_here = (uintptr_t)address >= start &&
				(uintptr_t)address < end;
		else if (is_here && sscanf(line, format, &kib) == 1)
			break;
	}
	(void)fclose(file);
	return kib << 10;
}

/* Whether the host gives a huge page to who asks for it. */
static bool has_huge_pages(void)
{
	char *memory = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start = (char *)(((uintptr_t)memory + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
	bool answer;

	assert_true(memory != MAP_FAILED);
	(void)madvise(start, HUGE, MADV_HUGEPAGE);
	*(volatile char *)start = 1;
	answer = field_at(start, "AnonHugePages") == HUGE;
	assert_int_equal(munmap(memory, 2 * HUGE), 0);
	return answer;
}

static void *touch(vms_pool *pool, uint64_t page)
{
	void *address = vms_pool_fix(pool, page, VMS_POOL_READ);

	assert_non_null(address);
	assert_true(page_is(address, page, 0));
	worked(vms_pool_unfix(pool, page));
	return address;
}

static void what_fits_is_huge(void **state)
{
	const struct place *place = *state;
	const int fd = make_pages(place->path, PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_ADDRESSED, 8 * HUGE, 0);
	const size_t expected = has_huge_pages() ? HUGE : 0;
	size_t resident;
	char *first;

	first = touch(pool, 0);
	assert_int_equal(field_at(first, "AnonHugePages"), expected);
	for (uint64_t page = 1; page < PAGES; page++)
		assert_ptr_equal(touch(pool, page), first + page * PAGE);
	assert_int_equal(field_at(first, "Rss"), PAGES * PAGE);
	worked(vms_pool_set_ram(pool, 3 * HUGE));
	resident = field_at(first, "Rss");
	assert_in_range(resident, PAGE, 3 * HUGE);
	for (uint64_t page = 0; page < PAGES; page++)
		(void)touch(pool, page);
	assert_in_range(field_at(first, "Rss"), PAGE, 3 * HUGE);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void what_does_not_fit_is_not_huge(void **state)
{
	const struct place *place = *state;
	const int fd = make_pages(place->path, PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_ADDRESSED, 3 * HUGE, 0);
	const char *first = touch(pool, 0);

	assert_int_equal(field_at(first, "AnonHugePages"), 0);
	/* With some of the pool's records, which are in small pages, too. */
	assert_in_range(field_at(first, "Rss"), PAGE, HUGE / 4);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(what_fits_is_huge),
		file_test(what_does_not_fit_is_not_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
