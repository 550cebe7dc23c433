/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "file/journal.h"
#include "host_fault.h"

/*
 * Every host call of every operation on a journal is failed in turn: once, and from then
 * on; then every write is cut short, and fails when the rest is tried. Whatever the
 * operation answers, what was acknowledged is there when the journal is opened the next
 * time, and what is there is one of the commits.
 */

#define CALLS_MAX 300
#define COMMITS_MOST 8

static struct {
	char directory[64], home_path[80], journal_path[80];
	int home;
	size_t page;
	struct vmsi_journal journal;
	bool is_open;
	uint8_t *images;
	unsigned begun, acknowledged;
	struct fault_plan plan;
	struct fault_result result;
} run;

/* --- commits: number N has two pages of N, and one more page for each --------------------------- */

static uint64_t size_of(unsigned number)
{
	return number ? (number + 1) * (uint64_t)run.page : 0;
}

static size_t fill(struct vmsi_image *image, unsigned number)
{
	memset(run.images, (int)number, 2 * run.page);
	image[0] = (struct vmsi_image){ 0, run.images };
	image[1] = (struct vmsi_image){ number, run.images + run.page };
	return 2;
}

static int write_next(void)
{
	struct vmsi_image images[2];
	struct vmsi_sizes sizes = { size_of(run.acknowledged),
				    size_of(run.acknowledged + 1) };
	const size_t count = fill(images, run.acknowledged + 1);

	run.begun = run.acknowledged + 1;
	return vmsi_journal_write(&run.journal, VMSI_RECORD_COMMIT, sizes, images,
				  count, NULL);
}

static int sync_it(void)
{
	const int error = vmsi_journal_sync(&run.journal);

	if (!error)
		run.acknowledged = run.begun;
	return error;
}

static int write_home(void)
{
	struct vmsi_image images[2];
	const size_t count = fill(images, run.acknowledged);

	return vmsi_journal_write_home(&run.journal, images, count);
}

static int commit(void)
{
	int error = write_next();

	if (!error)
		error = sync_it();
	return error ? error : write_home();
}

/* --- scenarios ------------------------------------------------------------------------------------ */

static int open_it(void)
{
	const char *problem = NULL;
	const int error = vmsi_journal_open(&run.journal, run.home,
					    run.journal_path, VMSI_JOURNAL_WRITE,
					    &problem);

	if (problem)
		fail_msg("refused: %s", problem);
	run.is_open = error == 0;
	return error;
}

static void nothing(void)
{
}

static void opened(void)
{
	assert_int_equal(open_it(), 0);
}

static void with_a_commit(void)
{
	opened();
	assert_int_equal(commit(), 0);
}

static void with_a_record(void)
{
	with_a_commit();
	assert_int_equal(write_next(), 0);
}

static void not_home(void)
{
	with_a_record();
	assert_int_equal(sync_it(), 0);
}

static void behind(void)
{
	not_home();
	run.journal.home_behind = true;
}

/* The process has ended without closing. */
static void left(void)
{
	not_home();
	run.journal.is_read_only = true;
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	run.is_open = false;
}

static int checkpoint(void)
{
	return vmsi_journal_checkpoint(&run.journal);
}

static int catch_up(void)
{
	return vmsi_journal_catch_up(&run.journal);
}

static int close_it(void)
{
	run.is_open = false;
	return vmsi_journal_close(&run.journal);
}

static int discard(void)
{
	vmsi_journal_discard(&run.journal);
	return 0;
}

static int read_it(void)
{
	struct vmsi_journal journal;
	const char *problem = NULL;
	int error = vmsi_journal_open(&journal, run.home, run.journal_path,
				      VMSI_JOURNAL_READ, &problem);

	assert_null(problem);
	return error ? error : vmsi_journal_close(&journal);
}

static const struct scenario {
	const char *name;
	void (*arrange)(void);
	int (*act)(void);
} scenarios[] = {
	{ "open the first time", nothing, open_it },
	{ "open and recover", left, open_it },
	{ "open to read", left, read_it },
	{ "write", with_a_commit, write_next },
	{ "sync", with_a_record, sync_it },
	{ "write home", not_home, write_home },
	{ "catch up", behind, catch_up },
	{ "commit", with_a_commit, commit },
	{ "discard", with_a_record, discard },
	{ "checkpoint", with_a_commit, checkpoint },
	{ "checkpoint, not home", not_home, checkpoint },
	{ "close", with_a_commit, close_it },
	{ "close, not home", not_home, close_it },
};

#define SCENARIOS (sizeof(scenarios) / sizeof(*scenarios))

/* --- writes that are cut short ---------------------------------------------------------------------- */

static unsigned cut_left;      /* writes until one is cut */
static bool was_cut;
static long (*uncut)(int fd, const void *bytes, size_t length, uint64_t offset);

static long cut_pwrite(int fd, const void *bytes, size_t length,
		       uint64_t offset)
{
	if (was_cut)
		return -ENOSPC;
	if (--cut_left > 0)
		return uncut(fd, bytes, length, offset);
	was_cut = true;
	return uncut(fd, bytes, length / 2, offset);
}

/* --- what must hold ----------------------------------------------------------------------------------- */

