/* SPDX-License-Identifier: MIT */
#include "../unit/descriptors.h"
#include "../unit/pool_fixture.h"
#include "pool_aside_pages.h"
#include "pool_sweep.h"

/*
 * Every host call of operations on pools that put pages aside is failed in turn: once, and
 * from then on. An operation that fails leaves each page as it was; made again, it works.
 */

#define CALLS_MAX 400
#define PAGES 130u
#define RAM ((size_t)1250 << 10)
#define TOGETHER 6

static struct {
	const struct place *place;
	unsigned flags;
	int fd;
	vms_pool *pool;
	unsigned states[2 * PAGES];
	uint64_t lsn;
	struct fault_plan plan;
	struct fault_result result;
} run;

struct scenario {
	const char *name;
	int (*act)(void);
};

static void wrong(const struct scenario *scenario, const char *what)
{
	fail_msg("%s, flags %u, host call %u (%s, errno %d) failed, mode %d: %s",
		 scenario->name, run.flags, run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

static bool is_memory(void)
{
	return run.flags & VMS_POOL_MEMORY;
}

/* --- pages -------------------------------------------------------------------------------- */

static void must_be_right(const char *bytes, uint64_t page)
{
	must_be_mixed(bytes, page, run.states[page]);
}

static int read_page(uint64_t page)
{
	char *bytes = vms_pool_fix(run.pool, page, VMS_POOL_READ);

	if (!bytes)
		return -1;
	must_be_right(bytes, page);
	return vms_pool_unfix(run.pool, page);
}

static int change_page(uint64_t page)
{
	char *bytes = vms_pool_fix(run.pool, page, VMS_POOL_WRITE);

	if (!bytes)
		return -1;
	fill_mixed(bytes, page, ++run.states[page]);
	assert_int_equal(vms_pool_dirty(run.pool, page, ++run.lsn), 0);
	return vms_pool_unfix(run.pool, page);
}

/* --- operations ------------------------------------------------------------------------- */

static int read_some(void)
{
	for (uint64_t page = 3; page < 40; page += 12)
		if (read_page(page) != 0)
			return -1;
	return 0;
}

static int change_some(void)
{
	for (uint64_t page = 2; page < 40; page += 12)
		if (change_page(page) != 0)
			return -1;
	return 0;
}

static void choose(uint64_t *pages)
{
	for (unsigned i = 0; i < TOGETHER; i++)
		pages[i] = 4 + 5 * i;
}

static int fix_many(void)
{
	uint64_t pages[TOGETHER];
	void *addresses[TOGETHER];

	choose(pages);
	if (vms_pool_fix_many(run.pool, pages, addresses, TOGETHER, VMS_POOL_READ) != 0)
		return -1;
	for (unsigned i = 0; i < TOGETHER; i++)
		must_be_right(addresses[i], pages[i]);
	return vms_pool_unfix_many(run.pool, pages, TOGETHER);
}

static int prefetch(void)
{
	uint64_t pages[TOGETHER];

	choose(pages);
	return vms_pool_prefetch(run.pool, pages, TOGETHER) < 0 ? -1 : 0;
}

static int resize(void)
{
	if (vms_pool_set_ram(run.pool, 2 * RAM) != 0)
		return -1;
	for (uint64_t page = 0; page < PAGES; page += 9)
		if (read_page(page) != 0 || change_page(page) != 0)
			return -1;
	return vms_pool_set_ram(run.pool, RAM);
}

/* What is committed comes home. */
static int flush(void)
{
	if (is_memory())
		return 0;
	if (vms_pool_durable(run.pool, run.lsn) != 0)
		return -1;
	return vms_pool_flush(run.pool, run.lsn, NULL, NULL);
}

static const struct scenario scenarios[] = {
	{ "reads", read_some },
	{ "changes", change_some },
	{ "fixing many", fix_many },
	{ "prefetch", prefetch },
	{ "more RAM and less", resize },
	{ "flush", flush },
};

/* --- runs ------------------------------------------------------------------------------------ */

/* It is not the disk that is tested here, and each pool has a file of its own. */
static const char *swap_path = ".";

static vms_pool *open_pool(void)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = run.flags | VMS_POOL_NO_WRITER,
		.page_size = PAGE,
		.ram = RAM,
		.ram_most = 2 * RAM,
		.pages = 2 * PAGES,
		.depth = 4,
		.swap_path = swap_path,
	};

	return vms_pool_open(run.fd, &options);
}

