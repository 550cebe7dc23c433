/* SPDX-License-Identifier: MIT */
#include <fcntl.h>

#include "budget_objects.h"

/* Objects that several mappings, spaces and budgets of one process hold. */

/* --- one process --------------------------------------------------------- */

static void a_file_in_memory_is_charged_while_it_is_mapped(void **state)
{
	int fd = make_file(40);
	void *whole = map_file(space, fd, 40, MAP_SHARED);
	void *part = map_file(space, fd, 1, MAP_SHARED);
	void *elsewhere = map_file(second, fd, 10, MAP_SHARED);

	(void)state;
	assert_int_equal(charged_pages(), 40);
	/* Neither Linux nor the space's ledger charges a mapped file. */
	assert_int_equal(stats_now().committed, 0);
	unmap(space, whole, 39);
	unmap(space, part, 1);
	assert_int_equal(charged_pages(), 40);
	unmap(space, (char *)whole + bytes(39), 1);
	assert_int_equal(charged_pages(), 40);
	unmap(second, elsewhere, 10);
	assert_int_equal(charged_pages(), 0);
	assert_int_equal(stats_of(budget).committed_peak, bytes(40));
	close(fd);
}

static void what_is_mapped_private_holds_nothing(void **state)
{
	int fd = make_file(40);
	void *copy = map_file(space, fd, 10, MAP_PRIVATE);
	void *memory;

	(void)state;
	assert_int_equal(charged_pages(), 10);
	memory = map_file(space, fd, 40, MAP_SHARED);
	assert_int_equal(charged_pages(), 50);
	unmap(space, memory, 40);
	assert_int_equal(charged_pages(), 10);
	unmap(space, copy, 10);
	assert_int_equal(charged_pages(), 0);
	close(fd);
}

static void other_files_are_not_charged(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	void *memory = vms_mmap(space, NULL, bytes(1), PROT_READ, MAP_SHARED,
				fd, 0);

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(charged_pages(), 0);
	unmap(space, memory, 1);
	close(fd);
}

static void a_file_that_has_grown_is_seen_when_it_is_mapped_again(void **state)
{
	int fd = make_file(10);
	char *memory = map_file(space, fd, 10, MAP_SHARED), *again;

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)bytes(30)), 0);
	again = map_file(second, fd, 1, MAP_SHARED);
	assert_int_equal(charged_pages(), 30);
	unmap(second, again, 1);
	assert_int_equal(charged_pages(), 30);
	/* mremap asks for 50 pages, so these are charged before the file is read. */
	assert_int_equal(ftruncate(fd, (off_t)bytes(50)), 0);
	again = vms_mremap(space, memory, bytes(10), bytes(50), MREMAP_MAYMOVE,
			   NULL);
	assert_ptr_not_equal(again, MAP_FAILED);
	assert_int_equal(charged_pages(), 50);
	assert_int_equal(ftruncate(fd, (off_t)bytes(101)), 0);
	assert_map_fails(vms_mmap(second, NULL, bytes(1), RW, MAP_SHARED, fd, 0),
			 ENOMEM);
	assert_int_equal(charged_pages(), 50);
	unmap(space, again, 50);
	assert_int_equal(charged_pages(), 0);
	close(fd);
}

static void anonymous_memory_keeps_its_size(void **state)
{
	char *memory = map_as(0, 20, RW, SHARED), *alias;

	(void)state;
	assert_int_equal(charged_pages(), 20);
	assert_int_equal(stats_now().committed, bytes(20));
	alias = vms_mremap(space, memory, 0, bytes(40), MREMAP_MAYMOVE, NULL);
	assert_ptr_not_equal(alias, MAP_FAILED);
	assert_int_equal(charged_pages(), 20);
	unmap(space, memory, 20);
	unmap(space, alias, 39);
	assert_int_equal(charged_pages(), 20);
	unmap(space, alias + bytes(39), 1);
	assert_int_equal(charged_pages(), 0);
}

static void without_reserve_nothing_is_held(void **state)
{
	const struct vms_budget_options any = {
		.struct_size = sizeof(any), .policy = VMS_COMMIT_ALWAYS,
	};
	vms_budget *lenient = vms_budget_open(&any);
	vms_space *under = open_under(lenient, 0);
	vms_space *without = open_under(budget, VMS_SPACE_FILES_UNCHARGED);
	int fd = make_file(40);

	(void)state;
	(void)map_file(under, fd, 40, MAP_SHARED | MAP_NORESERVE);
	assert_int_equal(stats_of(lenient).committed, 0);
	(void)map_file(under, fd, 40, MAP_SHARED);
	assert_int_equal(stats_of(lenient).committed, bytes(40));
	(void)map_file(without, fd, 40, MAP_SHARED);
	assert_int_equal(charged_pages(), 0);
	assert_int_equal(vms_space_close(under), 0);
	assert_int_equal(vms_space_close(without), 0);
	close_budget(lenient);
	close(fd);
}

