/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "space/inside.h"

#define SPACE_HUGE_PAGES 8
#define ERRNO_BEFORE 4711

static int pattern_file;
static struct snapshot before, after, good;

/* --- one run ----------------------------------------------------------------------- */

static const char *const mode_names[] = { "never", "once", "from",
					  "destroying" };

_Noreturn void run_complain(const struct run *run, const char *wrong,
			    size_t page)
{
	if (run->limit)
		fail_msg("%s, at the limit of %s with %u left: %s (page %zu; "
			 "status %d, errno %d, refusal %d)",
			 run->scenario->name, run->limit->name, run->slack,
			 wrong, page, run->status, run->error, run->refusal);
	fail_msg("%s, host call %u (%s, errno %d) failed %s: %s (page %zu; "
		 "status %d, errno %d)",
		 run->scenario->name, run->plan.n,
		 fault_call_name(run->result.call), run->result.error,
		 mode_names[run->plan.mode], wrong, page, run->status,
		 run->error);
	abort();
}

static void expect(const struct run *run, bool condition, const char *wrong)
{
	if (!condition)
		run_complain(run, wrong, 0);
}

static int lowest_fd(void)
{
	int fd = dup(pattern_file);

	close(fd);
	return fd;
}

/* Every run begins with the same file. */
static void write_pattern(size_t page_size)
{
	static unsigned char *pattern;
	const size_t bytes = STAGE_FILE_PAGES * page_size;

	if (!pattern) {
		pattern = malloc(bytes);
		assert_non_null(pattern);
		for (size_t i = 0; i < bytes; i++)
			pattern[i] = (unsigned char)(i / page_size + 1);
	}
	assert_int_equal(pwrite(pattern_file, pattern, bytes, 0), bytes);
}

static void begin_run(struct run *run)
{
	struct stage *stage = &run->stage;

	write_pattern(vmsi_page_size());
	run->bytes_before = process_bytes();
	run->lowest_fd = lowest_fd();
	*stage = (struct stage){
		.page = vmsi_page_size(),
		.huge = vmsi_huge_page_size(),
		.file = pattern_file,
	};
	stage->space = vms_space_open(SPACE_HUGE_PAGES * stage->huge, NULL);
	assert_non_null(stage->space);
	run->scenario->arrange(stage);
	snapshot_take(&before, stage->space, stage->handles,
		      stage->handle_count);
}

static void operate(struct run *run)
{
	struct vms_space *space = run->stage.space;

	if (run->limit)
		run->limit->impose(space, run->slack);
	errno = ERRNO_BEFORE;
	fault_begin(&run->plan);
	run->status = run->scenario->act(&run->stage);
	run->error = errno;
	run->result = fault_end();
	if (run->limit)
		run->limit->lift(space);
	run->refusal = vms_last_refusal();
	expect(run, !vmsi_space_check(space), "the space is not sound");
}

/* After a single fault, no hole may be free for others. */
static void expect_holes_are_held(const struct run *run)
{
	size_t page;
	const char *wrong;

	if (run->plan.mode != FAULT_ONCE)
		return;
	wrong = snapshot_loose_hole(&after, &page);
	if (wrong)
		run_complain(run, wrong, page);
}

/* A debug build ends where a stale handle is used. */
static bool handles_may_be_used(const struct run *run)
{
#ifdef VMSI_DEBUG
	const struct stage *stage = &run->stage;

	if (run->status == 0)
		return false;
	for (unsigned i = 0; i < stage->handle_count; i++)
		if (snapshot_page_difference(&before, &after,
					     before.handles[i].offset /
						     stage->page))
			return false;
#else
	(void)run;
#endif
	return true;
}

static void look(struct run *run)
{
	struct stage *stage = &run->stage;
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	snapshot_take_host(&after, stage->space);
	expect_holes_are_held(run);
	/* The next call makes a repair that the host refused. */
	vms_space_get_stats(stage->space, &stats);
	snapshot_take_host(&after, stage->space);
	snapshot_take_space(&after, stage->space);
	if (handles_may_be_used(run))
		snapshot_take_handles(&after, stage->space, stage->handles,
				      stage->handle_count);
}

/*
 * Return whether addresses outside of the space were left behind. The C library may
 * map memory too, though not each time.
 */
static bool end_run(struct run *run)
{
	assert_int_equal(vms_space_close(run->stage.space), 0);
	fault_sweep_refused(before.base,
			    before.base + before.count * run->stage.page);
	expect(run, lowest_fd() == run->lowest_fd,
	       "a descriptor was left open");
	return process_bytes() != run->bytes_before;
}

/* --- what may be --------------------------------------------------------------------- */

/*
 * Where the host does not tell what was touched, memory counts as touched and stays
 * charged. Small pages that stand in for huge ones lack the advice.
 */
static bool may_hide(const struct run *run, const char *difference)
{
	/* Falling back to small pages is no error. */
	if (after.stats.huge_fallbacks > good.stats.huge_fallbacks)
		return strcmp(difference, "flags") == 0 ||
			strcmp(difference, "committed") == 0 ||
			strcmp(difference, "huge_fallbacks") == 0;
	if (!run->result.failed)
		return false;
	switch (run->result.call) {
	case CALL_OPEN:
	case CALL_PREAD:
	case CALL_PAGEMAP_SCAN:
		return strcmp(difference, "committed") == 0 &&
			after.stats.committed > good.stats.committed;
	case CALL_MADVISE:
		return strcmp(difference, "flags") == 0 &&
			good.stats.huge_fallbacks;
	default:
		return false;
	}
}

