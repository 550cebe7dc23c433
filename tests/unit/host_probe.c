/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "space_fixture.h"

/*
 * Answers about the machine are kept for the life of a process, so each question to
 * a host that lies is asked in a child.
 */

static void sizes_are_those_of_the_system(void **state)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
			   "re");
	unsigned long huge;

	(void)state;
	assert_int_equal(vmsi_page_size(), sysconf(_SC_PAGESIZE));
	if (file) {
		assert_int_equal(fscanf(file, "%lu", &huge), 1);
		fclose(file);
		assert_int_equal(vmsi_huge_page_size(), huge);
	}
	assert_true(vmsi_is_aligned(vmsi_huge_page_size(), vmsi_page_size()));
}

static void the_size_of_hugetlb_pages_is_of_meminfo(void **state)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long kilobytes = 0;
	char line[256];

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "Hugepagesize:", 13) == 0)
			kilobytes = strtoul(line + 13, NULL, 10);
	fclose(file);
	assert_int_equal(vmsi_hugetlb_page_size(), kilobytes << 10);
}

static void the_address_limit_is_above_all_there_is(void **state)
{
	int local;

	(void)state;
	assert_true((uintptr_t)&local < vmsi_address_limit());
	assert_map_fails(mmap((void *)vmsi_address_limit(), bytes(1), PROT_READ,
			      ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
}

static void a_hole_in_a_range_is_seen(void **state)
{
	char *memory = mmap(NULL, bytes(5), PROT_NONE, ANONYMOUS, -1, 0);
	struct vmsi_range range = { (uintptr_t)memory,
				    (uintptr_t)memory + bytes(5) };

	(void)state;
	assert_true(memory != MAP_FAILED);
	assert_int_equal(vmsi_host_is_mapped(range), 1);
	assert_int_equal(munmap(memory + bytes(2), bytes(1)), 0);
	assert_int_equal(vmsi_host_is_mapped(range), 0);
	range.end = range.start + bytes(2);
	assert_int_equal(vmsi_host_is_mapped(range), 1);
	munmap(memory, bytes(5));
}

static void the_map_limit_is_not_reached_here(void **state)
{
	uintptr_t probe;

	(void)state;
	assert_int_equal(vmsi_host_make_probe(&probe), 0);
	assert_false(vmsi_host_at_map_limit(probe));
	assert_false(vmsi_host_at_map_limit(probe));
	vmsi_host_drop_probe(probe);
}

/* --- under a host that answers otherwise ---------------------------------------- */

static long refuse_open(const char *path)
{
	(void)path;
	return -ENOENT;
}

static long (*usual_mremap)(uintptr_t old_address, size_t old_length,
			    size_t new_length, int flags,
			    uintptr_t new_address);

static long know_no_dontunmap(uintptr_t old_address, size_t old_length,
			      size_t new_length, int flags,
			      uintptr_t new_address)
{
	if (flags & MREMAP_DONTUNMAP)
		return -EINVAL;
	return usual_mremap(old_address, old_length, new_length, flags,
			    new_address);
}

static long refuse_mprotect(uintptr_t address, size_t length, int prot)
{
	(void)address;
	(void)length;
	(void)prot;
	return -ENOMEM;
}

static bool without_sysfs(void)
{
	vmsi_host.open = refuse_open;
	return vmsi_huge_page_size() ==
		vmsi_page_size() * (vmsi_page_size() / 8) &&
		vmsi_hugetlb_page_size() == 0;
}

static bool without_dontunmap(void)
{
	usual_mremap = vmsi_host.mremap;
	vmsi_host.mremap = know_no_dontunmap;
	return !vmsi_host_keeps_moved_objects() &&
		!vmsi_host_keeps_moved_objects();
}

static bool at_the_map_limit(void)
{
	uintptr_t probe;

	if (vmsi_host_make_probe(&probe))
		return false;
	vmsi_host.mprotect = refuse_mprotect;
	return vmsi_host_at_map_limit(probe);
}

static void expect_in_child(bool (*holds)(void))
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(holds() ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void sizes_are_guessed_where_the_system_does_not_tell(void **state)
{
	(void)state;
	expect_in_child(without_sysfs);
}

static void a_host_that_keeps_no_objects_is_known(void **state)
{
	(void)state;
	expect_in_child(without_dontunmap);
}

static void the_map_limit_is_known_when_reached(void **state)
{
	(void)state;
	expect_in_child(at_the_map_limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/*
		 * This must be first, while nothing has been asked in this process.
		 */
		cmocka_unit_test(
			sizes_are_guessed_where_the_system_does_not_tell),
		cmocka_unit_test(a_host_that_keeps_no_objects_is_known),
		cmocka_unit_test(the_map_limit_is_known_when_reached),
		cmocka_unit_test(sizes_are_those_of_the_system),
		cmocka_unit_test(the_size_of_hugetlb_pages_is_of_meminfo),
		cmocka_unit_test(the_address_limit_is_above_all_there_is),
		cmocka_unit_test(a_hole_in_a_range_is_seen),
		cmocka_unit_test(the_map_limit_is_not_reached_here),
	};

	return cmocka_run_group_tests_name("host_probe", tests, NULL, NULL);
}
