/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "budget/budget.h"
#include "budget/member.h"
#include "budget/slots.h"
#include "host_fault.h"
#include "snapshot.h"

/*
 * Every host call of the calls on budgets is failed in turn, once and from then
 * on. A call that fails leaves nothing behind, and what is charged stays right.
 */

#define CALLS_MAX 300
#define ERRNO_BEFORE 4711

static const enum fault_mode modes[] = { FAULT_ONCE, FAULT_FROM };
#define MODES (sizeof(modes) / sizeof(modes[0]))

static vms_budget *shared;

static const struct vms_budget_options shared_options = {
	.struct_size = sizeof(struct vms_budget_options),
	.name = "swept",
	.limit = 1000,
	.policy = VMS_COMMIT_STRICT,
	.flags = VMS_BUDGET_SHARED,
};

static vms_budget *open_private(void)
{
	return vms_budget_open(NULL);
}

static vms_budget *open_shared(void)
{
	return vms_budget_open(&shared_options);
}

static vms_budget *join(void)
{
	return vms_budget_from_fd(vms_budget_fd(shared));
}

static size_t charged(vms_budget *budget)
{
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	return stats.charged;
}

static int lowest_fd(void)
{
	int fd = dup(STDERR_FILENO);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

/* --- open and close ------------------------------------------------------ */

static const struct way {
	const char *name;
	vms_budget *(*open)(void);
} ways[] = {
	{ "private", open_private },
	{ "shared", open_shared },
	{ "joined", join },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* What came of a plan. */
struct attempt {
	bool made;      /* the plan's call was made */
	bool leaked;    /* addresses were left behind */
};

static struct attempt try_open_once(const struct way *way,
				    const struct fault_plan *plan)
{
	const size_t before = process_bytes();
	const int fd = lowest_fd();
	struct fault_result result;
	vms_budget *budget;
	int error;

	errno = ERRNO_BEFORE;
	fault_begin(plan);
	budget = way->open();
	result = fault_end();
	error = errno;
	if (budget) {
		assert_int_equal(error, ERRNO_BEFORE);
		assert_int_equal(vms_budget_charge(budget, 10), 0);
		assert_int_equal(charged(budget), 10);
		assert_int_equal(vms_budget_close(budget), 0);
	} else {
		assert_int_not_equal(error, ERRNO_BEFORE);
		assert_true(error > 0 && error < 4096);
	}
	fault_sweep_refused(0, 0);
	assert_int_equal(lowest_fd(), fd);
	assert_int_equal(charged(shared), 0);
	return (struct attempt){ result.calls >= plan->n,
				 process_bytes() != before };
}

/*
 * Whether the plan's call was made. The program's own runtime may map memory
 * too, though not each time.
 */
static bool try_open(const struct way *way, const struct fault_plan *plan)
{
	struct attempt attempt = try_open_once(way, plan);

	for (int i = 0; attempt.leaked && i < 3; i++)
		attempt = try_open_once(way, plan);
	if (attempt.leaked)
		fail_msg("%s, host call %u: addresses were left behind",
			 way->name, plan->n);
	return attempt.made;
}

static void what_cannot_be_opened_leaves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < WAYS; i++)
		for (size_t mode = 0; mode < MODES; mode++)
			for (enum fault_errno which = 0; which < FAULT_ERRNOS;
			     which++) {
				struct fault_plan plan = {
					.mode = modes[mode],
					.which = which,
				};

				do
					assert_true(++plan.n < CALLS_MAX);
				while (try_open(&ways[i], &plan));
			}
}

static bool try_close(const struct way *way, const struct fault_plan *plan)
{
	const int fd = lowest_fd();
	vms_budget *budget = way->open();
	struct fault_result result;
	int status;

	assert_non_null(budget);
	assert_int_equal(vms_budget_charge(budget, 10), 0);
	fault_begin(plan);
	status = vms_budget_close(budget);
	result = fault_end();
	assert_int_equal(status, 0);
	fault_sweep_refused(0, 0);
	assert_int_equal(lowest_fd(), fd);
	/* Whatever the host refused, the charge is back. */
	assert_int_equal(charged(shared), 0);
	return result.calls >= plan->n;
}