static bool errno_is_named(const struct run *run)
{
	if (run->error == ENOMEM || run->error == run->scenario->fails)
		return true;
	for (size_t i = 0; i < SCENARIO_ERRNOS; i++)
		if (run->scenario->errnos[i] == ANY_ERRNO ||
		    (run->error && run->scenario->errnos[i] == run->error))
			return true;
	return false;
}

/* The state must be that of a run without faults, but for what a fault may hide. */
static void expect_good_state(const struct run *run)
{
	const char *wrong;

	for (size_t i = 0; i < after.count; i++) {
		wrong = snapshot_page_difference(&good, &after, i);
		if (wrong && !may_hide(run, wrong))
			run_complain(run, wrong, i);
	}
	wrong = snapshot_figures_difference(&good, &after);
	if (wrong && !may_hide(run, wrong))
		run_complain(run, wrong, 0);
}

static bool page_is_hole(const struct snapshot *snapshot, size_t page)
{
	return !snapshot->pages[page].mapped;
}

/* Return whether a failure may have made this page what it is now. */
static bool page_may_change(const struct run *run, size_t page)
{
	const struct scenario *scenario = run->scenario;
	bool good_now = !snapshot_page_difference(&good, &after, page);
	bool target = page >= scenario->target && page < scenario->target_end;

	if (scenario->failure == STOPS_MIDWAY && good_now)
		return true;
	/* The host may have unmapped what the call was to replace. */
	if (run->plan.mode == FAULT_DESTROYING && page_is_hole(&after, page))
		return page_is_hole(&good, page) ||
			snapshot_page_difference(&good, &before, page);
	return scenario->failure != LEAVES_ALL && target &&
		page_is_hole(&after, page);
}

static void expect_state_as_before(const struct run *run)
{
	bool changed = false;
	const char *wrong;

	for (size_t i = 0; i < after.count; i++) {
		wrong = snapshot_page_difference(&before, &after, i);
		if (!wrong)
			continue;
		changed = true;
		if (!page_may_change(run, i))
			run_complain(run, wrong, i);
	}
	if (changed || run->scenario->failure == STOPS_MIDWAY)
		return;
	wrong = snapshot_figures_difference(&before, &after);
	if (wrong)
		run_complain(run, wrong, 0);
}

static void expect_agreement(const struct run *run)
{
	size_t page;
	const char *wrong = snapshot_disagreement(&after, &page);

	if (wrong)
		run_complain(run, wrong, page);
}

static void judge(const struct run *run)
{
	expect_agreement(run);
	if (run->status == 0) {
		expect(run, run->error == ERRNO_BEFORE,
		       "a success changed errno");
		expect(run, !run->scenario->fails,
		       "a call that is to be refused succeeded");
		expect_good_state(run);
		return;
	}
	expect(run, errno_is_named(run), "an errno that the header lacks");
	expect(run, run->error != ENOMEM || run->refusal != VMS_REFUSAL_NONE,
	       "ENOMEM without a reason");
	expect_state_as_before(run);
}

/* --- for the tests ----------------------------------------------------------------------- */

void run_prepare(void)
{
	size_t size = SPACE_HUGE_PAGES * vmsi_huge_page_size();

	pattern_file = memfd_create("pattern", MFD_CLOEXEC);
	assert_true(pattern_file >= 0);
	snapshot_make(&before, size);
	snapshot_make(&after, size);
	snapshot_make(&good, size);
	fault_stay_on_one_processor();
	fault_install();
}

void run_learn(const struct scenario *scenario)
{
	struct run run = { .scenario = scenario };
	struct snapshot swapped;

	/* The library asks the host once what it can do, which may map memory. */
	begin_run(&run);
	scenario->act(&run.stage);
	assert_int_equal(vms_space_close(run.stage.space), 0);
	begin_run(&run);
	operate(&run);
	look(&run);
	expect_agreement(&run);
	expect(&run, run.status == 0 ? !scenario->fails :
				       run.error == scenario->fails,
	       "without a fault it ends otherwise");
	end_run(&run);
	swapped = good;
	good = after;
	after = swapped;
}

static bool run_once(struct run *run)
{
	begin_run(run);
	operate(run);
	look(run);
	if (run->result.failed || run->limit)
		judge(run);
	return end_run(run);
}

void run_try(struct run *run)
{
	unsigned attempts = 4;
	bool leaked;

	do
		leaked = run_once(run);
	while (leaked && --attempts > 0);
	expect(run, !leaked, "memory outside the space was left behind");
}

void run_families(struct family families[FAMILIES])
{
	const struct family all[FAMILIES] = {
		{ "map", map_scenarios, map_scenario_count },
		{ "unmap", unmap_scenarios, unmap_scenario_count },
		{ "grow", grow_scenarios, grow_scenario_count },
		{ "move", move_scenarios, move_scenario_count },
		{ "change", change_scenarios, change_scenario_count },
		{ "handle", handle_scenarios, handle_scenario_count },
	};

	memcpy(families, all, sizeof(all));
}
