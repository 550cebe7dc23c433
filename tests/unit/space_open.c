/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/versioned.h"
#include "space_fixture.h"

/* Opening and closing spaces, their options and what they say of themselves. */

static void expect_refused(const struct vms_space_options *options)
{
	errno = 0;
	assert_null(vms_space_open(bytes(16), options));
	assert_int_equal(errno, EINVAL);
}

static struct vms_space_options defaults(void)
{
	return (struct vms_space_options){
		.struct_size = sizeof(struct vms_space_options),
	};
}

static void the_defaults_are_as_the_header_says(void **state)
{
	struct vms_space_stats stats = stats_now();
	size_t machine;

	(void)state;
	assert_int_equal(vmsi_host.memory_size(&machine), 0);
	assert_string_equal(vms_space_name(space), "");
	assert_int_equal(vms_space_size(space), bytes(SPACE_PAGES));
	assert_int_equal(stats.reserved, bytes(SPACE_PAGES));
	assert_int_equal(stats.policy, VMS_COMMIT_HEURISTIC);
	assert_int_equal(stats.limit, machine);
	assert_int_equal(stats.mapped, 0);
	assert_int_equal(stats.mappings, 0);
	assert_int_equal(stats.committed, 0);
	assert_int_equal(stats.lost, 0);
	assert_true(stats.metadata > 0);
}

static void lies_where_it_is_asked_for(void **state)
{
	struct vms_space_options options = defaults();
	const size_t room = (size_t)1 << 30;
	/* Records are placed at the upper end of what is free. */
	char *const free_place = mmap(NULL, room, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				      -1, 0);
	vms_space *other;

	(void)state;
	options.address = free_place + bytes(1);
	errno = 0;
	assert_null(vms_space_open(bytes(8), &options));
	assert_int_equal(errno, EEXIST);
	assert_int_equal(munmap(free_place, room), 0);
	other = vms_space_open(bytes(8), &options);
	assert_non_null(other);
	assert_ptr_equal(vms_space_base(other), options.address);
	assert_int_equal(vms_space_size(other), bytes(8));
	assert_int_equal(vms_space_close(other), 0);
	options.address = free_place + 1;
	expect_refused(&options);
	options.address = (void *)(UINTPTR_MAX - bytes(4) + 1);
	assert_null(vms_space_open(bytes(8), &options));
	assert_int_equal(errno, ENOMEM);
}

static void options_are_taken(void **state)
{
	struct vms_space_options options = defaults();
	char name[] = "a name";
	vms_space *other;

	(void)state;
	options.name = name;
	options.commit_limit = 12345678;
	options.commit_policy = VMS_COMMIT_STRICT;
	options.placement = VMS_PLACE_TOP;
	options.flags = VMS_SPACE_HUGETLB_EXACT | VMS_SPACE_MCL_FUTURE |
		VMS_SPACE_FILES_UNCHARGED;
	assert_int_equal(open_space_with(&options), 0);
	name[0] = 'X';
	assert_string_equal(vms_space_name(space), "a name");
	assert_int_equal(stats_now().limit, 12345678);
	assert_int_equal(stats_now().policy, VMS_COMMIT_STRICT);
	other = space;
	assert_int_equal(close_space(NULL), 0);
	assert_ptr_not_equal(vms_space_of((void *)other), other);
}

static void bad_options_are_refused(void **state)
{
	struct vms_space_options options = defaults();
	char name[VMS_NAME_MAX + 2];

	(void)state;
	options.struct_size = 0;
	expect_refused(&options);
	options.struct_size = VMSI_FIRST_SPACE_OPTIONS - 1;
	expect_refused(&options);
	options = defaults();
	options.commit_policy = (enum vms_commit_policy)3;
	expect_refused(&options);
	options.commit_policy = (enum vms_commit_policy)-1;
	expect_refused(&options);
	options = defaults();
	options.placement = (enum vms_placement)2;
	expect_refused(&options);
	options = defaults();
	options.flags = 0x8;
	expect_refused(&options);
	options = defaults();
	memset(name, 'n', sizeof(name));
	name[VMS_NAME_MAX + 1] = '\0';
	options.name = name;
	expect_refused(&options);
	name[VMS_NAME_MAX] = '\0';
	assert_int_equal(open_space_with(&options), 0);
	assert_string_equal(vms_space_name(space), name);
	assert_int_equal(close_space(NULL), 0);
}

static void bad_sizes_are_refused(void **state)
{
	(void)state;
	errno = 0;
	assert_null(vms_space_open(0, NULL));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(vms_space_open(SIZE_MAX, NULL));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(vms_space_open((size_t)1 << 62, NULL));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_OPEN);
	/* The text must not speak of a space, since none was opened. */
	assert_null(strstr(vms_refusal_text(vms_last_refusal()), "the space"));
	errno = 0;
	assert_null(vms_space_open(SIZE_MAX - bytes(1), NULL));
	assert_int_equal(errno, ENOMEM);
}

