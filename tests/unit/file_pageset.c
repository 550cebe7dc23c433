/* SPDX-License-Identifier: MIT */
#include "file/pageset.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../kernel/random.h"

/* Sets of pages, against an array with an entry a page. */

#define PAGES 20000u

static struct vmsi_pageset set;

static int open_set(void **state)
{
	(void)state;
	memset(&set, 0, sizeof(set));
	return vmsi_pageset_open(&set, PAGES);
}

static int close_set(void **state)
{
	(void)state;
	vmsi_pageset_close(&set);
	return 0;
}

static struct vmsi_page_run run_of(uint64_t first, uint64_t end)
{
	return (struct vmsi_page_run){ first, end };
}

static void an_empty_set_has_no_runs(void **state)
{
	struct vmsi_page_run run;

	(void)state;
	assert_false(vmsi_pageset_next(&set, 0, &run));
	assert_false(vmsi_pageset_has(&set, 0));
	assert_false(vmsi_pageset_has(&set, PAGES));
	assert_int_equal(vmsi_pageset_count(&set), 0);
}

static void the_last_page_is_found(void **state)
{
	struct vmsi_page_run run;

	(void)state;
	vmsi_pageset_add(&set, run_of(PAGES - 1, PAGES));
	assert_true(vmsi_pageset_next(&set, 0, &run));
	assert_int_equal(run.first, PAGES - 1);
	assert_int_equal(run.end, PAGES);
	assert_false(vmsi_pageset_next(&set, run.end, &run));
}

static void compare(const unsigned char *shadow)
{
	struct vmsi_page_run run = { 0, 0 };
	uint64_t at = 0, count = 0;

	while (vmsi_pageset_next(&set, run.end, &run)) {
		for (; at < run.first; at++)
			assert_false(shadow[at]);
		for (; at < run.end; at++, count++)
			assert_true(shadow[at]);
	}
	for (; at < PAGES; at++)
		assert_false(shadow[at]);
	assert_int_equal(count, vmsi_pageset_count(&set));
}

static void random_runs_are_as_in_an_array(void **state)
{
	static unsigned char shadow[PAGES];
	struct random random = { .state = 7 };

	(void)state;
	memset(shadow, 0, sizeof(shadow));
	for (int i = 0; i < 3000; i++) {
		const size_t first = random_below(&random, PAGES);
		const size_t most = random_below(&random, 4) ? 5 : 700;
		size_t end = first + random_below(&random, most);
		const int adds = random_below(&random, 2) == 0;

		if (end > PAGES)
			end = PAGES;
		if (adds)
			vmsi_pageset_add(&set, run_of(first, end));
		else
			vmsi_pageset_remove(&set, run_of(first, end));
		memset(shadow + first, adds, end - first);
		if (i % 50 == 0)
			compare(shadow);
	}
	compare(shadow);
}

static void *add_all_of_one_remainder(void *argument)
{
	for (uint64_t page = (uintptr_t)argument; page < PAGES; page += 4)
		vmsi_pageset_add(&set, run_of(page, page + 1));
	return NULL;
}

/* A walk that meets words on their way from empty to full loses none of them. */
static void pages_added_by_threads_are_all_found(void **state)
{
	static unsigned char shadow[PAGES];
	pthread_t threads[4];
	struct vmsi_page_run run;

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						add_all_of_one_remainder,
						(void *)i), 0);
	while (vmsi_pageset_count(&set) < PAGES)
		for (run.end = 0; vmsi_pageset_next(&set, run.end, &run);)
			;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	memset(shadow, 1, sizeof(shadow));
	compare(shadow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_set_has_no_runs,
						open_set, close_set),
		cmocka_unit_test_setup_teardown(the_last_page_is_found,
						open_set, close_set),
		cmocka_unit_test_setup_teardown(random_runs_are_as_in_an_array,
						open_set, close_set),
		cmocka_unit_test_setup_teardown(
			pages_added_by_threads_are_all_found, open_set,
			close_set),
	};

	return cmocka_run_group_tests_name("file_pageset", tests, NULL, NULL);
}