static void wrong(const struct scenario *scenario, const char *what)
{
	fail_msg("%s, host call %u (%s, errno %d) failed, mode %d: %s",
		 scenario->name, run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

static bool is_filled(uint64_t page, unsigned number)
{
	uint8_t *bytes = run.images;
	const ssize_t got = pread(run.home, bytes, run.page,
				  (off_t)(page * run.page));

	return got == (ssize_t)run.page && bytes[0] == number &&
		memcmp(bytes, bytes + 1, run.page - 1) == 0;
}

static bool home_is(unsigned number)
{
	if (lseek(run.home, 0, SEEK_END) != (off_t)size_of(number))
		return false;
	for (unsigned page = 1; page <= number; page++)
		if (!is_filled(page, page))
			return false;
	return number == 0 || is_filled(0, number);
}

/* The journal goes on to be of use, and then its file is one of the commits. */
static void expect_nothing_lost(const struct scenario *scenario)
{
	if (run.is_open) {
		vmsi_journal_discard(&run.journal);
		if (commit() != 0 || !home_is(run.acknowledged))
			wrong(scenario, "nothing can be committed afterwards");
		if (close_it() != 0)
			wrong(scenario, "it cannot be closed afterwards");
	}
	if (open_it() != 0)
		wrong(scenario, "it cannot be opened afterwards");
	if (!home_is(run.acknowledged) && !home_is(run.begun))
		wrong(scenario, "what was acknowledged is lost");
	if (close_it() != 0)
		wrong(scenario, "it cannot be closed at last");
}

/* As after the end of the process at this moment. */
static void expect_recovered(const struct scenario *scenario)
{
	if (run.is_open) {
		run.journal.is_read_only = true;
		(void)close_it();
	}
	expect_nothing_lost(scenario);
}

/* --- runs ------------------------------------------------------------------------------------------------ */

static void begin_run(const struct scenario *scenario)
{
	run.home = open(run.home_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(run.home >= 0);
	run.begun = run.acknowledged = 0;
	run.is_open = false;
	scenario->arrange();
}

static void end_run(void)
{
	assert_int_equal(close(run.home), 0);
	assert_int_equal(unlink(run.home_path), 0);
	(void)unlink(run.journal_path);
}

static void try(const struct scenario *scenario,
		void (*expect)(const struct scenario *scenario))
{
	begin_run(scenario);
	fault_begin(&run.plan);
	(void)scenario->act();
	run.result = fault_end();
	expect(scenario);
	end_run();
}

static void every_host_call_is_failed(void **state)
{
	const struct scenario *scenario = *state;

	for (enum fault_errno which = 0; which < FAULT_ERRNOS; which++)
		for (enum fault_mode mode = FAULT_ONCE; mode <= FAULT_FROM;
		     mode++) {
			run.plan = (struct fault_plan){ .mode = mode,
							.which = which };
			/* Calls that are interrupted are made again. */
			run.plan.errors[CALL_FTRUNCATE] = -EIO;
			/* A journal that is in use is refused with a problem. */
			run.plan.errors[CALL_FILE_LOCK] = -ENOLCK;
			/* A file whose identity is gone is another one, and misses no journal. */
			if (scenario->arrange == left) {
				run.plan.errors[CALL_ATTRIBUTE] = -EIO;
				run.plan.errors[CALL_BIRTH_TIME] = -EIO;
				run.plan.errors[CALL_OPEN_FILE] = -EIO;
			}
			do {
				run.plan.n++;
				assert_true(run.plan.n < CALLS_MAX);
				try(scenario, expect_nothing_lost);
				try(scenario, expect_recovered);
			} while (run.result.calls >= run.plan.n);
		}
}

static bool try_cut(const struct scenario *scenario, unsigned nth)
{
	begin_run(scenario);
	uncut = vmsi_host.pwrite;
	cut_left = nth;
	was_cut = false;
	vmsi_host.pwrite = cut_pwrite;
	(void)scenario->act();
	vmsi_host.pwrite = uncut;
	expect_nothing_lost(scenario);
	end_run();
	return was_cut;
}

static void every_write_is_cut_short(void **state)
{
	(void)state;
	run.plan = (struct fault_plan){ 0 };
	for (size_t i = 0; i < SCENARIOS; i++)
		for (unsigned nth = 1; try_cut(&scenarios[i], nth); nth++)
			run.plan.n = nth;
}

static int set_up(void **state)
{
	(void)state;
	run.page = vmsi_page_size();
	run.images = calloc(2, run.page);
	strcpy(run.directory, "/dev/shm/vmspace-journal-XXXXXX");
	if (!run.images || !mkdtemp(run.directory))
		return -1;
	(void)snprintf(run.home_path, sizeof(run.home_path), "%s/home",
		       run.directory);
	(void)snprintf(run.journal_path, sizeof(run.journal_path), "%s/journal",
		       run.directory);
	fault_install();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(run.images);
	return rmdir(run.directory);
}

int main(void)
{
	struct CMUnitTest tests[SCENARIOS + 1] = {
		cmocka_unit_test(every_write_is_cut_short),
	};

	for (size_t i = 0; i < SCENARIOS; i++)
		tests[i + 1] = (struct CMUnitTest){
			.name = scenarios[i].name,
			.test_func = every_host_call_is_failed,
			.initial_state = (void *)&scenarios[i],
		};
	return cmocka_run_group_tests_name("fault-journal", tests, set_up,
					   tear_down);
}
