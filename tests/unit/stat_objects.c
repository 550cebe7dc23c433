/* SPDX-License-Identifier: MIT */
#include "stat_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "host/host.h"

/* The figures that objects have in common. */

static struct objects all;

static int begin(void **state)
{
	(void)state;
	open_all(&all);
	return 0;
}

static int end(void **state)
{
	(void)state;
	close_all(&all);
	return 0;
}

static void figures_are_those_of_the_kind(void **state)
{
	struct vms_space_stats space = { .struct_size = sizeof(space) };
	struct vms_stat stat;

	(void)state;
	assert_int_equal(vms_space_get_stats(all.space, &space), 0);
	stat = stat_now(&all, 0, 0);
	assert_int_equal(stat.reserved, 64 * MIB);
	assert_int_equal(stat.committed, 2 * TOUCHED);
	assert_int_equal(stat.limit, space.limit);
	assert_int_equal(stat.mappings, 1);
	assert_int_equal(stat.known, VMS_STAT_RESERVED | VMS_STAT_COMMITTED |
			 VMS_STAT_COMMITTED_PEAK | VMS_STAT_LIMIT |
			 VMS_STAT_MAPPINGS | VMS_STAT_REFUSALS);
	stat = stat_now(&all, 1, 0);
	assert_int_equal(stat.limit, 64 * MIB);
	assert_int_equal(stat.known, VMS_STAT_RESERVED | VMS_STAT_COMMITTED |
			 VMS_STAT_LIMIT);
	assert_int_equal(stat_now(&all, 3, 0).limit, 64 * MIB);
	assert_int_equal(stat_now(&all, 4, 0).limit, 64 * MIB);
	assert_int_equal(stat_now(&all, 8, 0).limit, 8 * MIB);
	stat = stat_now(&all, KIND_BUDGET, VMS_STAT_PAGES);
	assert_int_equal(stat.committed, 3 * MIB);
	assert_int_equal(stat.known, VMS_STAT_COMMITTED | VMS_STAT_COMMITTED_PEAK |
			 VMS_STAT_LIMIT | VMS_STAT_REFUSALS);
}

static void refusals_are_counted(void **state)
{
	(void)state;
	errno = 0;
	assert_ptr_equal(vms_mmap(all.space, NULL, 128 * MIB, RW, ANONYMOUS, -1, 0),
			 MAP_FAILED);
	assert_int_equal(vms_budget_charge(all.budget, 128 * MIB), -1);
	assert_int_equal(stat_now(&all, KIND_BUDGET, 0).refusals, 1);
}

/* What is written is there. Kinds whose memory is private, and those of shared files. */
static void expect_pages(int kind, bool is_private)
{
	const struct vms_stat without = stat_now(&all, kind, 0);
	const struct vms_stat stat = stat_now(&all, kind, VMS_STAT_PAGES);
	const uint64_t private = stat.resident_anonymous + stat.swapped;

	assert_int_equal(without.known & VMS_STAT_RESIDENT, 0);
	assert_int_equal(without.resident_anonymous + without.resident_file, 0);
	assert_true(stat.known & VMS_STAT_RESIDENT);
	if (!is_private)
		assert_in_range(stat.resident_file, TOUCHED, TOUCHED + MIB);
	else if (private < TOUCHED || private > 2 * TOUCHED + MIB)
		fail_msg("%s: %llu bytes", kind_name(kind),
			 (unsigned long long)private);
}

static void pages_are_counted_where_asked_for(void **state)
{
	(void)state;
	expect_pages(0, true);
	expect_pages(1, true);
	expect_pages(2, true);
	expect_pages(3, false);
	expect_pages(4, false);
	expect_pages(6, true);
	for (int kind = 0; kind < KIND_BUDGET; kind++)
		assert_true(stat_now(&all, kind, VMS_STAT_PAGES).known &
			    VMS_STAT_RESIDENT);
}

static long lacks_request(int fd, void *argument)
{
	(void)fd;
	(void)argument;
	return -ENOTTY;
}

/* As many addresses as the host has for us: sanitizers leave few. */
static vms_space *open_vast(void)
{
	vms_space *vast = NULL;

	for (unsigned shift = 44; !vast; shift--) {
		assert_true(shift > 32);
		vast = vms_space_open((size_t)1 << shift, NULL);
	}
	return vast;
}

