/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <unistd.h>

#include "space_fixture.h"

/* Commit policies, and what is charged when: docs/semantics.md, "Commit". */

static int open_strict(void **state)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.commit_limit = bytes(100),
		.commit_policy = VMS_COMMIT_STRICT,
	};

	(void)state;
	return open_space_with(&options);
}

#define STRICT(test) \
	cmocka_unit_test_setup_teardown(test, open_strict, close_space)

static size_t committed_pages(void)
{
	return stats_now().committed / vmsi_page_size();
}

static void strict_refuses_the_sum(void **state)
{
	(void)state;
	map_pages(0, 60);
	assert_map_fails(vms_mmap(space, NULL, bytes(41), RW, ANONYMOUS, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	assert_int_equal(stats_now().refusals, 1);
	map_pages(60, 40);
	assert_int_equal(committed_pages(), 100);
	assert_int_equal(vms_munmap(space, at(10), bytes(20)), 0);
	map_pages(200, 20);
	assert_int_equal(stats_now().committed_peak, bytes(100));
}

static void strict_charges_noreserve_too(void **state)
{
	(void)state;
	map_as(0, 60, RW, ANONYMOUS | MAP_NORESERVE);
	assert_int_equal(committed_pages(), 60);
	assert_map_fails(vms_mmap(space, NULL, bytes(41), RW,
				  ANONYMOUS | MAP_NORESERVE, -1, 0), ENOMEM);
}

static void a_replacement_is_charged_the_net(void **state)
{
	(void)state;
	map_pages(0, 90);
	map_pages(0, 100);
	assert_int_equal(committed_pages(), 100);
	map_pages(0, 50);
	assert_int_equal(committed_pages(), 100);
	assert_map_fails(vms_mmap(space, at(0), bytes(101), RW,
				  ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
	assert_int_equal(committed_pages(), 100);
}

static void growth_is_charged(void **state)
{
	char *memory = map_pages(0, 60);

	(void)state;
	assert_map_fails(vms_mremap(space, memory, bytes(60), bytes(101),
				    MREMAP_MAYMOVE, NULL), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	assert_ptr_equal(vms_mremap(space, memory, bytes(60), bytes(100), 0,
				    NULL), memory);
	assert_int_equal(committed_pages(), 100);
	assert_ptr_equal(vms_mremap(space, memory, bytes(100), bytes(10), 0,
				    NULL), memory);
	assert_int_equal(committed_pages(), 10);
	/* A move charges nothing; MREMAP_DONTUNMAP charges the source once more. */
	assert_ptr_equal(vms_mremap(space, memory, bytes(10), bytes(10),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(200)),
			 at(200));
	assert_int_equal(committed_pages(), 10);
	memory = vms_mremap(space, at(200), bytes(10), bytes(10),
			    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	assert_true(memory != MAP_FAILED);
	assert_int_equal(committed_pages(), 20);
}

static void a_growing_move_past_the_limit_has_unmapped_its_target(void **state)
{
	struct vms_mapping_info info;

	(void)state;
	map_pages(0, 40)[0] = 1;
	map_pages(200, 10);
	assert_map_fails(vms_mremap(space, at(0), bytes(40), bytes(120),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(200)),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	assert_int_equal(at(0)[0], 1);
	assert_false(listed_from(200, &info));
	assert_int_equal(committed_pages(), 40);
}

static void protection_decides_the_charge(void **state)
{
	(void)state;
	map_as(0, 60, PROT_NONE, ANONYMOUS);
	assert_int_equal(committed_pages(), 0);
	assert_int_equal(vms_mprotect(space, at(0), bytes(60), RW), 0);
	assert_int_equal(committed_pages(), 60);
	/* No page was touched, so mprotect uncharges them. */
	assert_int_equal(vms_mprotect(space, at(0), bytes(60), PROT_READ), 0);
	assert_int_equal(committed_pages(), 0);
	assert_int_equal(vms_mprotect(space, at(0), bytes(60), RW), 0);
	at(30)[0] = 1;
	assert_int_equal(vms_mprotect(space, at(0), bytes(60), PROT_NONE), 0);
	assert_int_equal(committed_pages(), 60);
	map_as(100, 60, PROT_READ, ANONYMOUS);
	assert_fails(vms_mprotect(space, at(100), bytes(60), RW), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	assert_int_equal(listed_at(100)->prot, PROT_READ);
	assert_int_equal(committed_pages(), 60);
}

static void discarding_does_not_uncharge(void **state)
{
	(void)state;
	memset(map_pages(0, 10), 1, bytes(10));
	assert_int_equal(vms_madvise(space, at(0), bytes(10), MADV_DONTNEED),
			 0);
	assert_int_equal(committed_pages(), 10);
	assert_int_equal(vms_mprotect(space, at(0), bytes(10), PROT_NONE), 0);
	assert_int_equal(committed_pages(), 10);
}

static void files_are_charged_when_private_and_writable(void **state)
{
	int file = memfd_create("commit", MFD_CLOEXEC);
	const struct {
		int prot, flags;
		size_t charged;
	} cases[] = {
		{ PROT_READ, MAP_PRIVATE, 0 },
		{ RW, MAP_PRIVATE, 8 },
		{ PROT_WRITE, MAP_PRIVATE, 8 },
		{ RW, MAP_SHARED, 0 },
		{ PROT_READ | PROT_EXEC, MAP_PRIVATE, 0 },
	};

	(void)state;
	assert_int_equal(ftruncate(file, (off_t)bytes(8)), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ptr_equal(vms_mmap(space, at(0), bytes(8), cases[i].prot,
					  cases[i].flags | MAP_FIXED, file, 0),
				 at(0));
		assert_int_equal(committed_pages(), cases[i].charged);
	}
	assert_ptr_equal(vms_mmap(space, at(0), bytes(8), PROT_READ,
				  MAP_PRIVATE | MAP_FIXED, file, 0), at(0));
	assert_int_equal(vms_mprotect(space, at(2), bytes(3), RW), 0);
	assert_int_equal(committed_pages(), 3);
	close(file);
}

static void shared_memory_is_charged_whatever_its_protection(void **state)
{
	(void)state;
	map_as(0, 60, PROT_NONE, SHARED);
	assert_int_equal(committed_pages(), 60);
	assert_map_fails(vms_mmap(space, NULL, bytes(41), PROT_NONE, SHARED, -1,
				  0), ENOMEM);
	/* The object stays charged while a part of it is mapped. */
	assert_int_equal(vms_munmap(space, at(0), bytes(59)), 0);
	assert_int_equal(committed_pages(), 60);
	/* A mapping of an object grows, and is mapped twice, without a charge. */
	assert_ptr_equal(vms_mremap(space, at(59), bytes(1), bytes(9), 0, NULL),
			 at(59));
	assert_int_equal(committed_pages(), 60);
	assert_int_equal(vms_munmap(space, at(59), bytes(9)), 0);
	assert_int_equal(committed_pages(), 0);
}

/* --- the other policies ------------------------------------------------------------- */

static void heuristic_refuses_a_single_request(void **state)
{
	(void)state;
	assert_int_equal(vms_space_set_commit(space, bytes(100),
					      VMS_COMMIT_HEURISTIC), 0);
	for (size_t i = 0; i < 4; i++)
		map_pages(200 * i, 100);
	assert_int_equal(committed_pages(), 400);
	assert_map_fails(vms_mmap(space, NULL, bytes(101), RW, ANONYMOUS, -1,
				  0), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	map_as(1000, 500, RW, ANONYMOUS | MAP_NORESERVE);
	assert_int_equal(committed_pages(), 400);
}

static void always_refuses_nothing(void **state)
{
	(void)state;
	assert_int_equal(vms_space_set_commit(space, bytes(1),
					      VMS_COMMIT_ALWAYS), 0);
	map_pages(0, 5000);
	map_as(6000, 500, RW, ANONYMOUS | MAP_NORESERVE);
	assert_int_equal(committed_pages(), 5000);
	assert_int_equal(stats_now().refusals, 0);
}

static void a_policy_can_change(void **state)
{
	size_t machine;

	(void)state;
	map_as(0, 50, RW, ANONYMOUS | MAP_NORESERVE);
	map_pages(100, 90);
	assert_int_equal(vms_space_set_commit(space, bytes(80),
					      VMS_COMMIT_STRICT), 0);
	/* Charged memory stays charged, and NORESERVE memory uncharged. */
	assert_int_equal(committed_pages(), 90);
	assert_map_fails(vms_mmap(space, NULL, bytes(1), RW, ANONYMOUS, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_munmap(space, at(100), bytes(20)), 0);
	map_as(300, 10, RW, ANONYMOUS);
	assert_int_equal(committed_pages(), 80);
	assert_int_equal(vms_space_set_commit(space, 0, VMS_COMMIT_STRICT), 0);
	assert_int_equal(vmsi_host.memory_size(&machine), 0);
	assert_int_equal(stats_now().limit, machine);
	assert_fails(vms_space_set_commit(space, bytes(1),
					  (enum vms_commit_policy)3), EINVAL);
	assert_int_equal(stats_now().limit, machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STRICT(strict_refuses_the_sum),
		STRICT(strict_charges_noreserve_too),
		STRICT(a_replacement_is_charged_the_net),
		STRICT(growth_is_charged),
		STRICT(a_growing_move_past_the_limit_has_unmapped_its_target),
		STRICT(protection_decides_the_charge),
		STRICT(discarding_does_not_uncharge),
		STRICT(files_are_charged_when_private_and_writable),
		STRICT(shared_memory_is_charged_whatever_its_protection),
		WITH_SPACE(heuristic_refuses_a_single_request),
		WITH_SPACE(always_refuses_nothing),
		WITH_SPACE(a_policy_can_change),
	};

	return cmocka_run_group_tests_name("space_commit", tests, NULL, NULL);
}