/* All pages are changed, and not committed. */
static void arrange(void)
{
	run.fd = is_memory() ? -1 : make_pages(run.place->path, PAGES);
	memset(run.states, 0, sizeof(run.states));
	run.lsn = 0;
	run.pool = open_pool();
	assert_non_null(run.pool);
	assert_int_equal(vms_pool_grow(run.pool, PAGES), 0);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(change_page(page), 0);
}

static void must_have_all(const struct scenario *scenario)
{
	const struct vms_pool_stats stats = pool_stats(run.pool);

	if (stats.used > stats.ram)
		wrong(scenario, "it has more than its RAM");
	for (uint64_t page = 0; page < PAGES; page++)
		if (read_page(page) != 0)
			wrong(scenario, "a page cannot be fixed");
}

static void must_come_home(const struct scenario *scenario)
{
	char bytes[PAGE];

	if (flush() != 0)
		wrong(scenario, "a flush fails");
	for (uint64_t page = 0; !is_memory() && page < PAGES; page++) {
		assert_int_equal(pread(run.fd, bytes, PAGE, (off_t)(page * PAGE)), PAGE);
		must_be_right(bytes, page);
	}
}

static bool fail_one(const struct scenario *scenario)
{
	int result;

	arrange();
	errno = ERRNO_BEFORE;
	sync_was_refused = false;
	fault_begin(&run.plan);
	result = scenario->act();
	run.result = fault_end();
	if (result == 0 && errno != ERRNO_BEFORE)
		wrong(scenario, "it has changed errno");
	must_have_all(scenario);
	if (!sync_was_refused) {
		if (result != 0 && scenario->act() != 0)
			wrong(scenario, "made again, it does not work");
		must_come_home(scenario);
	}
	assert_int_equal(vms_pool_close(run.pool), 0);
	assert_true(run.fd < 0 || close(run.fd) == 0);
	(void)fault_sweep_refused(0, 0);
	return run.result.failed > 0;
}

/* With the errno that is usual for a call; fault-swap has the others. */
static void sweep_scenario(const struct scenario *scenario)
{
	for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
		for (unsigned n = 1; n < CALLS_MAX; n++) {
			run.plan = fault_plan_of(mode, FAULT_USUAL, n);
			if (!fail_one(scenario) && run.result.calls < n)
				break;
		}
}

static void sweep(unsigned flags, void **state)
{
	run.place = *state;
	run.flags = flags;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		sweep_scenario(&scenarios[i]);
}

static void memory(void **state)
{
	sweep(VMS_POOL_MEMORY, state);
}

static void memory_addressed(void **state)
{
	sweep(VMS_POOL_MEMORY | VMS_POOL_ADDRESSED, state);
}

static void no_steal(void **state)
{
	sweep(VMS_POOL_NO_STEAL, state);
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool fail_opening(void)
{
	const size_t before = descriptors();

	fault_begin(&run.plan);
	run.pool = open_pool();
	run.result = fault_end();
	if (run.pool)
		assert_int_equal(vms_pool_close(run.pool), 0);
	if (descriptors() != before)
		fail_msg("open, call %u (%s): a descriptor is left", run.plan.n,
			 fault_call_name(run.result.call));
	(void)fault_sweep_refused(0, 0);
	return run.result.failed > 0;
}

static void opening(void **state)
{
	run.place = *state;
	run.flags = VMS_POOL_MEMORY;
	run.fd = -1;
	for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
		for (int which = 0; which < FAULT_ERRNOS_SWEPT; which++)
			for (unsigned n = 1; n < CALLS_MAX; n++) {
				run.plan = fault_plan_of(mode, which, n);
				if (!fail_opening())
					break;
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(memory),
		file_test(memory_addressed),
		file_test(no_steal),
		file_test(opening),
	};
	int failed;

	if (access("/dev/shm", W_OK) == 0)
		swap_path = "/dev/shm";
	pool_sweep_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fault_remove();
	return failed;
}
