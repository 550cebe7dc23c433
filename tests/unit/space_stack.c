/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/wait.h>

#include "space_fixture.h"

/* A MAP_GROWSDOWN mapping in a space grows when it is touched below its start. */

#define GUARD_PAGES 256

static char *map_stack(size_t page, size_t pages)
{
	return map_as(page, pages, RW, ANONYMOUS | MAP_GROWSDOWN);
}

/* Return the signal that ends a child which writes to a page; 0 if none does. */
static int signal_of_touching(size_t page)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		*(volatile char *)at(page) = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void it_grows_when_touched(void **state)
{
	(void)state;
	map_stack(1000, 4);
	assert_true(listed_at(1000)->flags & VMS_MAPPING_GROWSDOWN);
	*(volatile char *)at(999) = 1;
	assert_int_equal(listed_at(999)->length, bytes(5));
	assert_int_equal(stats_now().committed, bytes(5));
	assert_int_equal(stats_now().mappings, 1);
	*(volatile char *)at(950) = 2;
	assert_int_equal(listed_at(950)->length, bytes(54));
	assert_int_equal(at(999)[0], 1);
	assert_int_equal(at(950)[0], 2);
	assert_int_equal(stats_now().committed, bytes(54));
}

/* The stack grows by more than a guard gap, with calls in between. */
static void it_grows_on_and_on(void **state)
{
	(void)state;
	map_stack(2000, 1);
	for (size_t page = 1999; page >= 1000; page--) {
		*(volatile char *)at(page) = (char)page;
		if (page % 100 == 0)
			assert_int_equal(listed_at(page)->length,
					 bytes(2001 - page));
	}
	for (size_t page = 1000; page < 2000; page++)
		assert_int_equal(at(page)[0], (char)page);
	assert_int_equal(stats_now().committed, bytes(1001));
}

static void it_grows_above_the_limit(void **state)
{
	(void)state;
	map_stack(1000, 4);
	assert_int_equal(vms_space_set_commit(space, bytes(4),
					      VMS_COMMIT_STRICT), 0);
	*(volatile char *)at(999) = 1;
	assert_int_equal(stats_now().committed, bytes(5));
	assert_map_fails(vms_mmap(space, NULL, bytes(1), RW, ANONYMOUS, -1, 0),
			 ENOMEM);
}

static void a_neighbour_in_the_guard_gap_stops_it(void **state)
{
	(void)state;
	map_stack(1000, 4);
	map_pages(1000 - GUARD_PAGES, 1);
	assert_int_equal(signal_of_touching(999), SIGSEGV);
	assert_int_equal(vms_munmap(space, at(1000 - GUARD_PAGES), bytes(1)),
			 0);
	assert_int_equal(signal_of_touching(999), 0);
}

static void a_neighbour_without_rights_does_not_stop_it(void **state)
{
	(void)state;
	map_stack(1000, 4);
	map_as(990, 2, PROT_NONE, ANONYMOUS);
	assert_int_equal(signal_of_touching(995), 0);
	assert_int_equal(signal_of_touching(991), SIGSEGV);
}

/* Neither the search for a place nor a hint uses the guard gap. */
static void nothing_is_placed_in_the_guard_gap(void **state)
{
	char *memory;

	(void)state;
	map_as(0, 700, PROT_READ, ANONYMOUS);
	map_stack(1000, 4);
	map_as(1004, SPACE_PAGES - 1004 - 100, PROT_READ, ANONYMOUS);
	memory = vms_mmap(space, at(999), bytes(1), RW, ANONYMOUS, -1, 0);
	assert_ptr_equal(memory, at(700));
	assert_map_fails(vms_mmap(space, NULL, bytes(200), RW, ANONYMOUS, -1,
				  0), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_ADDRESSES);
	memory = vms_mmap(space, NULL, bytes(40), RW, ANONYMOUS, -1, 0);
	assert_ptr_equal(memory, at(701));
	*(volatile char *)at(999) = 1;
}

