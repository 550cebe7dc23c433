/* SPDX-License-Identifier: MIT */
#include "../unit/descriptors.h"
#include "../unit/pool_fixture.h"
#include "pool_sweep.h"

/*
 * Every host call of every operation on a pool is failed in turn: once, and from then on.
 * An operation that fails leaves each page as it was, in the pool or in the file; made
 * again, it works. Only a file that could not be synced stays broken.
 */

#define CALLS_MAX 400
#define PAGES 96
#define RAM ((size_t)700 << 10)
#define TOGETHER 6

static struct {
	const struct place *place;
	unsigned flags;
	uint64_t pages;       /* that there may be */
	int fd;
	vms_pool *pool;
	unsigned states[PAGES];
	struct fault_plan plan;
	struct fault_result result;
} run;

struct scenario {
	const char *name;
	unsigned dirty;       /* pages that are changed before */
	int (*act)(void);
};

static void wrong(const struct scenario *scenario, const char *what)
{
	fail_msg("%s, flags %u, host call %u (%s, errno %d) failed, mode %d: %s",
		 scenario->name, run.flags, run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

/* --- operations ------------------------------------------------------------------------- */

static int fix(uint64_t page, enum vms_pool_mode mode)
{
	char *bytes = vms_pool_fix(run.pool, page, mode);

	if (!bytes)
		return -1;
	if (!page_is(bytes, page, run.states[page]))
		fail_msg("page %u is not as it was", (unsigned)page);
	if (mode == VMS_POOL_WRITE)
		fill_page(bytes, page, ++run.states[page]);
	return vms_pool_unfix(run.pool, page);
}

static int read_one(void)
{
	return fix(90, VMS_POOL_READ);
}

static int write_one(void)
{
	return fix(91, VMS_POOL_WRITE);
}

static int begin_one(void)
{
	uint64_t ticket;

	return vms_pool_begin(run.pool, 92, &ticket) ? 0 : -1;
}

static int fix_many(void)
{
	const uint64_t pages[TOGETHER] = { 95, 80, 3, 81, 90, 83 };
	void *addresses[TOGETHER];

	if (vms_pool_fix_many(run.pool, pages, addresses, TOGETHER, VMS_POOL_READ) != 0)
		return -1;
	for (size_t i = 0; i < TOGETHER; i++)
		if (!page_is(addresses[i], pages[i], run.states[pages[i]]))
			fail_msg("page %u is not as it was", (unsigned)pages[i]);
	return vms_pool_unfix_many(run.pool, pages, TOGETHER);
}

static int prefetch(void)
{
	const uint64_t pages[TOGETHER] = { 95, 80, 3, 81, 90, 83 };

	return vms_pool_prefetch(run.pool, pages, TOGETHER) < 0 ? -1 : 0;
}

static int flush(void)
{
	return vms_pool_flush(run.pool, VMS_POOL_ALL, NULL, NULL);
}

static int grow(void)
{
	return vms_pool_grow(run.pool, 2 * PAGES);
}

static int allocate(void)
{
	uint64_t page;
	char *bytes = vms_pool_allocate(run.pool, &page);

	if (!bytes)
		return -1;
	if (page < PAGES || !page_is_zero(bytes))
		fail_msg("page %u is not a new one", (unsigned)page);
	(void)vms_pool_unfix(run.pool, page);
	/* Free again, as far as the host lets it. */
	return vms_pool_free(run.pool, page);
}

static int shrink(void)
{
	return vms_pool_set_ram(run.pool, RAM - 10 * PAGE);
}

/* Where there are no more pages than there is room for. */
static int shrink_dense(void)
{
	return shrink();
}

static int enlarge(void)
{
	return vms_pool_set_ram(run.pool, 2 * RAM);
}

static const struct scenario scenarios[] = {
	{ "a read", 0, read_one },
	{ "a read that needs a write", PAGES, read_one },
	{ "a write", 5, write_one },
	{ "a write that needs a write", PAGES, write_one },
	{ "a read without a fix", 0, begin_one },
	{ "fixing many", 10, fix_many },
	{ "fixing many that need a write", PAGES, fix_many },
	{ "prefetch", 10, prefetch },
	{ "flush", 40, flush },
	{ "growth", 5, grow },
	{ "allocating and freeing", 10, allocate },
	{ "less RAM", 20, shrink },
	{ "less RAM that needs a write", PAGES, shrink },
	{ "less RAM where all pages fit", 20, shrink_dense },
	{ "more RAM", 20, enlarge },
};

/* --- runs ------------------------------------------------------------------------------------ */

static vms_pool *open_pool(void)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = run.flags | VMS_POOL_NO_WRITER,
		.page_size = PAGE,
		.ram = RAM,
		.ram_most = 2 * RAM,
		.pages = run.pages,
		.depth = 4,
	};

	return vms_pool_open(run.fd, &options);
}

