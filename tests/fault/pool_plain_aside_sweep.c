/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "../unit/plain_fixture.h"

#include "pool_aside_pages.h"
#include "pool_sweep.h"

/*
 * Every host call of touches of a pool whose pages are put aside is failed in turn, for each
 * engine. An access that fails is a SIGBUS and has changed nothing; made again, it works.
 */

#define CALLS_MAX 400
#define PAGES 130u
#define FLUSHED 10u
#define RAM ((size_t)1300 << 10)

static struct {
	const struct engine *engine;
	unsigned flags;
	int fd;
	vms_pool *pool;
	char *base;
	unsigned states[PAGES];
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
	fail_msg("%s, %s, flags %x, host call %u (%s, errno %d) failed, mode %d: %s",
		 scenario->name, run.engine->name, run.flags, run.plan.n,
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

static int load(uint64_t page)
{
	char *bytes = run.base + page * PAGE;

	if (signal_of(bytes, false) != 0)
		return -1;
	must_be_right(bytes, page);
	return 0;
}

/* Under a fix, so that no write is in the midst of it; with a number that is not committed. */
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

static int load_some(void)
{
	for (uint64_t page = 3; page < 40; page += 12)
		if (load(page) != 0)
			return -1;
	return 0;
}

/* What is stored to is pinned, so that no store meets a signal. */
static int store_some(void)
{
	for (uint64_t page = 2; page < 40; page += 12) {
		if (vms_pool_pin(run.pool, run.base + page * PAGE, PAGE,
				 VMS_POOL_WRITE) != 0)
			return -1;
		fill_mixed(run.base + page * PAGE, page, ++run.states[page]);
		if (vms_pool_unpin(run.pool, run.base + page * PAGE, PAGE) != 0)
			return -1;
	}
	return 0;
}

/* A word that has what it had: a fault of a store. */
static int store_same(uint64_t page)
{
	volatile uint64_t *word = (volatile uint64_t *)(uintptr_t)(run.base + page * PAGE);
	uint64_t bytes[PAGE / sizeof(uint64_t)];

	fill_mixed((char *)bytes, page, run.states[page]);
	if (sigsetjmp(after_signal, 1) != 0)
		return -1;
	*word = bytes[0];
	must_be_right(run.base + page * PAGE, page);
	return 0;
}

static int store_some_of_the_same(void)
{
	for (uint64_t page = 1; page < 40; page += 12)
		if (store_same(page) != 0)
			return -1;
	return 0;
}

static int scan(void)
{
	for (uint64_t page = 0; page < 20; page++)
		if (load(page) != 0)
			return -1;
	return 0;
}

static int prefetch(void)
{
	const uint64_t pages[] = { 4, 9, 14, 19 };

	return vms_pool_prefetch(run.pool, pages, 4) < 0 ? -1 : 0;
}

/* What is committed comes home. */
static int flush(uint64_t lsn)
{
	if (is_memory())
		return 0;
	if (vms_pool_durable(run.pool, lsn) != 0)
		return -1;
	return vms_pool_flush(run.pool, lsn, NULL, NULL);
}

/* The changes that came first are those whose pages are aside. */
static int flush_some(void)
{
	return flush(FLUSHED);
}

static const struct scenario of_memory[] = {
	{ "loads", load_some },
	{ "stores", store_some },
	{ "stores of the same", store_some_of_the_same },
	{ "a scan", scan },
	{ "prefetch", prefetch },
	{ NULL, NULL },
};

static const struct scenario of_transactions[] = {
	{ "stores of the same", store_some_of_the_same },
	{ "flush", flush_some },
	{ NULL, NULL },
};

/* --- the host ------------------------------------------------------------------------------- */

#define REFUSALS 5

static long (*failing_read)(int fd, void *buffer, size_t length);

/* What fails for ever does so a few times in a row. */
static long read_at_last(int fd, void *buffer, size_t length)
{
	static _Atomic unsigned refused;
	const long result = failing_read(fd, buffer, length);

	if (result >= 0) {
		atomic_store(&refused, 0);
		return result;
	}
	return atomic_fetch_add(&refused, 1) < REFUSALS ?
		result : fault_real.read(fd, buffer, length);
}

/* --- runs ------------------------------------------------------------------------------------ */

/* It is not the disk that is tested here, and each pool has a file of its own. */
static const char *swap_path = ".";

static void arrange(const struct place *place)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = run.flags | run.engine->flags,
		.page_size = PAGE,
		.ram = RAM,
		.pages = PAGES,
		.depth = 4,
		.swap_path = swap_path,
	};