static void closing_succeeds_whatever_the_host_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < WAYS; i++)
		for (size_t mode = 0; mode < MODES; mode++) {
			struct fault_plan plan = { .mode = modes[mode] };

			do
				assert_true(++plan.n < CALLS_MAX);
			while (try_close(&ways[i], &plan));
		}
}

/* --- charging ------------------------------------------------------------ */

/* A process that has ended, and has left a charge of 600. */
static void leave_a_charge(void)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(vms_budget_charge(shared, 600) == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static bool try_charge(const struct fault_plan *plan)
{
	struct fault_result result;
	int status;

	leave_a_charge();
	fault_begin(plan);
	status = vms_budget_charge(shared, 500);
	result = fault_end();
	/* Who is dead may not be found out then, and is the next time. */
	assert_true(status == 0 || (errno == ENOMEM && result.failed));
	assert_int_equal(charged(shared), status == 0 ? 500 : 0);
	if (status == 0)
		assert_int_equal(vms_budget_uncharge(shared, 500), 0);
	assert_int_equal(vms_budget_charge(shared, 1000), 0);
	assert_int_equal(vms_budget_uncharge(shared, 1000), 0);
	return result.calls >= plan->n;
}

static void a_charge_is_made_or_not(void **state)
{
	(void)state;
	for (size_t mode = 0; mode < MODES; mode++) {
		struct fault_plan plan = { .mode = modes[mode] };

		do
			assert_true(++plan.n < CALLS_MAX);
		while (try_charge(&plan));
	}
}

/* --- spaces -------------------------------------------------------------- */

#define SPACE_PAGES 200
#define RW (PROT_READ | PROT_WRITE)

static vms_space *space;
static size_t page;

static char *at(size_t i)
{
	return (char *)vms_space_base(space) + i * page;
}

static void map_at(size_t i, size_t pages, int prot, int flags)
{
	(void)vms_mmap(space, at(i), pages * page, prot,
		       flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void replace(void)
{
	map_at(5, 20, RW, MAP_PRIVATE);
}

static void replace_by_less(void)
{
	map_at(0, 30, PROT_READ, MAP_PRIVATE);
}

static void replace_shared(void)
{
	map_at(35, 20, RW, MAP_PRIVATE);
}

static void unmap_middle(void)
{
	(void)vms_munmap(space, at(3), 40 * page);
}

static void protect_all(void)
{
	(void)vms_mprotect(space, at(60), 20 * page, RW);
}

static void move_over(void)
{
	(void)vms_mremap(space, at(0), 10 * page, 15 * page,
			 MREMAP_MAYMOVE | MREMAP_FIXED, at(40));
}

static void keep_source(void)
{
	(void)vms_mremap(space, at(0), 10 * page, 10 * page,
			 MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
}

static void grow(void)
{
	(void)vms_mremap(space, at(0), 20 * page, 25 * page, MREMAP_MAYMOVE,
			 NULL);
}

static void uncharge_part(void)
{
	(void)vms_decommit(space, at(5), 5 * page, VMS_DECOMMIT_UNCHARGE);
}

static void (*const operations[])(void) = {
	replace, replace_by_less, replace_shared, unmap_middle, protect_all,
	move_over, keep_source, grow, uncharge_part,
};

/* 0: private, 30: shared, 60: without rights. */
static void furnish(vms_budget *budget)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.budget = budget,
	};

	space = vms_space_open(SPACE_PAGES * page, &options);
	assert_non_null(space);
	map_at(0, 20, RW, MAP_PRIVATE);
	map_at(30, 20, RW, MAP_SHARED);
	map_at(60, 20, PROT_NONE, MAP_PRIVATE);
	*at(1) = 1;
	*at(7) = 1;
}

static bool try_operation(void (*operation)(void),
			  const struct fault_plan *plan)
{
	vms_budget *budget = vms_budget_open(NULL);
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };
	struct fault_result result;

	assert_non_null(budget);
	furnish(budget);
	assert_int_equal(charged(budget), 40 * page);
	fault_begin(plan);
	operation();
	result = fault_end();
	assert_int_equal(vms_space_get_stats(space, &stats), 0);
	assert_int_equal(charged(budget), stats.committed);
	assert_int_equal(vms_space_close(space), 0);
	assert_int_equal(charged(budget), 0);
	assert_int_equal(vms_budget_close(budget), 0);
	fault_sweep_refused(0, 0);
	return result.calls >= plan->n;
}

static void a_budget_stays_the_sum_whatever_fails(void **state)
{
	const enum fault_mode all[] = { FAULT_ONCE, FAULT_FROM,
					FAULT_DESTROYING };

	(void)state;
	page = vmsi_page_size();
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		for (size_t mode = 0; mode < sizeof(all) / sizeof(*all);
		     mode++) {
			struct fault_plan plan = { .mode = all[mode] };

			do
				assert_true(++plan.n < CALLS_MAX);
			while (try_operation(operations[i], &plan));
		}
}

/* --- objects ------------------------------------------------------------- */

#define FILE_PAGES 20
#define GROWN_PAGES 30

static int file;

static void map_file_at(size_t i, size_t pages)
{
	(void)vms_mmap(space, at(i), pages * page, RW, MAP_SHARED | MAP_FIXED,
		       file, 0);
}

static void map_first(void)
{
	map_file_at(100, 5);
}

static void replace_by_file(void)
{
	map_file_at(5, 20);
}

static void map_grown(void)
{
	map_file_at(100, 5);
	(void)ftruncate(file, (off_t)(GROWN_PAGES * page));
	map_file_at(3, 5);
}

static void replace_file(void)
{
	map_file_at(0, 10);
	map_at(0, 10, RW, MAP_SHARED);
}

static void replace_file_by_itself(void)
{
	map_file_at(0, 10);
	map_file_at(0, 10);
}

static void unmap_parts_of_file(void)
{
	map_file_at(100, 20);
	(void)vms_munmap(space, at(105), 5 * page);
	(void)vms_munmap(space, at(95), 20 * page);
	(void)vms_munmap(space, at(115), 5 * page);
}

static void move_file(void)
{
	map_file_at(100, 10);
	(void)vms_mremap(space, at(100), 10 * page, 10 * page,
			 MREMAP_MAYMOVE | MREMAP_FIXED, at(5));
	(void)vms_mremap(space, at(5), 0, 10 * page, MREMAP_MAYMOVE, NULL);
}

static void (*const object_operations[])(void) = {
	map_first, replace_by_file, map_grown, replace_file,
	replace_file_by_itself, unmap_parts_of_file, move_file,
};

/* Whether the file is mapped, and the space's own charge, as it lists them. */
static bool file_is_listed(void)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	uintptr_t cursor = 0;

	while (vms_space_next_mapping(space, &cursor, &info, 0) > 0)
		if (info.inode)
			return true;
	return false;
}

