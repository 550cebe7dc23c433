/* SPDX-License-Identifier: MIT */
#include "../unit/descriptors.h"
#include "../unit/file_fixture.h"
#include "host_fault.h"
#include "host_fault_files.h"

/*
 * Every host call of every operation on a file is failed in turn: once, and from then
 * on. An operation that fails has left the file as it was, on disk and in memory; made
 * again, it works.
 */

#define CALLS_MAX 300

static struct {
	const struct place *place;
	vms_file *file;
	vms_window *window;
	size_t page;
	struct fault_plan plan;
	struct fault_result result;
} run;

struct scenario {
	const char *name;
	unsigned flags;
	bool windowed;
	int (*act)(void);
	uint64_t size_after;   /* pages; UNCHANGED */
};

#define UNCHANGED UINT64_MAX
#define PAGES_BEFORE 3

static void wrong(const struct scenario *scenario, const char *what)
{
	fail_msg("%s, host call %u (%s, errno %d) failed, mode %d: %s",
		 scenario->name, run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

static char pattern(uint64_t offset)
{
	return (char)(offset * 131 + (offset >> 12) * 7 + 1);
}

static void write_pattern(const char *path, uint64_t size)
{
	char *bytes = malloc(size);

	for (uint64_t i = 0; i < size; i++)
		bytes[i] = pattern(i);
	write_file(path, bytes, size);
	free(bytes);
}

/* --- operations ---------------------------------------------------------------------------- */

static int append_bytes(void)
{
	char *bytes = malloc(2 * run.page);
	int result;

	for (size_t i = 0; i < 2 * run.page; i++)
		bytes[i] = pattern(PAGES_BEFORE * run.page + i);
	result = vms_file_append(run.file, bytes, 2 * run.page, NULL);
	free(bytes);
	return result;
}

static int append_zeros(void)
{
	return vms_file_append(run.file, NULL, 2 * run.page, NULL);
}

static int grow(void)
{
	return vms_file_resize(run.file, 5 * run.page);
}

static int shrink(void)
{
	return vms_file_resize(run.file, run.page);
}

static int sync_all(void)
{
	return vms_file_sync(run.file, 0, 0, VMS_FILE_SYNC_ALL);
}

static int sync_range(void)
{
	return vms_file_sync(run.file, run.page, 1, 0);
}

static int refresh(void)
{
	return vms_file_refresh(run.file);
}

static int drop(void)
{
	return vms_file_drop(run.file, 0, run.page);
}

static int prefetch(void)
{
	return vms_file_prefetch(run.file, 0, run.page);
}

static int advise(void)
{
	return vms_file_advise(run.file, 0, run.page, MADV_RANDOM);
}

static int open_and_close_window(void)
{
	vms_window *window = vms_file_open_window(run.file, 1, run.page);

	if (!window)
		return -1;
	/* Where it cannot be closed, it is as before. */
	if (vms_window_close(window) == 0)
		return 0;
	if (*(char *)vms_window_data(window) != pattern(1))
		fail_msg("a window that could not be closed shows something else");
	fault_end();
	if (vms_window_close(window) != 0)
		fail_msg("a window cannot be closed");
	return -1;
}

static int slide_window(void)
{
	const uint64_t to = vms_window_offset(run.window) == 0 ? run.page + 1 : 0;
	const uint64_t from = vms_window_offset(run.window);
	int result = vms_window_slide(run.window, to);
	const uint64_t now = vms_window_offset(run.window);

	if (now != (result == 0 ? to : from) ||
	    *(char *)vms_window_data(run.window) != pattern(now))
		fail_msg("a window that slid, or did not, shows something else");
	return result;
}

static const struct scenario scenarios[] = {
	{ "append", 0, false, append_bytes, 5 },
	{ "append to a file of windows", 0, true, append_bytes, 5 },
	{ "append zeros", 0, false, append_zeros, 5 },
	{ "append zeros, sparse", VMS_FILE_SPARSE, false, append_zeros, 5 },
	{ "grow", 0, false, grow, 5 },
	{ "grow, sparse", VMS_FILE_SPARSE, false, grow, 5 },
	{ "grow, private", VMS_FILE_PRIVATE, false, grow, 5 },
	{ "shrink", 0, false, shrink, 1 },
	{ "shrink, private", VMS_FILE_PRIVATE, false, shrink, 1 },
	{ "sync all", 0, false, sync_all, UNCHANGED },
	{ "sync a range", 0, false, sync_range, UNCHANGED },
	{ "sync a file of windows", 0, true, sync_range, UNCHANGED },
	{ "refresh", 0, false, refresh, UNCHANGED },
	{ "refresh, private", VMS_FILE_PRIVATE, false, refresh, UNCHANGED },
	{ "drop", 0, false, drop, UNCHANGED },
	{ "drop, private", VMS_FILE_PRIVATE, false, drop, UNCHANGED },
	{ "prefetch", 0, false, prefetch, UNCHANGED },
	{ "advise", 0, false, advise, UNCHANGED },
	{ "a window", 0, true, open_and_close_window, UNCHANGED },
	{ "slide", 0, true, slide_window, UNCHANGED },
};

/* --- the sweep ----------------------------------------------------------------------------- */

static void arrange(const struct scenario *scenario)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = scenario->flags,
		.maximum = 64 * run.page,
		.window_addresses = scenario->windowed ? 32 * run.page : 0,
	};

	write_pattern(run.place->path, PAGES_BEFORE * run.page);
	run.file = open_file(run.place->path, &options);
	assert_non_null(run.file);
	if (!scenario->windowed)
		return;
	run.window = vms_file_open_window(run.file, 0, run.page);
	assert_non_null(run.window);
}

