/* SPDX-License-Identifier: MIT */
#include "../unit/pool_snapshot_fixture.h"
#include "pool_sweep.h"
#include "pool/pool.h"

/*
 * Every host call of a fork with a snapshot, of what the parent saves, and of what the
 * child does is failed in turn: once, and from then on. The parent's pages are in its file
 * whatever fails of what it saves; the child finds a page as it was at the fork, or an
 * errno, and never anything else.
 */

#define CALLS_MAX 400
#define SMALL_FILE 48
#define RAM ((size_t)400 << 10)
#define DIRTY 36          /* in state 1 at the fork, the others in state 0 */

static struct {
	const struct place *place;
	int fd;
	vms_pool *pool;
	size_t touched;
	struct fault_plan plan;
	struct signs signs;
} run;

static vms_pool *open_small(int fd, int saved)
{
	const struct vms_pool_snapshot snapshot = {
		.struct_size = sizeof(snapshot),
		.fd = saved,
		.bytes = 2 * SMALL_FILE * PAGE,
	};
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_NO_WRITER,
		.page_size = PAGE,
		.ram = RAM,
		.depth = 4,
		.snapshot = &snapshot,
	};

	return vms_pool_open(fd, &options);
}

static void arrange(void)
{
	int saved = make_nameless();

	run.fd = make_pages(run.place->path, SMALL_FILE);
	run.pool = open_small(run.fd, saved);
	assert_non_null(run.pool);
	assert_int_equal(close(saved), 0);
	for (uint64_t page = 0; page < DIRTY; page++)
		change(run.pool, page, 1, 0);
	/* There is no room for all, so that the child writes some of what is dirty. */
	assert_true(pool_stats(run.pool).slots < SMALL_FILE);
	run.touched = run.pool->touched_bytes;
	run.signs = make_signs();
}

/* The next write finds that the child is gone, and counts none of its RAM any more. */
static void clear(void)
{
	if (!atomic_load(&run.pool->broken)) {
		change(run.pool, 0, 4, 0);
		worked(vms_pool_flush(run.pool, VMS_POOL_ALL, NULL, NULL));
		assert_int_equal(run.pool->touched_bytes, run.touched);
	}
	drop_signs(&run.signs);
	close_all(run.pool, run.fd);
	(void)fault_sweep_refused(0, 0);
}

/* --- what a child finds ------------------------------------------------------------------------ */

enum found { ALL, SOME, WRONG };

/* Each page as it was, or an errno. */
static enum found look_at_all(void)
{
	enum found found = ALL;

	for (uint64_t page = 0; page < SMALL_FILE; page++) {
		const char *bytes = vms_pool_fix(run.pool, page, VMS_POOL_READ);

		if (!bytes) {
			found = SOME;
			continue;
		}
		if (!page_is(bytes, page, page < DIRTY) ||
		    vms_pool_unfix(run.pool, page) != 0)
			return WRONG;
	}
	return found;
}

/* Whether any call of the process was failed is the exit status; 2: something is wrong. */
static void end_child(bool is_good, bool has_failed)
{
	_exit(is_good ? has_failed : 2);
}

static bool child_has_failed(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		fail_msg("host call %u, mode %d: a child ends with %d", run.plan.n,
			 (int)run.plan.mode, status);
	return WEXITSTATUS(status);
}

/* The parent changes all, and it is in the file. */
static void go_on(void)
{
	for (uint64_t page = 0; page < SMALL_FILE; page++)
		change(run.pool, page, 2, 0);
	worked(vms_pool_flush(run.pool, VMS_POOL_ALL, NULL, NULL));
	for (uint64_t page = 0; page < SMALL_FILE; page++)
		assert_int_equal(state_in_file(run.place->path, page), 2);
}

/* --- one call fails ------------------------------------------------------------------------------- */