/*
 * What a call found the file to be as long as is kept where it fails then, for
 * as long as the file is mapped.
 */
static void check_object_charge(vms_budget *budget, size_t own)
{
	size_t held = charged(budget) - own;

	if (!file_is_listed())
		assert_int_equal(held, 0);
	else if (held != GROWN_PAGES * page)
		assert_int_equal(held, FILE_PAGES * page);
}

static bool try_objects(vms_budget *(*open)(void), void (*operation)(void),
			const struct fault_plan *plan)
{
	vms_budget *budget = open();
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };
	struct fault_result result;

	assert_non_null(budget);
	assert_int_equal(vms_budget_set_limit(budget, SIZE_MAX / 2), 0);
	assert_int_equal(ftruncate(file, (off_t)(FILE_PAGES * page)), 0);
	furnish(budget);
	fault_begin(plan);
	operation();
	result = fault_end();
	assert_int_equal(vms_space_get_stats(space, &stats), 0);
	check_object_charge(budget, stats.committed);
	assert_int_equal(vms_space_close(space), 0);
	assert_int_equal(charged(budget), 0);
	assert_int_equal(vms_budget_close(budget), 0);
	fault_sweep_refused(0, 0);
	return result.calls >= plan->n;
}

static void objects_stay_charged_once_whatever_fails(void **state)
{
	const enum fault_mode all[] = { FAULT_ONCE, FAULT_FROM,
					FAULT_DESTROYING };
	const size_t count = sizeof(object_operations) /
		sizeof(*object_operations);

	(void)state;
	page = vmsi_page_size();
	file = memfd_create("object", MFD_CLOEXEC);
	assert_true(file >= 0);
	for (size_t i = 0; i < 2 * count; i++)
		for (size_t mode = 0; mode < sizeof(all) / sizeof(*all);
		     mode++) {
			struct fault_plan plan = { .mode = all[mode] };

			do
				assert_true(++plan.n < CALLS_MAX);
			while (try_objects(i < count ? open_private :
						       open_shared,
					   object_operations[i % count],
					   &plan));
		}
	close(file);
}