static struct vmsi_host_calls real;

/* Let the host place mappings at the lowest page of the open gap. */
static long mmap_in_the_gap(uintptr_t address, size_t length, int prot,
			    int flags, int fd, uint64_t offset)
{
	long result = -EEXIST;

	if (address == 0)
		result = real.mmap((uintptr_t)at(600), length, prot,
				   flags | MAP_FIXED_NOREPLACE, fd, offset);
	return result < 0 ? real.mmap(address, length, prot, flags, fd, offset) :
			    result;
}

static void no_records_are_put_into_the_gap(void **state)
{
	unsigned char vector[1];
	size_t before;
	vms_handle handle;

	(void)state;
	map_as(590, 10, PROT_READ, ANONYMOUS);
	map_stack(1000, 4);
	assert_fails(mincore(at(600), bytes(1), vector), ENOMEM);
	before = stats_now().metadata;
	real = vmsi_host;
	vmsi_host.mmap = mmap_in_the_gap;
	assert_int_equal(vms_handle_open(space, at(1000), bytes(4), &handle),
			 0);
	vmsi_host = real;
	assert_true(stats_now().metadata > before);
	assert_fails(mincore(at(600), bytes(1), vector), ENOMEM);
	assert_ptr_equal(vms_handle_at(space, handle, 0, 1), at(1000));
	assert_int_equal(vms_handle_close(space, handle), 0);
}

static void its_gap_is_held_again_when_it_is_gone(void **state)
{
	unsigned char vector[1];

	(void)state;
	map_stack(1000, 4);
	assert_fails(mincore(at(990), bytes(1), vector), ENOMEM);
	assert_int_equal(vms_munmap(space, at(1000), bytes(4)), 0);
	/* The reservation covers the page. */
	assert_int_equal(mincore(at(990), bytes(1), vector), 0);
	assert_int_equal(signal_of_touching(990), SIGSEGV);
	map_pages(900, 100)[0] = 1;
}

static void growth_before_it_is_unmapped_is_no_leftover(void **state)
{
	(void)state;
	map_stack(1000, 4);
	*(volatile char *)at(998) = 1;
	assert_int_equal(vms_munmap(space, at(1000), bytes(4)), 0);
	assert_int_equal(listed_at(998)->length, bytes(2));
	assert_int_equal(vms_munmap(space, at(998), bytes(2)), 0);
	assert_int_equal(stats_now().committed, 0);
	assert_int_equal(stats_now().mapped, 0);
}

static void two_stacks_grow_apart(void **state)
{
	(void)state;
	map_stack(1000, 1);
	map_stack(1600, 1);
	*(volatile char *)at(990) = 1;
	*(volatile char *)at(1590) = 2;
	assert_int_equal(listed_at(990)->length, bytes(11));
	assert_int_equal(listed_at(1590)->length, bytes(11));
	assert_int_equal(stats_now().committed, bytes(22));
}

static void it_grows_in_a_child_on_its_own(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	map_stack(1000, 4);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		*(volatile char *)at(980) = 1;
		_exit(stats_now().committed == bytes(24) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(stats_now().committed, bytes(4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(it_grows_when_touched),
		WITH_SPACE(it_grows_on_and_on),
		WITH_SPACE(it_grows_above_the_limit),
		WITH_SPACE(a_neighbour_in_the_guard_gap_stops_it),
		WITH_SPACE(a_neighbour_without_rights_does_not_stop_it),
		WITH_SPACE(nothing_is_placed_in_the_guard_gap),
		WITH_SPACE(no_records_are_put_into_the_gap),
		WITH_SPACE(its_gap_is_held_again_when_it_is_gone),
		WITH_SPACE(growth_before_it_is_unmapped_is_no_leftover),
		WITH_SPACE(two_stacks_grow_apart),
		WITH_SPACE(it_grows_in_a_child_on_its_own),
	};

	return cmocka_run_group_tests_name("space_stack", tests, NULL, NULL);
}
