/* SPDX-License-Identifier: MIT */
#include "../unit/descriptors.h"
#include "../unit/plain_fixture.h"

#include "pool_sweep.h"

/*
 * Every host call of a touch, and of what goes with plain pointers, is failed in turn, for
 * each engine. An access that fails is a SIGBUS and has changed nothing; made again, it
 * works. Words that were stored are in the pool, and after a flush in the file.
 */

#define CALLS_MAX 400
#define PAGES 96
#define THERE 70          /* pages that are touched before */
#define RAM ((size_t)700 << 10)

static struct {
	const struct engine *engine;
	int fd;
	vms_pool *pool;
	char *base;
	uint64_t words[PAGES];     /* the first word of each page */
	struct fault_plan plan;
	struct fault_result result;
} run;

struct scenario {
	const char *name;
	unsigned stored;      /* pages that are stored to before */
	int (*act)(void);
};

static void wrong(const struct scenario *scenario, const char *what)
{
	fail_msg("%s, %s, host call %u (%s, errno %d) failed, mode %d: %s", scenario->name,
		 run.engine->name, run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

/* --- operations ---------------------------------------------------------------------- */

static volatile uint64_t *word_at(uint64_t page)
{
	return (volatile uint64_t *)(run.base + page * PAGE);
}

/* -1: it was a signal. */
static int load(uint64_t page)
{
	volatile uint64_t value = 0;

	if (sigsetjmp(after_signal, 1) != 0)
		return -1;
	value = *word_at(page);
	if (value != run.words[page])
		fail_msg("page %u is not as it was: %llx", (unsigned)page,
			 (unsigned long long)value);
	return 0;
}

static int store(uint64_t page)
{
	if (sigsetjmp(after_signal, 1) != 0)
		return -1;
	*word_at(page) = run.words[page] + 1;
	run.words[page]++;
	return 0;
}

static int load_one(void)
{
	return load(94);
}

static int store_one(void)
{
	return store(92);
}

/* It is there, and protected. */
static int store_loaded(void)
{
	return load(93) == 0 ? store(93) : -1;
}

static int scan(void)
{
	for (uint64_t page = THERE; page < PAGES; page++)
		if (load(page) != 0)
			return -1;
	return 0;
}

static int flush(void)
{
	return vms_pool_flush(run.pool, VMS_POOL_ALL, NULL, NULL);
}

static int store_and_flush(void)
{
	if (store(3) != 0 || flush() != 0)
		return -1;
	return store(3);
}

static int pin(void)
{
	if (vms_pool_pin(run.pool, run.base + 80 * PAGE, 4 * PAGE, VMS_POOL_WRITE) != 0)
		return -1;
	return vms_pool_unpin(run.pool, run.base + 80 * PAGE, 4 * PAGE);
}

static int fix(void)
{
	if (!vms_pool_fix(run.pool, 85, VMS_POOL_WRITE))
		return -1;
	*word_at(85) = ++run.words[85];
	return vms_pool_unfix(run.pool, 85);
}

static int shrink(void)
{
	return vms_pool_set_ram(run.pool, RAM - 10 * PAGE);
}

static const struct scenario scenarios[] = {
	{ "a load", 0, load_one },
	{ "a load that needs a write", PAGES, load_one },
	{ "a store", 0, store_one },
	{ "a store that needs a write", PAGES, store_one },
	{ "a store to what is there", 0, store_loaded },
	{ "a scan", 0, scan },
	{ "a flush", 30, flush },
	{ "stores around a flush", 5, store_and_flush },
	{ "a pin", 5, pin },
	{ "a fix", 5, fix },
	{ "less RAM", 20, shrink },
};

/* --- runs ------------------------------------------------------------------------------- */

static vms_pool *open_pool(void)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = run.engine->flags,
		.page_size = PAGE,
		.ram = RAM,
		.depth = 4,
	};

	return open_by(run.engine, run.fd, &options);
}

