/* SPDX-License-Identifier: MIT */
#include <sys/mman.h>

#include "budget_sweep.h"

/*
 * Every host call of operations on a space under a budget is failed in turn: the
 * budget stays charged what the space has committed.
 */

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

/* Map private memory at page 0, shared at 30, PROT_NONE at 60. */
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

/* Return whether the space lists a mapping of the file. */
static bool file_is_listed(void)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	uintptr_t cursor = 0;

	while (vms_space_next_mapping(space, &cursor, &info, 0) > 0)
		if (info.inode)
			return true;
	return false;
}

/* A call that fails may leave the file charged at the size that it found. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_budget_stays_the_sum_whatever_fails),
		cmocka_unit_test(objects_stay_charged_once_whatever_fails),
	};

	fault_install();
	return cmocka_run_group_tests_name("budget_spaces", tests, NULL, NULL);
}