/* --- fork ---------------------------------------------------------------- */

enum child_end { NO_SUCH_CALL, WELL, UNSOUND };

/* A child that could not get a place is refused, until it can. */
static enum child_end judge_child(const struct fault_plan *plan)
{
	struct fault_result result = fault_end();
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };

	if (vms_budget_charge(shared, 5) != 0 ||
	    vms_budget_get_stats(shared, &stats) != 0 ||
	    stats.charged_here != 105 || stats.charged != 205 ||
	    vms_budget_uncharge(shared, 105) != 0 || charged(shared) != 100)
		return UNSOUND;
	return result.calls >= plan->n ? WELL : NO_SUCH_CALL;
}

static enum child_end try_fork(const struct fault_plan *plan)
{
	int status;
	pid_t child;

	fault_begin(plan);
	child = fork();
	if (child == 0) {
		/* While nothing can be had, charges are refused. */
		if (plan->mode == FAULT_FROM && plan->n == 1 &&
		    vms_budget_charge(shared, 5) == 0)
			_exit(UNSOUND);
		_exit(judge_child(plan));
	}
	fault_end();
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return (enum child_end)WEXITSTATUS(status);
}

static void a_child_joins_as_soon_as_it_can(void **state)
{
	(void)state;
	assert_int_equal(vms_budget_charge(shared, 100), 0);
	for (size_t mode = 0; mode < MODES; mode++) {
		struct fault_plan plan = { .mode = modes[mode] };
		enum child_end end;

		do {
			assert_true(++plan.n < CALLS_MAX);
			end = try_fork(&plan);
			if (end == UNSOUND)
				fail_msg("host call %u failed (mode %d)",
					 plan.n, (int)plan.mode);
		} while (end == WELL);
	}
	assert_int_equal(vms_budget_uncharge(shared, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_opened_leaves_nothing),
		cmocka_unit_test(closing_succeeds_whatever_the_host_says),
		cmocka_unit_test(a_charge_is_made_or_not),
		cmocka_unit_test(a_budget_stays_the_sum_whatever_fails),
		cmocka_unit_test(objects_stay_charged_once_whatever_fails),
		cmocka_unit_test(a_child_joins_as_soon_as_it_can),
	};

	shared = open_shared();
	fault_install();
	return cmocka_run_group_tests_name("budget_sweep", tests, NULL, NULL);
}