/* Before Linux 6.7, of what is mapped: 32 GiB of words would take minutes. */
static void pages_are_counted_without_the_request_too(void **state)
{
	long (*const kept)(int fd, void *argument) = vmsi_host.pagemap_scan;
	struct vms_stat by_request[KINDS];
	vms_space *vast = open_vast();
	struct vms_stat stat = { .struct_size = sizeof(stat) };
	char *memory = vms_mmap(vast, NULL, TOUCHED, RW, ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	memset(memory, 1, MIB);
	for (int kind = 0; kind < KIND_BUDGET; kind++)
		by_request[kind] = stat_now(&all, kind, VMS_STAT_PAGES);
	vmsi_host.pagemap_scan = lacks_request;
	for (int kind = 0; kind < KIND_BUDGET; kind++) {
		const struct vms_stat by_words = stat_now(&all, kind, VMS_STAT_PAGES);
		const uint64_t difference = by_words.resident_anonymous +
			by_words.swapped - by_request[kind].resident_anonymous -
			by_request[kind].swapped;

		/* Words do not tell the zero page apart. */
		if (difference > MIB)
			fail_msg("%s: %lld bytes more", kind_name(kind),
				 (long long)difference);
		assert_int_equal(by_words.resident_file,
				 by_request[kind].resident_file);
	}
	assert_int_equal(vms_stat_space(vast, VMS_STAT_PAGES, &stat), 0);
	vmsi_host.pagemap_scan = kept;
	assert_in_range(stat.resident_anonymous + stat.swapped, MIB, TOUCHED);
	assert_int_equal(vms_space_close(vast), 0);
}

/* The shared zero page is nobody's memory. Some hosts have none, and give pages to read. */
static void what_was_only_read_does_not_count(void **state)
{
	const uint64_t given = vmsi_host_has_zero_page() ? 0 : TOUCHED;
	struct vms_stat before, after;
	volatile char seen = 0;

	(void)state;
	before = stat_now(&all, 0, VMS_STAT_PAGES);
	for (size_t i = TOUCHED; i < 2 * TOUCHED; i += 4096)
		seen += all.mapped[i];
	after = stat_now(&all, 0, VMS_STAT_PAGES);
	assert_int_equal(seen, 0);
	assert_int_equal(after.resident_anonymous + after.swapped,
			 before.resident_anonymous + before.swapped + given);
}

static void arguments_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	for (int kind = 0; kind < KINDS; kind++) {
		struct vms_stat stat = { .struct_size = sizeof(stat) };

		assert_int_equal(stat_kind(&all, kind, 2, &stat), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(stat_kind(&all, kind, 0, NULL), -1);
		assert_int_equal(errno, EINVAL);
		stat.struct_size = 16;
		assert_int_equal(stat_kind(&all, kind, 0, &stat), -1);
		assert_int_equal(errno, EINVAL);
		stat.struct_size = 1 << 20;
		assert_int_equal(stat_kind(&all, kind, 0, &stat), -1);
		assert_int_equal(errno, E2BIG);
		assert_int_equal(stat.known, 0);
	}
}

#define EXPECT_NO_FIGURES(kind)                                                         \
	do {                                                                            \
		struct vms_stat stat = { .struct_size = sizeof(stat) };                 \
		struct vms_##kind##_stats stats = { .struct_size = sizeof(stats) };     \
                                                                                        \
		errno = 0;                                                              \
		assert_int_equal(vms_stat_##kind(NULL, 0, &stat), -1);                  \
		assert_int_equal(errno, EINVAL);                                        \
		errno = 0;                                                              \
		assert_int_equal(vms_##kind##_get_stats(NULL, &stats), -1);             \
		assert_int_equal(errno, EINVAL);                                        \
	} while (0)

static void what_there_is_not_has_no_figures(void **state)
{
	(void)state;
	EXPECT_NO_FIGURES(space);
	EXPECT_NO_FIGURES(buffer);
	EXPECT_NO_FIGURES(heap);
	EXPECT_NO_FIGURES(file);
	EXPECT_NO_FIGURES(share);
	EXPECT_NO_FIGURES(ring);
	EXPECT_NO_FIGURES(stacks);
	EXPECT_NO_FIGURES(code);
	EXPECT_NO_FIGURES(pool);
	EXPECT_NO_FIGURES(budget);
}

/* The child has a copy of what is private, and what is shared as its parent has it. */
static bool child_reads(void)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct vms_stat stat = { .struct_size = sizeof(stat) };
		const int result = stat_kind(&all, kind, VMS_STAT_PAGES, &stat);

		if (result != 0 && errno != EBADF)
			return false;
		if (kind <= 2 && (result != 0 || stat.resident_anonymous +
				  stat.swapped < TOUCHED))
			return false;
	}
	return true;
}

static void child_of_fork_may_ask(void **state)
{
	const pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		_exit(child_reads() ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* --- threads -------------------------------------------------------------- */

#define ROUNDS 60

static atomic_bool is_over;

static void *map_and_unmap(void *unused)
{
	while (!atomic_load(&is_over)) {
		char *memory = vms_mmap(all.space, NULL, MIB, RW, ANONYMOUS, -1, 0);

		if (memory != MAP_FAILED) {
			memory[0] = 1;
			(void)vms_munmap(all.space, memory, MIB);
		}
		vms_heap_free(all.heap, vms_heap_malloc(all.heap, MIB));
	}
	return unused;
}

static void others_may_change_what_is_read(void **state)
{
	pthread_t other;

	(void)state;
	atomic_store(&is_over, false);
	assert_int_equal(pthread_create(&other, NULL, map_and_unmap, NULL), 0);
	for (int i = 0; i < ROUNDS; i++)
		for (int kind = 0; kind < KINDS; kind++) {
			const struct vms_stat stat = stat_now(&all, kind,
							      VMS_STAT_PAGES);

			assert_true(kind != 0 || stat.mappings >= 1);
		}
	atomic_store(&is_over, true);
	assert_int_equal(pthread_join(other, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_are_those_of_the_kind),
		cmocka_unit_test(refusals_are_counted),
		cmocka_unit_test(pages_are_counted_where_asked_for),
		cmocka_unit_test(pages_are_counted_without_the_request_too),
		cmocka_unit_test(what_was_only_read_does_not_count),
		cmocka_unit_test(arguments_that_make_no_sense_are_refused),
		cmocka_unit_test(what_there_is_not_has_no_figures),
		cmocka_unit_test(child_of_fork_may_ask),
		cmocka_unit_test(others_may_change_what_is_read),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
