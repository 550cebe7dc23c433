/* SPDX-License-Identifier: MIT */
#include "space_fixture.h"

#include "../zero_page.h"

/* Each way to ask the kernel about the pages of a range gives the right answer. */

static struct vmsi_host_calls real;

static long has_no_scan(int fd, void *argument)
{
	(void)fd;
	(void)argument;
	return -ENOTTY;
}

static long cannot_open(const char *path)
{
	(void)path;
	return -EMFILE;
}

static struct vmsi_range range_of(const char *memory, size_t pages)
{
	return (struct vmsi_range){ (uintptr_t)memory,
				    (uintptr_t)memory + bytes(pages) };
}

static char *map_raw(size_t pages)
{
	char *memory = mmap(NULL, bytes(pages), RW, ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	madvise(memory, bytes(pages), MADV_NOHUGEPAGE);
	return memory;
}

static int remember_host(void **state)
{
	(void)state;
	real = vmsi_host;
	return 0;
}

static int restore_host(void **state)
{
	(void)state;
	vmsi_host = real;
	return 0;
}

/* Write to a few pages, among them the first and the last. */
static void expect_counts(void)
{
	char *memory = map_raw(1000);
	size_t resident = 1;

	assert_int_equal(vmsi_host_has_pages(range_of(memory, 1000)), 0);
	assert_int_equal(vmsi_host_resident(range_of(memory, 1000), &resident),
			 0);
	assert_int_equal(resident, 0);
	memory[0] = memory[bytes(10)] = memory[bytes(12)] = 1;
	memory[bytes(999)] = 1;
	assert_int_equal(vmsi_host_resident(range_of(memory, 1000), &resident),
			 0);
	assert_int_equal(resident, bytes(4));
	assert_int_equal(vmsi_host_has_pages(range_of(memory + bytes(1), 9)),
			 0);
	assert_int_equal(vmsi_host_has_pages(range_of(memory + bytes(1), 10)),
			 1);
	assert_int_equal(vmsi_host_has_pages(range_of(memory + bytes(999), 1)),
			 1);
	munmap(memory, bytes(1000));
}

static void pages_are_counted(void **state)
{
	(void)state;
	expect_counts();
}

static void pages_are_counted_without_pagemap_scan(void **state)
{
	(void)state;
	vmsi_host.pagemap_scan = has_no_scan;
	expect_counts();
}

/* These are more separate pages than one PAGEMAP_SCAN returns. */
static void every_second_page_is_counted(void **state)
{
	char *memory = map_raw(2000);
	size_t resident;

	(void)state;
	for (size_t i = 0; i < 2000; i += 2)
		memory[bytes(i)] = 1;
	assert_int_equal(vmsi_host_resident(range_of(memory, 2000), &resident),
			 0);
	assert_int_equal(resident, bytes(1000));
	vmsi_host.pagemap_scan = has_no_scan;
	assert_int_equal(vmsi_host_resident(range_of(memory, 2000), &resident),
			 0);
	assert_int_equal(resident, bytes(1000));
	munmap(memory, bytes(2000));
}

/*
 * A read maps the zero page that all processes share, or on hosts without one a page
 * of its own. Only PAGEMAP_SCAN can tell the two apart.
 */
static void a_page_that_was_only_read_is_told_from_its_own(void **state)
{
	char *memory = map_raw(4);
	long probe = real.open("/proc/self/pagemap");
	bool tells;

	(void)state;
	assert_true(probe >= 0);
	tells = real.pagemap_scan((int)probe, memory) != -ENOTTY;
	close((int)probe);
	assert_int_equal(*(volatile char *)memory, 0);
	assert_int_equal(vmsi_host_has_pages(range_of(memory, 4)),
			 !tells || read_brings_a_page());
	memory[bytes(3)] = 1;
	assert_int_equal(vmsi_host_has_pages(range_of(memory, 4)), 1);
	munmap(memory, bytes(4));
}

static void a_host_that_does_not_tell_is_taken_for_the_worst(void **state)
{
	char *memory = map_raw(4);
	size_t resident = 77;

	(void)state;
	vmsi_host.open = cannot_open;
	assert_int_equal(vmsi_host_has_pages(range_of(memory, 4)), 1);
	assert_int_equal(vmsi_host_resident(range_of(memory, 4), &resident),
			 -EMFILE);
	assert_int_equal(resident, 77);
	munmap(memory, bytes(4));
}

/* --- clearing -------------------------------------------------------------- */

static void write_every_seventh(char *memory, size_t pages)
{
	for (size_t i = 0; i < pages; i += 7)
		memset(memory + bytes(i), 0xff, bytes(1));
}

static void expect_zeroes(const char *memory, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (memory[i])
			fail_msg("byte %zu is not zero", i);
}

/* Clearing zeroes the pages that are there and brings in no others. */
static void expect_clearing(void)
{
	const size_t written = (2000 + 6) / 7;
	char *memory = map_raw(2000);
	size_t resident;

	write_every_seventh(memory, 2000);
	assert_true(vmsi_host_clear_pages(range_of(memory, 2000),
					  bytes(written)));
	assert_int_equal(vmsi_host_resident(range_of(memory, 2000), &resident),
			 0);
	assert_int_equal(resident, bytes(written));
	expect_zeroes(memory, bytes(2000));
	munmap(memory, bytes(2000));
}

static void pages_are_cleared(void **state)
{
	(void)state;
	expect_clearing();
}

static void pages_are_cleared_without_pagemap_scan(void **state)
{
	(void)state;
	vmsi_host.pagemap_scan = has_no_scan;
	expect_clearing();
}

static void more_pages_than_asked_for_are_not_cleared(void **state)
{
	char *memory = map_raw(2000);

	(void)state;
	write_every_seventh(memory, 2000);
	assert_false(vmsi_host_clear_pages(range_of(memory, 2000),
					   bytes(2000 / 7)));
	assert_int_equal(memory[bytes(1995)], (char)0xff);
	vmsi_host.open = cannot_open;
	assert_false(vmsi_host_clear_pages(range_of(memory, 2000),
					   bytes(2000)));
	munmap(memory, bytes(2000));
}

int main(void)
{
#define WITH_HOST(test) \
	cmocka_unit_test_setup_teardown(test, remember_host, restore_host)
	const struct CMUnitTest tests[] = {
		WITH_HOST(pages_are_counted),
		WITH_HOST(pages_are_counted_without_pagemap_scan),
		WITH_HOST(every_second_page_is_counted),
		WITH_HOST(a_page_that_was_only_read_is_told_from_its_own),
		WITH_HOST(a_host_that_does_not_tell_is_taken_for_the_worst),
		WITH_HOST(pages_are_cleared),
		WITH_HOST(pages_are_cleared_without_pagemap_scan),
		WITH_HOST(more_pages_than_asked_for_are_not_cleared),
	};

	return cmocka_run_group_tests_name("host_pages", tests, NULL, NULL);
}