static void arrange(const struct scenario *scenario)
{
	run.fd = make_pages(run.place->path, PAGES);
	memset(run.states, 0, sizeof(run.states));
	run.pages = scenario->act == shrink_dense ? PAGES : 4 * PAGES;
	run.pool = open_pool();
	assert_non_null(run.pool);
	if (scenario->act == shrink_dense)
		assert_int_equal(pool_stats(run.pool).slots, PAGES);
	/* What the scenarios use last is not there. */
	for (uint64_t page = 0; page < 80; page++)
		assert_int_equal(fix(page, page < scenario->dirty ? VMS_POOL_WRITE :
					     VMS_POOL_READ), 0);
}

static void clear(void)
{
	assert_int_equal(vms_pool_close(run.pool), 0);
	assert_int_equal(close(run.fd), 0);
}

static void must_have_all(const struct scenario *scenario)
{
	const struct vms_pool_stats stats = pool_stats(run.pool);

	if (stats.resident > stats.slots || stats.used > stats.ram)
		wrong(scenario, "it has more than its RAM");
	for (uint64_t page = 0; page < PAGES; page++)
		if (fix(page, VMS_POOL_READ) != 0)
			wrong(scenario, "a page cannot be fixed");
}

static void must_be_in_file(const struct scenario *scenario)
{
	if (flush() != 0)
		wrong(scenario, "a flush fails");
	for (uint64_t page = 0; page < PAGES; page++)
		if (state_in_file(run.place->path, page) != (int)run.states[page])
			wrong(scenario, "the file has something else");
}

static bool fail_one(const struct scenario *scenario)
{
	int result;

	arrange(scenario);
	errno = ERRNO_BEFORE;
	sync_was_refused = false;
	fault_begin(&run.plan);
	result = scenario->act();
	run.result = fault_end();
	if (result == 0 && errno != ERRNO_BEFORE)
		wrong(scenario, "it has changed errno");
	if (sync_was_refused) {
		if (flush() == 0 || errno != EIO)
			wrong(scenario, "a file that could not be synced is not broken");
	} else {
		must_have_all(scenario);
		if (result != 0 && scenario->act != allocate && scenario->act() != 0)
			wrong(scenario, "made again, it does not work");
		must_be_in_file(scenario);
	}
	clear();
	(void)fault_sweep_refused(0, 0);
	return run.result.failed > 0;
}

static void sweep_scenario(const struct scenario *scenario)
{
	for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
		for (int which = 0; which < FAULT_ERRNOS_SWEPT; which++)
			for (unsigned n = 1; n < CALLS_MAX; n++) {
				run.plan = fault_plan_of(mode, which, n);
				if (!fail_one(scenario) && run.result.calls < n)
					break;
			}
}

static void sweep(void **state)
{
	run.place = *state;
	for (run.flags = 0; run.flags <= VMS_POOL_ADDRESSED; run.flags++)
		for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
			sweep_scenario(&scenarios[i]);
}

/* --- opening and closing ---------------------------------------------------------------------- */

static bool fail_opening(void)
{
	const size_t before = descriptors();

	fault_begin(&run.plan);
	run.pool = open_pool();
	run.result = fault_end();
	if (run.pool) {
		must_be(run.pool, 5, 0);
		assert_int_equal(vms_pool_close(run.pool), 0);
	}
	if (descriptors() != before)
		fail_msg("open, call %u (%s): a descriptor is left", run.plan.n,
			 fault_call_name(run.result.call));
	(void)fault_sweep_refused(0, 0);
	return run.result.failed > 0;
}

static void opening(void **state)
{
	run.place = *state;
	run.flags = 0;
	run.pages = 4 * PAGES;
	run.fd = make_pages(run.place->path, PAGES);
	for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
		for (int which = 0; which < FAULT_ERRNOS_SWEPT; which++)
			for (unsigned n = 1; n < CALLS_MAX; n++) {
				run.plan = fault_plan_of(mode, which, n);
				if (!fail_opening())
					break;
			}
	assert_int_equal(close(run.fd), 0);
}

static void closing(void **state)
{
	run.place = *state;
	run.flags = 0;
	run.pages = 4 * PAGES;
	run.fd = make_pages(run.place->path, PAGES);
	for (unsigned n = 1; n < CALLS_MAX; n++) {
		const size_t before = descriptors();
		int result;

		run.plan = (struct fault_plan){ .mode = FAULT_ONCE, .n = n };
		run.pool = open_pool();
		assert_non_null(run.pool);
		fault_begin(&run.plan);
		result = vms_pool_close(run.pool);
		run.result = fault_end();
		if (result != 0) {
			refused_null(vms_pool_fix(run.pool, 1, VMS_POOL_READ), EBADF);
			assert_int_equal(vms_pool_close(run.pool), 0);
		}
		assert_int_equal(descriptors(), before);
		(void)fault_sweep_refused(0, 0);
		if (!run.result.failed)
			break;
	}
	assert_int_equal(close(run.fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(sweep),
		file_test(opening),
		file_test(closing),
	};
	int failed;

	pool_sweep_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fault_remove();
	return failed;
}