/* --- limits -------------------------------------------------------------- */

static void a_refused_object_leaves_all_as_it_was(void **state)
{
	int fd = make_file(60), large = make_file(LIMIT_PAGES + 1);
	void *memory = map_file(space, fd, 60, MAP_SHARED);

	(void)state;
	assert_map_fails(vms_mmap(second, NULL, bytes(41), RW, SHARED, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_map_fails(vms_mmap(second, NULL, bytes(1), RW, MAP_SHARED, large,
				  0), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_int_equal(stats_of(budget).refusals, 2);
	assert_int_equal(charged_pages(), 60);
	assert_int_equal(stats_of(budget).committed_peak, bytes(60));
	/* A second mapping of a charged object fits, however little is left. */
	charge(budget, bytes(40));
	unmap(second, map_file(second, fd, 60, MAP_SHARED), 60);
	uncharge(budget, bytes(40));
	unmap(space, memory, 60);
	assert_int_equal(charged_pages(), 0);
	close(fd);
	close(large);
}

/* A mapping that replaces private memory is charged the difference. */
static void in_place_of_other_memory_the_net_must_fit(void **state)
{
	int fd = make_file(60);

	(void)state;
	(void)map_as(0, 90, RW, ANONYMOUS);
	assert_map_fails(vms_mmap(second, NULL, bytes(60), RW, MAP_SHARED, fd,
				  0), ENOMEM);
	assert_ptr_equal(vms_mmap(space, at(0), bytes(55), RW,
				  MAP_SHARED | MAP_FIXED, fd, 0), at(0));
	assert_int_equal(charged_pages(), 35 + 60);
	assert_int_equal(stats_of(budget).committed_peak, bytes(95));
	/* The object is charged already, so replacing the rest only uncharges. */
	assert_ptr_equal(vms_mmap(space, at(55), bytes(35), RW,
				  MAP_SHARED | MAP_FIXED, fd, 0), at(55));
	assert_int_equal(charged_pages(), 60);
	assert_ptr_equal(vms_mmap(space, at(0), bytes(90), RW,
				  ANONYMOUS | MAP_FIXED, -1, 0), MAP_FAILED);
	assert_int_equal(charged_pages(), 60);
	close(fd);
}

static void each_level_is_charged_once(void **state)
{
	vms_budget *left = open_strict(bytes(50), budget);
	vms_budget *right = open_strict(bytes(30), budget);
	vms_space *in_left = open_under(left, 0);
	vms_space *in_right = open_under(right, 0);
	int fd = make_file(40), small = make_file(20);
	void *memory;

	(void)state;
	memory = map_file(in_left, fd, 40, MAP_SHARED);
	(void)map_file(space, fd, 40, MAP_SHARED);
	(void)map_file(in_right, small, 20, MAP_SHARED);
	assert_map_fails(vms_mmap(in_left, NULL, bytes(20), RW, MAP_SHARED,
				  small, 0), ENOMEM);
	unmap(in_left, memory, 40);
	assert_int_equal(stats_of(left).committed, 0);
	assert_int_equal(charged_pages(), 60);
	(void)map_file(in_left, small, 20, MAP_SHARED);
	assert_int_equal(stats_of(left).committed, bytes(20));
	assert_int_equal(stats_of(right).committed, bytes(20));
	assert_int_equal(charged_pages(), 60);
	assert_map_fails(vms_mmap(in_right, NULL, bytes(40), RW, MAP_SHARED, fd,
				  0), ENOMEM);
	assert_int_equal(stats_of(right).refusals, 1);
	assert_int_equal(vms_space_close(in_left), 0);
	assert_int_equal(charged_pages(), 60);
	assert_int_equal(vms_space_close(in_right), 0);
	assert_int_equal(charged_pages(), 40);
	close_budget(left);
	close_budget(right);
	close(fd);
	close(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_file_in_memory_is_charged_while_it_is_mapped),
		BOTH(what_is_mapped_private_holds_nothing),
		BOTH(other_files_are_not_charged),
		BOTH(a_file_that_has_grown_is_seen_when_it_is_mapped_again),
		BOTH(anonymous_memory_keeps_its_size),
		BOTH(without_reserve_nothing_is_held),
		BOTH(a_refused_object_leaves_all_as_it_was),
		BOTH(in_place_of_other_memory_the_net_must_fit),
		BOTH(each_level_is_charged_once),
	};

	return cmocka_run_group_tests_name("budget_objects", tests, NULL, NULL);
}