/* Return the process's size of addresses; a sanitizer's is large. */
static size_t addresses_in_use(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	size_t pages = 0;

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%zu", &pages), 1);
	fclose(statm);
	return bytes(pages);
}

static void the_limit_of_addresses_is_told(void **state)
{
	const size_t most = addresses_in_use() + ((size_t)1 << 36);
	const struct rlimit little = { most, most };
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		if (setrlimit(RLIMIT_AS, &little) ||
		    vms_space_open((size_t)1 << 37, NULL) || errno != ENOMEM)
			_exit(1);
		_exit(vms_last_refusal() == VMS_REFUSAL_OPEN ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void a_size_is_rounded_up_to_a_page(void **state)
{
	vms_space *small = vms_space_open(1, NULL);

	(void)state;
	assert_non_null(small);
	assert_int_equal(vms_space_size(small), bytes(1));
	assert_int_equal(vms_space_close(small), 0);
}

static void a_space_begins_on_a_huge_page(void **state)
{
	(void)state;
	assert_true(vmsi_is_aligned((uintptr_t)at(0), vmsi_huge_page_size()));
}

static void a_space_can_be_larger_than_the_machine(void **state)
{
	vms_space *large;
	size_t machine;

	(void)state;
	assert_int_equal(vmsi_host.memory_size(&machine), 0);
	large = vms_space_open(vmsi_align_up(4 * machine, bytes(1)), NULL);
	assert_non_null(large);
	assert_int_equal(vms_space_close(large), 0);
}

static void a_space_contains_its_own_addresses(void **state)
{
	(void)state;
	assert_true(vms_space_contains(space, at(0), 1));
	assert_true(vms_space_contains(space, at(0), bytes(SPACE_PAGES)));
	assert_false(vms_space_contains(space, at(0), bytes(SPACE_PAGES) + 1));
	assert_true(vms_space_contains(space, at(SPACE_PAGES) - 1, 1));
	assert_false(vms_space_contains(space, at(SPACE_PAGES), 1));
	assert_false(vms_space_contains(space, at(0) - 1, 2));
	assert_false(vms_space_contains(space, at(1), SIZE_MAX));
	assert_false(vms_space_contains(space, NULL, 0));
}

static void the_space_of_an_address_is_found(void **state)
{
	vms_space *other = vms_space_open(bytes(16), NULL);
	char *other_base = vms_space_base(other);
	int local;

	(void)state;
	assert_non_null(other);
	assert_ptr_equal(vms_space_of(at(0)), space);
	assert_ptr_equal(vms_space_of(at(SPACE_PAGES) - 1), space);
	assert_ptr_equal(vms_space_of(other_base + bytes(3)), other);
	assert_null(vms_space_of(&local));
	assert_null(vms_space_of(NULL));
	assert_int_equal(vms_space_close(other), 0);
	assert_null(vms_space_of(other_base + bytes(3)));
	assert_ptr_equal(vms_space_of(at(1)), space);
}

static void many_spaces_are_apart(void **state)
{
	vms_space *spaces[20];

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		char *memory;

		spaces[i] = vms_space_open(bytes(64), NULL);
		assert_non_null(spaces[i]);
		memory = vms_mmap(spaces[i], NULL, bytes(64), RW, ANONYMOUS, -1,
				  0);
		assert_ptr_equal(memory, vms_space_base(spaces[i]));
		memset(memory, (int)i + 1, bytes(64));
	}
	for (size_t i = 0; i < 20; i++) {
		size_t next = (i * 7) % 20;
		unsigned char *memory = vms_space_base(spaces[next]);

		for (size_t j = 0; j < bytes(64); j += 512)
			assert_int_equal(memory[j], next + 1);
		assert_int_equal(vms_space_close(spaces[next]), 0);
	}
}

/* --- close ------------------------------------------------------------------------- */

static void a_closed_space_gives_everything_back(void **state)
{
	vms_space *closed = vms_space_open(bytes(64), NULL);
	char *base = vms_space_base(closed);
	unsigned char vector[64];

	(void)state;
	assert_ptr_not_equal(vms_mmap(closed, NULL, bytes(8), RW, ANONYMOUS, -1,
				      0), MAP_FAILED);
	assert_int_equal(vms_space_close(closed), 0);
	assert_fails(mincore(base, bytes(1), vector), ENOMEM);
	assert_fails(mincore(base + bytes(63), bytes(1), vector), ENOMEM);
}

static int close_sealed_in_child(void)
{
	char *memory = map_pages(4, 1);

	if (vms_mseal(space, memory, bytes(1), 0) != 0)
		return errno == ENOSYS ? 77 : 1;
	memory[0] = 5;
	if (vms_space_close(space) != -1 || errno != EPERM)
		return 2;
	/* The space is unchanged and works. */
	if (memory[0] != 5 || vms_space_of(memory) != space)
		return 3;
	map_pages(8, 1)[0] = 1;
	return vmsi_space_check(space) ? 4 : 0;
}

static void a_space_with_a_sealed_mapping_stays_open(void **state)
{
	int status = 0;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(close_sealed_in_child());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("# no mseal\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int lock_future_in_child(void)
{
	struct rlimit limit = { bytes(64), bytes(64) };
	vms_space *locked;

	if (setrlimit(RLIMIT_MEMLOCK, &limit) || setgid(65534) ||
	    setuid(65534))
		return 77;
	/* Sanitizers replace libc's function by one that does nothing. */
	if (syscall(SYS_mlockall, MCL_FUTURE))
		return 77;
	locked = vms_space_open(bytes(4096), NULL);
	return !locked && errno == EAGAIN ? 0 : 1;
}

static void a_locked_future_has_a_limit(void **state)
{
	int status = 0;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(lock_future_in_child());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("# no right to become another user\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_null_space_cannot_be_closed(void **state)
{
	(void)state;
	assert_fails(vms_space_close(NULL), EINVAL);
}

static void the_version_is_the_build_s(void **state)
{
	(void)state;
	assert_string_equal(vms_version(), VMSI_VERSION);
}

/* --- near an address ---------------------------------------------------------------- */

static vms_space *open_near(const void *near, size_t reach, size_t size)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options), .near = near, .reach = reach,
	};

	errno = 0;
	return vms_space_open(size, &options);
}

static void a_space_lies_within_reach(void **state)
{
	static const char here = 1;
	const size_t reach = (size_t)2 << 30, size = (size_t)100 << 20;
	vms_space *spaces[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		uintptr_t start;

		spaces[i] = open_near(&here, reach, size + (size_t)i * 4096);
		assert_non_null(spaces[i]);
		start = (uintptr_t)vms_space_base(spaces[i]);
		assert_true(start >= (uintptr_t)&here - reach);
		assert_true(start + size <= (uintptr_t)&here + reach);
		assert_true(vms_mmap(spaces[i], NULL, 4096, PROT_READ,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
			    MAP_FAILED);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(vms_space_close(spaces[i]), 0);
}

static void a_space_is_not_put_out_of_reach(void **state)
{
	vms_space *taken = vms_space_open((size_t)1 << 30, NULL);
	char *middle = (char *)vms_space_base(taken) + ((size_t)512 << 20);

	(void)state;
	/* All within reach is taken. */
	assert_null(open_near(middle, (size_t)256 << 20, 4096));
	assert_int_equal(errno, ERANGE);
	assert_null(open_near(middle, (size_t)1 << 30, (size_t)3 << 30));
	assert_int_equal(errno, ERANGE);
	assert_null(open_near(middle, 0, 4096));
	assert_int_equal(errno, EINVAL);
	assert_null(open_near(NULL, 4096, 4096));
	assert_int_equal(errno, EINVAL);
	/* At the ends of the addresses nothing wraps. */
	assert_null(open_near((void *)UINTPTR_MAX, 65536, 4096));
	assert_int_equal(errno, ERANGE);
	assert_null(open_near((void *)1, 4096, 4096));
	assert_int_equal(errno, ERANGE);
	assert_int_equal(vms_space_close(taken), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(the_defaults_are_as_the_header_says),
		cmocka_unit_test(lies_where_it_is_asked_for),
		cmocka_unit_test(options_are_taken),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(bad_sizes_are_refused),
		cmocka_unit_test(the_limit_of_addresses_is_told),
		cmocka_unit_test(a_size_is_rounded_up_to_a_page),
		WITH_SPACE(a_space_begins_on_a_huge_page),
		cmocka_unit_test(a_space_can_be_larger_than_the_machine),
		WITH_SPACE(a_space_contains_its_own_addresses),
		WITH_SPACE(the_space_of_an_address_is_found),
		cmocka_unit_test(many_spaces_are_apart),
		cmocka_unit_test(a_closed_space_gives_everything_back),
		WITH_SPACE(a_space_with_a_sealed_mapping_stays_open),
		cmocka_unit_test(a_locked_future_has_a_limit),
		cmocka_unit_test(a_null_space_cannot_be_closed),
		cmocka_unit_test(the_version_is_the_build_s),
		cmocka_unit_test(a_space_lies_within_reach),
		cmocka_unit_test(a_space_is_not_put_out_of_reach),
	};

	return cmocka_run_group_tests_name("space_open", tests, NULL, NULL);
}