/* What an earlier scenario has changed is as it was again. */
static void arrange(const struct scenario *scenario)
{
	static char bytes[PAGES * PAGE];

	for (uint64_t page = 0; page < PAGES; page++)
		fill_page(bytes + page * PAGE, page, 0);
	assert_int_equal(pwrite(run.fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	run.pool = open_pool();
	assert_non_null(run.pool);
	run.base = vms_pool_base(run.pool);
	for (uint64_t page = 0; page < PAGES; page++)
		run.words[page] = page * 1000003;
	/* What the scenarios use last is not there. */
	for (uint64_t page = 0; page < THERE; page++)
		if ((page < scenario->stored ? store(page) : load(page)) != 0)
			fail_msg("a page cannot be touched");
}

static void must_have_all(const struct scenario *scenario)
{
	const struct vms_pool_stats stats = pool_stats(run.pool);

	if (stats.resident > stats.slots || stats.used > stats.ram)
		wrong(scenario, "it has more than its RAM");
	/* Served, a page that could not come waits for a fix. */
	for (uint64_t page = 0; page < PAGES; page++) {
		if (!vms_pool_fix(run.pool, page, VMS_POOL_READ))
			wrong(scenario, "a page cannot be fixed");
		(void)vms_pool_unfix(run.pool, page);
		if (load(page) != 0)
			wrong(scenario, "a page cannot be loaded");
	}
}

static void must_be_in_file(const struct scenario *scenario)
{
	uint64_t word;

	if (flush() != 0)
		wrong(scenario, "a flush fails");
	for (uint64_t page = 0; page < PAGES; page++) {
		assert_int_equal(pread(run.fd, &word, sizeof(word), (off_t)(page * PAGE)),
				 sizeof(word));
		if (word != run.words[page])
			wrong(scenario, "the file has something else");
	}
}

static bool fail_one(const struct scenario *scenario)
{
	sigset_t mask;
	int result;

	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	arrange(scenario);
	sync_was_refused = false;
	fault_begin(&run.plan);
	result = scenario->act();
	run.result = fault_end();
	/* A host that does not let signals in again is none. */
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
	if (!sync_was_refused) {
		must_have_all(scenario);
		if (result != 0 && scenario->act() != 0)
			wrong(scenario, "made again, it does not work");
		must_be_in_file(scenario);
	}
	assert_int_equal(vms_pool_close(run.pool), 0);
	(void)fault_sweep_refused(0, 0);
	return run.result.failed > 0;
}

/*
 * A thread that is served waits for as long as it cannot even be told of a failure: so
 * nothing fails for ever there.
 */
static void sweep_scenario(const struct scenario *scenario)
{
	const int last = run.engine->engine == VMS_POOL_FAULTS_SERVED ? FAULT_ONCE :
									FAULT_FROM;
	/* What a call may answer besides is the same for all engines. */
	const int errnos = run.engine->engine == VMS_POOL_FAULTS_SIGNAL ?
		FAULT_ERRNOS_SWEPT : 1;

	for (int mode = FAULT_ONCE; mode <= last; mode++)
		for (int which = 0; which < (mode == FAULT_ONCE ? errnos : 1); which++)
			for (unsigned n = 1; n < CALLS_MAX; n++) {
				run.plan = fault_plan_of(mode, which, n);
				if (!fail_one(scenario) && run.result.calls < n)
					break;
			}
}

static void sweep(void **state)
{
	const struct place *place = *state;

	run.fd = make_pages(place->path, PAGES);
	FOR_ENGINES(engine) {
		run.engine = engine;
		for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
			sweep_scenario(&scenarios[i]);
	}
	assert_int_equal(close(run.fd), 0);
}

/* --- opening ------------------------------------------------------------------------------- */

/* Whatever engine is left, the pool works or is not there. */
static bool fail_opening(void)
{
	const size_t before = descriptors();

	run.words[5] = 5 * 1000003;
	assert_int_equal(pwrite(run.fd, &run.words[5], 8, 5 * PAGE), 8);
	fault_begin(&run.plan);
	run.pool = open_pool();
	run.result = fault_end();
	if (run.pool) {
		run.base = vms_pool_base(run.pool);
		assert_int_equal(load(5), 0);
		assert_int_equal(store(5), 0);
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
	const struct place *place = *state;

	run.fd = make_pages(place->path, PAGES);
	FOR_ENGINES(engine)
		for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
			for (int which = 0; which < FAULT_ERRNOS_SWEPT; which++)
				for (unsigned n = 1; n < CALLS_MAX; n++) {
					run.engine = engine;
					run.plan = fault_plan_of(mode, which, n);
					if (!fail_opening())
						break;
				}
	assert_int_equal(close(run.fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(sweep),
		file_test(opening),
	};
	int failed;

	catch_signals();
	pool_sweep_install();
	/* Nor to wake somebody by a write, or to send a signal for ever. */
	vmsi_host.write = fault_real.write;
	vmsi_host.queue_signal = fault_real.queue_signal;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fault_remove();
	return failed;
}
