/* SPDX-License-Identifier: MIT */
#include "../unit/descriptors.h"
#include "../unit/share_fixture.h"
#include "host_fault.h"
#include "host_fault_files.h"
#include "snapshot.h"

/*
 * Every host call of every operation on a share is failed in turn: once, and from then
 * on. An operation that fails has left the share as it was, to this process and to
 * others; made again, it works.
 */

#define CALLS_MAX 300

static struct {
	const struct place *place;
	vms_share *share, *other; /* two attachments */
	size_t page;
	char *address;         /* where nothing is */
	struct fault_plan plan;
	struct fault_result result;
	unsigned locks_refused;
} run;

#define ALL UINT64_MAX
#define PAGES_BEFORE 3
#define PAGES_MOST 16

/* Sizes are in pages. */
struct scenario {
	const char *name;
	int (*act)(void);
	bool has_path;
	uint64_t used;         /* before */
	uint64_t size_after, used_after;
};

static void wrong(const struct scenario *scenario, const char *what)
{
	fail_msg("%s%s, host call %u (%s, errno %d) failed, mode %d: %s",
		 scenario->name, scenario->has_path ? ", of a file" : "",
		 run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

static uint64_t bytes_of(uint64_t pages)
{
	return (pages == ALL ? PAGES_MOST : pages) * run.page;
}

static char pattern(uint64_t offset)
{
	return (char)(offset * 131 + (offset >> 12) * 7 + 1);
}

/* link is not in the table of calls that fail; it fails as unlink does. */
static long fail_link(int fd, const char *path)
{
	const long error = fault_decide(CALL_UNLINK);

	return error ? error : fault_real.link(fd, path);
}

/*
 * The kernel always lets go of the end of a lock, for which it needs no memory. (Another
 * part of one it does not always.)
 */
static long fail_lock(int fd, int command, struct flock *lock)
{
	const long error = lock->l_type == F_UNLCK ? 0 :
		fault_decide(CALL_FILE_LOCK);

	run.locks_refused += error != 0;
	return error ? error : fault_real.file_lock(fd, command, lock);
}

/* --- operations ---------------------------------------------------------------------- */

static int grow(void)
{
	return vms_share_grow(run.share, bytes_of(5));
}

static int extend(void)
{
	uint64_t offset = 0;
	const int result = vms_share_extend(run.share, bytes_of(2), &offset);

	if (offset != (result == 0 ? bytes_of(PAGES_BEFORE) : 0))
		fail_msg("an extension is somewhere else");
	return result;
}

static int use_less(void)
{
	return vms_share_use(run.share, bytes_of(1));
}

static int use_all(void)
{
	return vms_share_use(run.share, UINT64_MAX);
}

static int shrink(void)
{
	return vms_share_shrink(run.share, bytes_of(1));
}

static int read_only_fd(void)
{
	const int fd = vms_share_read_only_fd(run.share);

	return fd < 0 ? -1 : close(fd);
}

static int forbid_writers(void)
{
	return vms_share_forbid_writers(run.share);
}

static int get_stats(void)
{
	struct vms_share_stats stats = { .struct_size = sizeof(stats) };

	return vms_share_get_stats(run.share, &stats);
}

#define BOTH(title, action, ...)                     \
	{ title, action, false, __VA_ARGS__ },       \
	{ title, action, true, __VA_ARGS__ }

static const struct scenario scenarios[] = {
	BOTH("grow", grow, ALL, 5, ALL),
	BOTH("grow beyond what is used", grow, 1, 5, 5),
	BOTH("extend", extend, ALL, 5, ALL),
	BOTH("extend beyond what is used", extend, 1, 5, 5),
	BOTH("use less", use_less, ALL, PAGES_BEFORE, 1),
	BOTH("use all", use_all, 1, PAGES_BEFORE, ALL),
	BOTH("shrink", shrink, ALL, 1, ALL),
	BOTH("shrink to what is used", shrink, 1, 1, 1),
	BOTH("shrink, using nothing", shrink, 0, 1, 0),
	BOTH("a descriptor to read", read_only_fd, ALL, PAGES_BEFORE, ALL),
	{ "forbid writers", forbid_writers, false, ALL, PAGES_BEFORE, ALL },
	BOTH("figures", get_stats, ALL, PAGES_BEFORE, ALL),
};

/* --- the state ------------------------------------------------------------------------- */

static void arrange(const struct scenario *scenario)
{
	char *bytes;

	run.share = vms_share_create(scenario->has_path ? run.place->path : NULL,
				     bytes_of(PAGES_BEFORE), bytes_of(ALL), NULL);
	assert_non_null(run.share);
	run.other = attach_with(vms_share_fd(run.share), VMS_SHARE_UNSEALED);
	assert_non_null(run.other);
	bytes = vms_share_at(run.share, 0, bytes_of(PAGES_BEFORE));
	for (uint64_t i = 0; i < bytes_of(PAGES_BEFORE); i++)
		bytes[i] = pattern(i);
	worked(vms_share_use(run.share, bytes_of(scenario->used)));
	worked(vms_share_use(run.other, bytes_of(1)));
}

static void clear(void)
{
	worked(vms_share_close(run.other));
	worked(vms_share_close(run.share));
	(void)unlink(run.place->path);
}

#define FIRST_LOCK ((off_t)1 << 62)

/* The lock of run.share that keeps the other from one of a type. */
static struct flock lock_against(short type)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET,
		.l_start = FIRST_LOCK, .l_len = (off_t)bytes_of(ALL),
	};

	assert_int_equal(fault_real.file_lock(vms_share_fd(run.other), F_OFD_GETLK,
					      &lock), 0);
	return lock;
}