static void clear(void)
{
	assert_int_equal(vms_window_close(run.window), 0);
	run.window = NULL;
	assert_int_equal(vms_file_close(run.file), 0);
}

/* What is in the file, or in the private view of it, up to a size. */
static void must_have(const struct scenario *scenario, uint64_t size)
{
	const bool private = scenario->flags & VMS_FILE_PRIVATE;
	const uint64_t common = size < PAGES_BEFORE * run.page ?
		size : PAGES_BEFORE * run.page;
	char *bytes = malloc(common);
	int fd = open(run.place->path, O_RDONLY);

	if (vms_file_size(run.file) != size)
		wrong(scenario, "its size is another");
	if (size_of(run.place->path) !=
	    (private ? PAGES_BEFORE * run.page : size))
		wrong(scenario, "the file's size is another");
	if (private)
		memcpy(bytes, vms_file_at(run.file, 0, common), common);
	else
		assert_int_equal(read(fd, bytes, common), (ssize_t)common);
	for (uint64_t i = 0; i < common; i++)
		if (bytes[i] != pattern(i))
			wrong(scenario, "its bytes are others");
	assert_int_equal(close(fd), 0);
	free(bytes);
}

static bool fail_one(const struct scenario *scenario)
{
	const uint64_t before = PAGES_BEFORE * run.page;
	const uint64_t after = scenario->size_after == UNCHANGED ?
		before : scenario->size_after * run.page;
	int result;

	arrange(scenario);
	errno = ERRNO_BEFORE;
	fault_begin(&run.plan);
	result = scenario->act();
	run.result = fault_end();
	if (result == 0 && errno != ERRNO_BEFORE)
		wrong(scenario, "it has changed errno");
	must_have(scenario, result == 0 ? after : before);
	if (result != 0 && scenario->act() != 0 && errno != EIO)
		wrong(scenario, "made again, it does not work");
	if (result != 0)
		must_have(scenario, after);
	clear();
	(void)fault_sweep_refused(0, 0);
	return run.result.failed > 0;
}