/* The handlers of the fork: where they cannot do all, the child has no pool, and knows why. */
static bool fail_fork(void)
{
	struct fault_result result;
	pid_t child;

	arrange();
	fault_begin(&run.plan);
	child = fork();
	result = fault_end();
	if (child == 0) {
		const bool has_none = vms_pool_pages(run.pool) == 0;

		if (!child_awaits(&run.signs))
			end_child(false, false);
		if (has_none)
			end_child(!vms_pool_fix(run.pool, 0, VMS_POOL_READ) && errno != EBADF &&
					  errno != ERANGE && vms_pool_close(run.pool) == 0,
				  true);
		end_child(look_at_all() == ALL && vms_pool_close(run.pool) == 0, false);
	}
	go_on();
	give_sign(&run.signs);
	(void)child_has_failed(child);
	clear();
	return result.failed > 0;
}

/* What the child does; made again it works. */
static bool fail_child(void)
{
	bool has_failed;
	pid_t child;

	arrange();
	child = fork();
	if (child == 0) {
		enum found found;
		struct fault_result result;

		if (!child_awaits(&run.signs))
			end_child(false, false);
		fault_begin(&run.plan);
		found = look_at_all();
		result = fault_end();
		end_child(found != WRONG && (result.failed || found == ALL) &&
				  look_at_all() == ALL,
			  result.failed > 0);
	}
	go_on();
	give_sign(&run.signs);
	has_failed = child_has_failed(child);
	clear();
	return has_failed;
}

/* What the parent writes and saves; what it cannot save is lost to the child only. */
static bool fail_parent(void)
{
	struct fault_result result;
	pid_t child;
	int written;

	arrange();
	child = fork();
	if (child == 0) {
		if (!child_awaits(&run.signs))
			end_child(false, false);
		end_child(look_at_all() != WRONG, false);
	}
	for (uint64_t page = 0; page < SMALL_FILE; page++)
		change(run.pool, page, 3, 0);
	fault_begin(&run.plan);
	written = vms_pool_flush(run.pool, VMS_POOL_ALL, NULL, NULL);
	result = fault_end();
	if (atomic_load(&run.pool->broken))
		assert_int_equal(written, -1);
	else
		go_on();
	give_sign(&run.signs);
	(void)child_has_failed(child);
	clear();
	return result.failed > 0;
}

static void sweep(bool (*fail_one)(void))
{
	for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
		for (int which = 0; which < FAULT_ERRNOS_SWEPT; which++)
			for (unsigned n = 1;; n++) {
				run.plan = (struct fault_plan){
					.mode = (enum fault_mode)mode,
					.n = n,
					.which = (enum fault_errno)which,
				};
				assert_true(n < CALLS_MAX);
				if (!fail_one())
					break;
			}
}

static void forking(void **state)
{
	run.place = *state;
	sweep(fail_fork);
}

static void in_the_child(void **state)
{
	run.place = *state;
	sweep(fail_child);
}

static void in_the_parent(void **state)
{
	run.place = *state;
	sweep(fail_parent);
}

static bool fail_opening(void)
{
	int saved = make_nameless();
	struct fault_result result;

	run.fd = make_pages(run.place->path, SMALL_FILE);
	fault_begin(&run.plan);
	run.pool = open_small(run.fd, saved);
	result = fault_end();
	/* Nothing is left that keeps another from the file. */
	if (!run.pool)
		run.pool = open_small(run.fd, saved);
	assert_non_null(run.pool);
	must_be(run.pool, 5, 0);
	assert_int_equal(close(saved), 0);
	close_all(run.pool, run.fd);
	(void)fault_sweep_refused(0, 0);
	return result.failed > 0;
}

static void opening(void **state)
{
	run.place = *state;
	sweep(fail_opening);
}

/* --- the host --------------------------------------------------------------------------------------- */

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(forking),
		file_test(in_the_child),
		file_test(in_the_parent),
		file_test(opening),
	};
	int failed;

	pool_sweep_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fault_remove();
	return failed;
}