/*
 * A shrink that was let do its work may be refused the locks that the process had before:
 * then it uses less.
 */
static bool may_use(const struct scenario *scenario, uint64_t used)
{
	return scenario->size_after < PAGES_BEFORE && run.locks_refused > 0 &&
		used == bytes_of(scenario->size_after);
}

/* What others are told that run.share uses. */
static void must_be_told(const struct scenario *scenario, uint64_t used)
{
	const struct flock lock = lock_against(F_WRLCK);

	if (lock_against(F_RDLCK).l_type != F_UNLCK)
		wrong(scenario, "others are kept out");
	if (used == 0 ? lock.l_type != F_UNLCK :
			lock.l_type != F_RDLCK || lock.l_start != FIRST_LOCK ||
			lock.l_len != (off_t)used)
		wrong(scenario, "others are told of another use");
}

static void must_have(const struct scenario *scenario, uint64_t size, uint64_t used)
{
	const char *bytes = vms_share_base(run.other);
	const uint64_t now_used = stats_of(run.share).used;

	if (vms_share_size(run.share) != size || vms_share_size(run.other) != size)
		wrong(scenario, "its size is another");
	if (now_used != used && !may_use(scenario, now_used))
		wrong(scenario, "it uses something else");
	must_be_told(scenario, now_used);
	for (uint64_t i = 0; i < size; i++)
		if (bytes[i] != (i < bytes_of(PAGES_BEFORE) ? pattern(i) : 0))
			wrong(scenario, "its bytes are others");
}

/* --- the sweep --------------------------------------------------------------------------- */

static void must_be_as_after(const struct scenario *scenario)
{
	must_have(scenario, bytes_of(scenario->size_after),
		  bytes_of(scenario->used_after));
}

static bool fail_one(const struct scenario *scenario)
{
	int result;

	arrange(scenario);
	run.locks_refused = 0;
	errno = ERRNO_BEFORE;
	fault_begin(&run.plan);
	result = scenario->act();
	run.result = fault_end();
	if (result == 0 && errno != ERRNO_BEFORE)
		wrong(scenario, "it has changed errno");
	if (result != 0) {
		must_have(scenario, bytes_of(PAGES_BEFORE),
			  bytes_of(scenario->used));
		if (scenario->act() != 0)
			wrong(scenario, "made again, it does not work");
	}
	must_be_as_after(scenario);
	clear();
	return run.result.failed > 0;
}

static void sweep(void **state)
{
	run.place = *state;
	run.page = page_bytes();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
			for (int which = 0; which < FAULT_ERRNOS; which++)
				for (unsigned n = 1; n < CALLS_MAX; n++) {
					run.plan = fault_plan_of(mode, which, n);
					if (!fail_one(&scenarios[i]))
						break;
				}
}

/* --- opening and closing ------------------------------------------------------------------- */

static vms_share *make(void)
{
	return vms_share_create(NULL, bytes_of(3), bytes_of(ALL), NULL);
}

static vms_share *make_file(void)
{
	return vms_share_create(run.place->path, bytes_of(3), bytes_of(ALL), NULL);
}

static vms_share *make_at_an_address(void)
{
	const struct vms_share_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_SHARE_SAME_ADDRESS,
		.address = run.address,
	};

	return vms_share_create(NULL, bytes_of(3), bytes_of(ALL), &options);
}

static vms_share *attach(void)
{
	return attach_with(vms_share_fd(run.share), VMS_SHARE_UNSEALED);
}

static vms_share *attach_to_read(void)
{
	return attach_with(vms_share_fd(run.share),
			   VMS_SHARE_UNSEALED | VMS_SHARE_READ_ONLY);
}

static vms_share *attach_by_path(void)
{
	return vms_share_attach_path(run.place->path, NULL);
}