static void sweep(void **state)
{
	run.place = *state;
	run.page = page_bytes();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		for (int mode = FAULT_ONCE; mode <= FAULT_DESTROYING; mode++)
			for (int which = 0; which < FAULT_ERRNOS_SWEPT; which++)
				for (unsigned n = 1; n < CALLS_MAX; n++) {
					run.plan = fault_plan_of(mode, which, n);
					if (!fail_one(&scenarios[i]) &&
					    run.result.calls < n)
						break;
				}
}

/* --- opening and closing ---------------------------------------------------------------------- */

/* A file that a call has made is removed again, where that can be. */
static bool fail_opening(unsigned flags)
{
	const size_t before = descriptors();
	vms_file *file;

	fault_begin(&run.plan);
	file = open_with(run.place->path, flags, 64 * run.page);
	run.result = fault_end();
	if (!file && run.plan.mode == FAULT_ONCE &&
	    access(run.place->path, F_OK) == 0)
		fail_msg("open, call %u (%s): the file is still there",
			 run.plan.n, fault_call_name(run.result.call));
	if (file)
		assert_int_equal(vms_file_close(file), 0);
	if (descriptors() != before)
		fail_msg("open, call %u (%s): a descriptor is left", run.plan.n,
			 fault_call_name(run.result.call));
	(void)unlink(run.place->path);
	(void)fault_sweep_refused(0, 0);
	return run.result.failed > 0;
}

static void opening(void **state)
{
	run.place = *state;
	run.page = page_bytes();
	for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
		for (int which = 0; which < FAULT_ERRNOS_SWEPT; which++)
			for (unsigned n = 1; n < CALLS_MAX; n++) {
				run.plan = fault_plan_of(mode, which, n);
				if (!fail_opening(VMS_FILE_CREATE))
					break;
			}
}

static void closing(void **state)
{
	run.place = *state;
	run.page = page_bytes();
	for (unsigned n = 1; n < CALLS_MAX; n++) {
		const size_t before = descriptors();

		run.plan = (struct fault_plan){ .mode = FAULT_ONCE, .n = n };
		run.file = open_with(run.place->path, VMS_FILE_CREATE, 0);
		assert_non_null(run.file);
		fault_begin(&run.plan);
		(void)vms_file_close(run.file);
		run.result = fault_end();
		assert_int_equal(descriptors(), before);
		(void)fault_sweep_refused(0, 0);
		if (!run.result.failed)
			break;
	}
}

/* --- short writes ------------------------------------------------------------------------------- */

static struct {
	unsigned appends;      /* that were made in part */
	long then;             /* -errno of the next; 0: in part, too */
} shorted;

static long append_half(int fd, const struct iovec *parts, int count)
{
	struct iovec half = parts[0];

	(void)count;
	if (shorted.then && shorted.appends++ % 2 == 1)
		return shorted.then;
	half.iov_len = (half.iov_len + 1) / 2;
	return fault_real.append(fd, &half, 1);
}

static void short_writes(void **state)
{
	const struct scenario append = { "a short append", 0, false, append_bytes, 5 };

	run.place = *state;
	run.page = page_bytes();
	arrange(&append);
	vmsi_host.append = append_half;
	shorted.then = 0;
	assert_int_equal(append_bytes(), 0);
	must_have(&append, 5 * run.page);
	for (size_t i = 3 * run.page; i < 5 * run.page; i++)
		assert_int_equal(*(char *)vms_file_at(run.file, i, 1), pattern(i));
	clear();
	arrange(&append);
	shorted.then = -ENOSPC;
	refused(append_bytes(), ENOSPC);
	must_have(&append, 3 * run.page);
	shorted.then = -EIO;
	refused(append_bytes(), EIO);
	must_have(&append, 3 * run.page);
	assert_int_equal(shorted.appends, 4);
	clear();
	fault_remove();
	fault_stay_on_one_processor();
	fault_install();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(sweep),
		file_test(opening),
		file_test(closing),
		file_test(short_writes),
	};
	int failed;

	fault_stay_on_one_processor();
	fault_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fault_remove();
	return failed;
}
