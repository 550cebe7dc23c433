/* SPDX-License-Identifier: MIT */
#include "../unit/descriptors.h"
#include "../unit/swap_fixture.h"

#include "host_fault.h"
#include "host_fault_files.h"
#include "swap/state.h"
#include "swap/write.h"

/*
 * Every host call of a swap store, and of the reads and writes in flight that it uses, is
 * failed in turn: once, and from then on. What fails leaves all as it was; what was put
 * comes back, or is an error while the host fails, and then comes back.
 */

#define CALLS_MAX 150u
#define COUNT 900u
#define BATCH 60u

static struct {
	struct fault_plan plan;
	struct fault_result result;
} run;

static char path[] = "swap-sweep-XXXXXX";

static void wrong(const char *name, const char *what)
{
	fail_msg("%s, host call %u (%s, errno %d) failed, mode %d: %s", name,
		 run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

/* The next call to fail; false: there is none. */
static bool next_plan(void)
{
	const bool went_past = !run.result.failed && run.result.calls < run.plan.n;

	if (!went_past && run.plan.n < CALLS_MAX) {
		run.plan.n++;
		return true;
	}
	run.plan.n = 1;
	if (++run.plan.which < FAULT_ERRNOS_SWEPT)
		return true;
	run.plan.which = FAULT_USUAL;
	return ++run.plan.mode <= FAULT_FROM;
}

static void begin_plans(void)
{
	run.plan = (struct fault_plan){ .mode = FAULT_ONCE, .n = 0 };
	run.result = (struct fault_result){ .failed = 1 };
}

/* --- opening and closing ------------------------------------------------------------ */

static void make_former(void)
{
	struct vmsi_io *io = open_threads();
	const struct vmsi_swap_options options = small_options(io, path);

	vmsi_swap_close(open_swap(&options));
	vmsi_io_close(io);
	assert_int_equal(truncate(path, 100000), 0);
}

static const struct {
	const char *name;
	bool has_path, has_former, is_directory;
} openings[] = {
	{ "open, no file", false, false, false },
	{ "open, a new file", true, false, false },
	{ "open, the file of a former run", true, true, false },
	{ "open, a directory", true, false, true },
};

static void try_opening(size_t i)
{
	const size_t before = descriptors();
	struct vmsi_swap *swap = NULL;
	struct vmsi_swap_options options;
	struct vmsi_io *io = NULL;
	int error;

	if (openings[i].has_former)
		make_former();
	fault_begin(&run.plan);
	error = vmsi_io_open(8, 0, &io);
	if (!error) {
		options = small_options(io, openings[i].is_directory ? "." : path);
		if (!openings[i].has_path)
			options.path = NULL;
		error = vmsi_swap_open(&options, &swap);
	}
	if (swap)
		vmsi_swap_close(swap);
	if (io)
		vmsi_io_close(io);
	run.result = fault_end();
	if (run.plan.mode == FAULT_ONCE && error && error != -run.result.error &&
	    error != -EBUSY)
		wrong(openings[i].name, "it tells another errno");
	if (descriptors() != before)
		wrong(openings[i].name, "a descriptor is left");
	/* Who has the lock of it uses it. */
	if (run.plan.mode == FAULT_ONCE && error && error != -EBUSY && openings[i].has_path &&
	    !openings[i].has_former && access(path, F_OK) == 0)
		wrong(openings[i].name, "the file is left");
	if (error && openings[i].has_former) {
		struct stat status;

		assert_int_equal(stat(path, &status), 0);
		if (status.st_size != 100000)
			wrong(openings[i].name, "the file has changed");
	}
	(void)unlink(path);
	(void)fault_sweep_refused(0, 0);
}

static void opening(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(openings) / sizeof(*openings); i++) {
		begin_plans();
		while (next_plan())
			try_opening(i);
	}
}

/* --- use ---------------------------------------------------------------------------- */

static struct {
	struct vmsi_io *io;
	struct vmsi_swap *swap;
	uint64_t places[COUNT];
	char pages[BATCH][PAGE];
} used;

static bool is_kept(unsigned i)
{
	return i % 3 != 1;
}

static enum page_kind kind_of(unsigned i)
{
	return i % 2 ? PAGE_TEXT : PAGE_NOISE;
}

/* Nearly full, and a third of it is freed: what is put next must move pages first. */
static void arrange(void)
{
	struct vmsi_swap_options options;

	used.io = open_threads();
	options = small_options(used.io, ".");
	options.file_bytes = 35 << 16;
	options.ram_most = 2 * options.ram_bytes;
	used.swap = open_swap(&options);
	for (unsigned i = 0; i < COUNT; i++)
		if (put_page(used.swap, PAGE, kind_of(i), i, &used.places[i])) {
			for (unsigned j = i; j < COUNT; j++)
				used.places[j] = UINT64_MAX;
			break;
		}
	for (unsigned i = 0; i < COUNT; i++)
		if (!is_kept(i) && used.places[i] != UINT64_MAX)
			vmsi_swap_free(used.swap, used.places[i]);
}

static int put_batch(uint64_t places[BATCH])
{
	const void *pages[BATCH];
	const uint64_t before = figures_of(used.swap).pages;
	int error;

	for (unsigned i = 0; i < BATCH; i++) {
		fill_page(used.pages[i], PAGE, PAGE_NOISE, 10000 + i);
		pages[i] = used.pages[i];
	}
	error = vmsi_swap_put(used.swap, pages, BATCH, places);
	if (figures_of(used.swap).pages != before + (error ? 0 : BATCH))
		wrong("put", "it has kept another number of pages");
	return error;
}

static void free_batch(const uint64_t places[BATCH])
{
	for (unsigned i = 0; i < BATCH; i++)
		vmsi_swap_free(used.swap, places[i]);
}

static int put_many(void)
{
	uint64_t places[BATCH];
	const int error = put_batch(places);

	if (!error)
		free_batch(places);
	return error;
}

/* What was put while there was much memory goes to the file when there is little. */
static int resize(void)
{
	const size_t least = vmsi_swap_least_bytes(PAGE, VMSI_SWAP_LZ4);
	const size_t little = least + (16 << 10); /* with the records of all places */
	uint64_t places[BATCH];
	int error = vmsi_swap_set_ram(used.swap, 2 * least);

	if (error)
		wrong("resize", "more memory is refused");
	error = put_batch(places);
	if (error)
		return error;
	error = vmsi_swap_set_ram(used.swap, little);
	if (used.swap->ram_bytes != (error ? 2 * least : little))
		wrong("resize", "the limit is neither that nor this");
	if (vmsi_swap_bytes(used.swap) > used.swap->ram_bytes)
		wrong("resize", "it takes more than it may");
	free_batch(places);
	return error;
}

static int read_many(void)
{
	uint64_t places[BATCH];
	void *buffers[BATCH];
	int errors[BATCH];
	static char expected[PAGE];
	int error;

	for (unsigned i = 0; i < BATCH; i++) {
		places[i] = used.places[3 * i];
		buffers[i] = used.pages[i];
	}
	error = vmsi_swap_get_many(used.swap, places, buffers, BATCH, errors);
	for (unsigned i = 0; i < BATCH; i++) {
		fill_page(expected, PAGE, kind_of(3 * i), 3 * i);
		if (!errors[i] && memcmp(used.pages[i], expected, PAGE) != 0)
			wrong("get many", "it has read something else");
	}
	return error;
}

static int read_each(void)
{
	int error = 0, latest = 0;

	for (unsigned i = 0; i < 60; i += 3)
		switch (get_page(used.swap, PAGE, kind_of(i), i, used.places[i], &latest)) {
		case GOT_WRONG:
			wrong("get", "it has read something else");
			break;
		case GOT_ERROR:
			error = latest;
			break;
		case GOT_RIGHT:
			break;
		}
	return error;
}

static const struct {
	const char *name;
	int (*act)(void);
} uses[] = {
	{ "put many", put_many },
	{ "resize", resize },
	{ "get many", read_many },
	{ "get", read_each },
};

static void expect_all(const char *name)
{
	for (unsigned i = 0; i < COUNT; i++) {
		int error;

		if (is_kept(i) && used.places[i] != UINT64_MAX &&
		    get_page(used.swap, PAGE, kind_of(i), i, used.places[i], &error) !=
			    GOT_RIGHT)
			wrong(name, "a page is lost");
	}
}

static void try_use(size_t i)
{
	int error;

	arrange();
	fault_begin(&run.plan);
	error = uses[i].act();
	/* What is being written while it fails would be told to who puts next. */
	vmsi_lock_acquire(&used.swap->lock);
	vmsi_write_drain(used.swap);
	vmsi_lock_release(&used.swap->lock);
	run.result = fault_end();
	if (error && !run.result.failed)
		wrong(uses[i].name, "it fails without a reason");
	error = uses[i].act();
	if (error)
		print_message("# errno %d\n", -error);
	if (error)
		wrong(uses[i].name, "it fails when the host does no more");
	expect_all(uses[i].name);
	vmsi_swap_close(used.swap);
	vmsi_io_close(used.io);
	(void)fault_sweep_refused(0, 0);
}

static void use(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++) {
		begin_plans();
		while (next_plan())
			try_use(i);
	}
}

static int choose_path(void **state)
{
	const int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(use),
	};
	int failed;

	fault_stay_on_one_processor();
	fault_install();
	/* The kernel refuses none of these, and who sleeps could not be told of it. */
	vmsi_host.futex_wake = fault_real.futex_wake;
	failed = cmocka_run_group_tests(tests, choose_path, NULL);
	fault_remove();
	return failed;
}
