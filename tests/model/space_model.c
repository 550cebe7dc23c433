/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "../zero_page.h"
#include "space_operations.h"

/*
 * Random operations on a space with a small strict commit limit and on an
 * array of pages: the ledger refuses exactly when the array says, and both
 * hold the same. In every other round the limit is that of a budget.
 */

#define OPERATIONS_USUAL 60000
#define OPERATIONS_PER_ROUND 1500

struct arguments given = { .operations = OPERATIONS_USUAL };
struct space_model run;

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(run.last, sizeof run.last, format, arguments);
	va_end(arguments);
}

void wrong(const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	fail_msg("%s: %s (step %lu, --seed %llu)", run.last, text, run.step,
		 (unsigned long long)given.seed);
}

void expect(intptr_t got, intptr_t expected)
{
	if (got != expected)
		wrong("answered %zd, not %zd", (ssize_t)got, (ssize_t)expected);
	if (got == -ENOMEM)
		run.refused++;
}

intptr_t status(int result)
{
	return result == 0 ? 0 : -errno;
}

size_t some_page(void)
{
	size_t start = below(PLACES);

	for (size_t i = start; i < PLACES; i++)
		if (run.model.pages[i].mapped)
			return i;
	return start;
}

/* --- rounds -------------------------------------------------------------------------------- */

static void open_budget(void)
{
	const struct vms_budget_options options = {
		.struct_size = sizeof options,
		.limit = bytes(run.model.limit),
		.policy = VMS_COMMIT_STRICT,
	};

	run.budget = vms_budget_open(&options);
	assert_non_null(run.budget);
}

static void begin_round(void)
{
	struct vms_space_options options = {
		.struct_size = sizeof options,
		.commit_policy = VMS_COMMIT_STRICT,
		.placement = below(2) ? VMS_PLACE_TOP : VMS_PLACE_BOTTOM,
	};

	run.model.limit = 20 + below(150);
	options.commit_limit = bytes(run.model.limit);
	if (run.step / OPERATIONS_PER_ROUND % 2) {
		open_budget();
		options.budget = run.budget;
		options.commit_policy = VMS_COMMIT_ALWAYS;
	}
	run.space = vms_space_open(bytes(PAGES), &options);
	assert_non_null(run.space);
	run.base = vms_space_base(run.space);
}

static void end_round(void)
{
	pages_release(&run.model);
	assert_int_equal(run.model.charged, 0);
	assert_int_equal(vms_space_close(run.space), 0);
	if (run.budget)
		assert_int_equal(vms_budget_close(run.budget), 0);
	run.budget = NULL;
}

/*
 * PAGEMAP_SCAN (Linux 6.7) tells the zero page from a page of the mapping's own,
 * where the host has a zero page.
 */
static bool reads_touch(void)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool tells = pagemap >= 0 &&
		(ioctl(pagemap, _IOWR('f', 16, char[96]), NULL) == 0 ||
		 errno != ENOTTY);

	if (pagemap >= 0)
		(void)close(pagemap);
	if (!tells)
		print_message("# no PAGEMAP_SCAN: what is read counts as touched\n");
	else if (read_brings_a_page())
		print_message("# no zero page: what is read is touched\n");
	return !tells || read_brings_a_page();
}

static void ledger_and_contents(void **state)
{
	(void)state;
	run.reads_touch = reads_touch();
	run.page = (size_t)sysconf(_SC_PAGESIZE);
	run.random.state = given.seed;
	catch_faults();
	while (run.step < given.operations) {
		begin_round();
		for (int i = 0; i < OPERATIONS_PER_ROUND; i++) {
			operate();
			compare();
			if (i % 50 == 49)
				sweep();
		}
		end_round();
	}
	print_message("# %lu operations, %lu refused\n", run.step,
		      run.refused);
	/* A run without refusals has not tested the ledger. */
	assert_true(run.refused > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledger_and_contents),
	};

	read_arguments("space_model", argc, argv, &given);
	return cmocka_run_group_tests_name("space_model", tests, NULL, NULL);
}
