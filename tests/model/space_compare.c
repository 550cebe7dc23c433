/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "space_operations.h"

#define ALL_EVERY 64  /* steps after which all pages are compared */

/* --- faults ------------------------------------------------------------------- */

static sigjmp_buf fault_return;

static void on_fault(int number)
{
	siglongjmp(fault_return, number);
}

void catch_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault,
				    .sa_flags = SA_NODEFER };

	(void)sigaction(SIGSEGV, &action, NULL);
	(void)sigaction(SIGBUS, &action, NULL);
}

int peek(size_t i)
{
	int number = sigsetjmp(fault_return, 0);

	return number != 0 ? -number : *(volatile unsigned char *)at(i);
}

int poke(size_t i, unsigned char byte)
{
	int number = sigsetjmp(fault_return, 0);

	if (number != 0)
		return -number;
	*(volatile unsigned char *)at(i) = byte;
	return 0;
}

/* --- comparison ------------------------------------------------------------------------ */

static void compare_budget(void)
{
	struct vms_budget_stats stats = { .struct_size = sizeof stats };

	assert_int_equal(vms_budget_get_stats(run.budget, &stats), 0);
	if (stats.committed != bytes(run.model.charged))
		wrong("%zu pages are charged to the budget, not %zu",
		      stats.committed / run.page, run.model.charged);
	if (stats.committed_peak > stats.limit)
		wrong("the budget was above its limit");
}

static void compare_charge(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof stats };

	assert_int_equal(vms_space_get_stats(run.space, &stats), 0);
	if (stats.committed != bytes(run.model.charged))
		wrong("%zu pages are charged, not %zu",
		      stats.committed / run.page, run.model.charged);
	if (stats.committed > stats.limit)
		wrong("the ledger is above its limit");
	if (run.budget)
		compare_budget();
}

static void compare_run(const struct vms_mapping_info *info, size_t start,
			size_t end)
{
	for (size_t i = start; i < end; i++) {
		const struct page *page = &run.model.pages[i];

		if (!page->mapped || page->prot != info->prot ||
		    (page->object != NULL) !=
			    !!(info->flags & VMS_MAPPING_SHARED))
			wrong("page %zu is not as listed", i);
		if (page->object == NULL && page->charged != !!info->committed)
			wrong("page %zu is listed with another charge", i);
		if (i + 1 < end && !pages_continue(&run.model, i))
			wrong("page %zu is listed together with the next", i);
	}
	if (end < PAGES && pages_continue(&run.model, end - 1))
		wrong("pages %zu and %zu are listed apart", end - 1, end);
}

static void compare_list(void)
{
	static struct vms_mapping_info info;
	size_t reached = 0;
	uintptr_t cursor = 0;

	info.struct_size = sizeof info;
	while (vms_space_next_mapping(run.space, &cursor, &info, 0) == 1) {
		size_t start = (info.start - (uintptr_t)run.base) / run.page;

		if (!pages_are_free(&run.model, reached, start - reached))
			wrong("a mapping before page %zu is not listed", start);
		reached = start + info.length / run.page;
		compare_run(&info, start, reached);
	}
	if (!pages_are_free(&run.model, reached, PAGES - reached))
		wrong("a mapping at the end is not listed");
}

static void compare_page(size_t i)
{
	struct page *page = &run.model.pages[i];
	int got = peek(i), expected = pages_peek(&run.model, i);

	if (got != expected)
		wrong("page %zu holds %d, not %d", i, got, expected);
	if (run.reads_touch && got >= 0 && !page->object)
		page->touched = true;
}

void compare(void)
{
	pages_spread_touched(&run.model);
	compare_charge();
	compare_list();
	for (int i = 0; i < 4; i++)
		compare_page(some_page());
	if (run.step % ALL_EVERY == 0)
		for (size_t i = 0; i < PAGES; i++)
			if (run.model.pages[i].mapped)
				compare_page(i);
	pages_spread_touched(&run.model);
}