static const struct {
	const char *name;
	vms_share *(*open)(void);
	bool attaches;         /* to the share at the path */
} openings[] = {
	{ "make", make, false },
	{ "make a file", make_file, false },
	{ "make at an address", make_at_an_address, false },
	{ "attach", attach, true },
	{ "attach to read", attach_to_read, true },
	{ "attach by path", attach_by_path, true },
};

/* What was there before; where the kernel took nothing back, it is taken back here. */
struct footprint {
	size_t descriptors, bytes;
};

static struct footprint footprint(void)
{
	(void)fault_sweep_refused(0, 0);
	return (struct footprint){ descriptors(), process_bytes() };
}

static void leaves_nothing(const char *name, struct footprint before)
{
	const struct footprint after = footprint();

	if (after.descriptors != before.descriptors)
		fail_msg("%s, call %u (%s), mode %d: a descriptor is left", name,
			 run.plan.n, fault_call_name(run.result.call),
			 (int)run.plan.mode);
	/* A space that cannot be unmapped is left, and its records. */
	if (run.plan.mode == FAULT_ONCE && after.bytes != before.bytes)
		fail_msg("%s, call %u (%s), mode %d: memory is left", name,
			 run.plan.n, fault_call_name(run.result.call),
			 (int)run.plan.mode);
}

/* A share that was opened works; of one that was not nothing is left. */
static bool fail_opening(size_t which)
{
	const struct footprint before = footprint();
	const char *name = openings[which].name;
	vms_share *share;

	errno = ERRNO_BEFORE;
	fault_begin(&run.plan);
	share = openings[which].open();
	run.result = fault_end();
	if (share && errno != ERRNO_BEFORE)
		fail_msg("%s, call %u: it has changed errno", name, run.plan.n);
	if (share && !vms_share_at(share, bytes_of(3) - 1, 1))
		fail_msg("%s, call %u: it does not have its size", name, run.plan.n);
	if (!share && !openings[which].attaches && run.plan.mode == FAULT_ONCE &&
	    access(run.place->path, F_OK) == 0)
		fail_msg("%s, call %u: the file is still there", name, run.plan.n);
	worked(vms_share_close(share));
	leaves_nothing(name, before);
	if (!openings[which].attaches)
		(void)unlink(run.place->path);
	return run.result.failed > 0;
}

static void sweep_opening(size_t which)
{
	vms_share *warm;

	run.share = openings[which].attaches ? make_file() : make();
	assert_non_null(run.share);
	/* What the library and libc keep from the first time on. */
	warm = openings[which].open();
	assert_non_null(warm);
	worked(vms_share_close(warm));
	if (!openings[which].attaches)
		(void)unlink(run.place->path);
	for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
		for (int error = 0; error < FAULT_ERRNOS; error++)
			for (unsigned n = 1; n < CALLS_MAX; n++) {
				run.plan = fault_plan_of(mode, error, n);
				if (!fail_opening(which))
					break;
			}
	worked(vms_share_close(run.share));
	(void)unlink(run.place->path);
}

/* In the midst of a free range, where the kernel places nothing. */
static void find_address(void)
{
	const size_t length = (size_t)1 << 30;
	char *place = mmap(NULL, length, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(place, MAP_FAILED);
	run.address = place + length / 2;
	assert_int_equal(munmap(place, length), 0);
}

static void opening(void **state)
{
	run.place = *state;
	run.page = page_bytes();
	find_address();
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++)
		sweep_opening(i);
}

/* Where it cannot be closed, it is as before. */
static bool fail_closing(void)
{
	const struct footprint before = footprint();
	int result;

	run.share = make();
	assert_non_null(run.share);
	run.other = attach();
	assert_non_null(run.other);
	fault_begin(&run.plan);
	result = vms_share_close(run.share);
	run.result = fault_end();
	if (result != 0) {
		assert_non_null(vms_share_at(run.share, bytes_of(3) - 1, 1));
		refused(vms_share_shrink(run.other, 0), EBUSY);
		worked(vms_share_close(run.share));
	}
	worked(vms_share_shrink(run.other, 0));
	worked(vms_share_close(run.other));
	leaves_nothing("close", before);
	return run.result.failed > 0;
}

static void closing(void **state)
{
	run.place = *state;
	run.page = page_bytes();
	for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
		for (int error = 0; error < FAULT_ERRNOS; error++)
			for (unsigned n = 1; n < CALLS_MAX; n++) {
				run.plan = fault_plan_of(mode, error, n);
				if (!fail_closing())
					break;
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(sweep),
		file_test(opening),
		file_test(closing),
	};
	int failed;

	fault_install();
	vmsi_host.link = fail_link;
	vmsi_host.file_lock = fail_lock;
	failed = cmocka_run_group_tests_name("share_sweep", tests, NULL, NULL);
	fault_remove();
	return failed;
}
