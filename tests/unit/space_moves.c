/* SPDX-License-Identifier: MIT */
#include "space_fixture.h"

#include <stdio.h>
#include <sys/wait.h>

/*
 * What it costs to move a mapping that cannot grow in place: system calls, and
 * kernel mappings. However often it moves, it must stay one mapping in the kernel.
 */

#define MOVES 6
#define FIRST_PAGES 16
#define MOST_CALLS 12

static struct vmsi_host_calls real;
static unsigned calls;

static long count_mmap(uintptr_t address, size_t length, int prot, int flags,
		       int fd, uint64_t offset)
{
	calls++;
	return real.mmap(address, length, prot, flags, fd, offset);
}

static long count_munmap(uintptr_t address, size_t length)
{
	calls++;
	return real.munmap(address, length);
}

static long count_mremap(uintptr_t old, size_t old_length, size_t new_length,
			 int flags, uintptr_t target)
{
	calls++;
	return real.mremap(old, old_length, new_length, flags, target);
}

static long count_mprotect(uintptr_t address, size_t length, int prot)
{
	calls++;
	return real.mprotect(address, length, prot);
}

static void count_calls(void)
{
	real = vmsi_host;
	calls = 0;
	vmsi_host.mmap = count_mmap;
	vmsi_host.munmap = count_munmap;
	vmsi_host.mremap = count_mremap;
	vmsi_host.mprotect = count_mprotect;
}

/* Count the kernel's mappings in a range. */
static unsigned host_mappings(const char *start, size_t length)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	unsigned count = 0;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 &&
		    from < (uintptr_t)start + length && to > (uintptr_t)start)
			count++;
	fclose(maps);
	return count;
}

static size_t twice(size_t pages)
{
	return pages * 2;
}

static size_t half_more(size_t pages)
{
	return pages + pages / 2;
}

static size_t little_more(size_t pages)
{
	return pages + 3;
}

/* Grow a mapping with a neighbour behind it each time; return its address. */
static char *grow_blocked(char *memory, size_t *pages, size_t (*next)(size_t),
			  int written)
{
	for (unsigned i = 0; i < MOVES; i++) {
		size_t more = next(*pages);
		char *moved;

		assert_true(vms_mmap(space, memory + bytes(*pages), bytes(1),
				     PROT_READ, ANONYMOUS | MAP_FIXED_NOREPLACE,
				     -1, 0) != MAP_FAILED);
		count_calls();
		moved = vms_mremap(space, memory, bytes(*pages), bytes(more),
				   MREMAP_MAYMOVE, NULL);
		vmsi_host = real;
		assert_true(moved != MAP_FAILED && moved != memory);
		assert_in_range(calls, 1, MOST_CALLS);
		if (written)
			memset(moved + bytes(*pages), 7,
			       bytes(more) - bytes(*pages));
		memory = moved;
		*pages = more;
	}
	return memory;
}

static void expect_one_after(int flags, size_t (*next)(size_t))
{
	size_t pages = FIRST_PAGES;
	char *memory = map_as(0, pages, RW, flags);

	memset(memory, 7, bytes(pages));
	memory = grow_blocked(memory, &pages, next, !(flags & MAP_SHARED));
	assert_int_equal(host_mappings(memory, bytes(pages)), 1);
	for (size_t at = 0; at < bytes(FIRST_PAGES); at++)
		assert_int_equal(memory[at], 7);
	assert_int_equal(vms_munmap(space, memory, bytes(pages)), 0);
}

static void doubling_leaves_one_mapping(void **state)
{
	(void)state;
	expect_one_after(ANONYMOUS, twice);
}

static void growth_by_half_leaves_one_mapping(void **state)
{
	(void)state;
	expect_one_after(ANONYMOUS, half_more);
}

static void small_steps_leave_one_mapping(void **state)
{
	(void)state;
	expect_one_after(ANONYMOUS, little_more);
}

static void shared_memory_stays_one_mapping(void **state)
{
	(void)state;
	expect_one_after(SHARED, half_more);
}

static void locked_memory_stays_one_mapping(void **state)
{
	size_t pages = FIRST_PAGES;
	char *memory = map_pages(0, pages);

	(void)state;
	assert_int_equal(vms_mlock(space, memory, bytes(pages)), 0);
	memory = grow_blocked(memory, &pages, little_more, 1);
	assert_int_equal(host_mappings(memory, bytes(pages)), 1);
}

static void a_file_stays_one_mapping(void **state)
{
	size_t pages = FIRST_PAGES;
	FILE *file = tmpfile();
	char *memory;

	(void)state;
	assert_non_null(file);
	assert_int_equal(ftruncate(fileno(file), (off_t)bytes(1024)), 0);
	memory = vms_mmap(space, at(0), bytes(pages), RW,
			  MAP_PRIVATE | MAP_FIXED, fileno(file), 0);
	assert_ptr_equal(memory, at(0));
	memset(memory, 7, bytes(pages));
	memory = grow_blocked(memory, &pages, half_more, 1);
	assert_int_equal(host_mappings(memory, bytes(pages)), 1);
	fclose(file);
}

static void a_child_of_fork_keeps_one_mapping(void **state)
{
	size_t pages = FIRST_PAGES;
	char *memory = map_pages(0, pages);
	pid_t child;
	int status;

	(void)state;
	memset(memory, 7, bytes(pages));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		memset(memory, 8, bytes(pages));
		memory = grow_blocked(memory, &pages, twice, 1);
		_exit(host_mappings(memory, bytes(pages)) == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* A part that loses its rights and gets them again costs no kernel mapping. */
static void a_part_that_was_protected_costs_no_mapping(void **state)
{
	size_t pages = FIRST_PAGES;
	char *memory = map_pages(0, pages);

	(void)state;
	memset(memory, 7, bytes(pages));
	assert_int_equal(vms_mprotect(space, memory + bytes(4), bytes(4),
				      PROT_READ), 0);
	assert_int_equal(vms_mprotect(space, memory + bytes(4), bytes(4), RW),
			 0);
	memory = grow_blocked(memory, &pages, twice, 1);
	assert_int_equal(host_mappings(memory, bytes(pages)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(doubling_leaves_one_mapping),
		WITH_SPACE(growth_by_half_leaves_one_mapping),
		WITH_SPACE(small_steps_leave_one_mapping),
		WITH_SPACE(shared_memory_stays_one_mapping),
		WITH_SPACE(locked_memory_stays_one_mapping),
		WITH_SPACE(a_file_stays_one_mapping),
		WITH_SPACE(a_child_of_fork_keeps_one_mapping),
		WITH_SPACE(a_part_that_was_protected_costs_no_mapping),
	};

	return cmocka_run_group_tests_name("space_moves", tests, NULL, NULL);
}