	run.fd = is_memory() ? -1 : make_pages(place->path, PAGES);
	memset(run.states, 0, sizeof(run.states));
	run.lsn = 0;
	run.pool = open_by(run.engine, run.fd, &options);
	assert_non_null(run.pool);
	run.base = vms_pool_base(run.pool);
	assert_int_equal(vms_pool_grow(run.pool, PAGES), 0);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(change_page(page), 0);
}

/* Served, a page that could not come waits for a fix. */
static void must_have_all(const struct scenario *scenario)
{
	const struct vms_pool_stats stats = pool_stats(run.pool);

	if (stats.used > stats.ram)
		wrong(scenario, "it has more than its RAM");
	for (uint64_t page = 0; page < PAGES; page++) {
		if (!vms_pool_fix(run.pool, page, VMS_POOL_READ))
			wrong(scenario, "a page cannot be fixed");
		(void)vms_pool_unfix(run.pool, page);
		if (load(page) != 0)
			wrong(scenario, "a page cannot be loaded");
	}
}

static void must_come_home(const struct scenario *scenario)
{
	char bytes[PAGE];

	if (flush(run.lsn) != 0)
		wrong(scenario, "a flush fails");
	for (uint64_t page = 0; !is_memory() && page < PAGES; page++) {
		assert_int_equal(pread(run.fd, bytes, PAGE, (off_t)(page * PAGE)), PAGE);
		must_be_right(bytes, page);
	}
}

static bool fail_one(const struct scenario *scenario, const struct place *place)
{
	sigset_t mask;
	int result;

	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	arrange(place);
	sync_was_refused = false;
	fault_begin(&run.plan);
	result = scenario->act();
	run.result = fault_end();
	/* A host that does not let signals in again is none. */
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
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

/*
 * With the errno that is usual for a call; fault-swap and fault-pool_plain have the others.
 * What fails for ever, and transactions, are the same for all engines.
 */
static void sweep_scenario(const struct scenario *scenario, const struct place *place)
{
	const int last = run.engine == &engines[0] && is_memory() ? FAULT_FROM : FAULT_ONCE;

	for (int mode = FAULT_ONCE; mode <= last; mode++)
		for (unsigned n = 1; n < CALLS_MAX; n++) {
			run.plan = fault_plan_of(mode, FAULT_USUAL, n);
			if (!fail_one(scenario, place) && run.result.calls < n)
				break;
		}
}

static void sweep(unsigned flags, const struct scenario *scenarios,
		  const struct place *place)
{
	run.flags = flags;
	FOR_ENGINES(engine) {
		run.engine = engine;
		for (const struct scenario *one = scenarios; one->act; one++)
			sweep_scenario(one, place);
		if (!is_memory())
			break;
	}
}

static void memory(void **state)
{
	sweep(VMS_POOL_MEMORY, of_memory, *state);
}

static void no_steal(void **state)
{
	sweep(VMS_POOL_NO_STEAL, of_transactions, *state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(memory),
		file_test(no_steal),
	};
	int failed;

	if (access("/dev/shm", W_OK) == 0)
		swap_path = "/dev/shm";
	catch_signals();
	pool_sweep_install();
	/*
	 * Nor to wake somebody by a write, to send a signal, or, for ever, to give back what a
	 * pipe has.
	 */
	failing_read = vmsi_host.read;
	vmsi_host.read = read_at_last;
	vmsi_host.write = fault_real.write;
	vmsi_host.queue_signal = fault_real.queue_signal;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fault_remove();
	return failed;
}
