/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kernel/random.h"
#include "budget_fixture.h"
#include "space_fixture.h"

/*
 * A budget's charge always equals what its spaces, heaps and buffers have committed.
 */

#define LIMIT_PAGES 100

static vms_budget *budget;

static vms_space *open_under(vms_budget *above, enum vms_commit_policy policy)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.commit_policy = policy,
		.budget = above,
	};
	vms_space *made = vms_space_open(bytes(SPACE_PAGES), &options);

	assert_non_null(made);
	return made;
}

static int open_both(void **state)
{
	(void)state;
	budget = open_strict(bytes(LIMIT_PAGES), NULL);
	space = open_under(budget, VMS_COMMIT_ALWAYS);
	return 0;
}

static int close_both(void **state)
{
	int status = close_space(state);

	if (status == 0 && stats_of(budget).committed != 0) {
		print_error("a closed space has left a charge\n");
		status = -1;
	}
	return vms_budget_close(budget) == 0 ? status : -1;
}

#define WITH_BUDGET(test) \
	cmocka_unit_test_setup_teardown(test, open_both, close_both)

static size_t charged_pages(void)
{
	assert_int_equal(stats_of(budget).committed, stats_now().committed);
	return stats_of(budget).committed / vmsi_page_size();
}

/* --- refusals ------------------------------------------------------------ */

static void every_kind_of_request_is_refused(void **state)
{
	char *memory = map_pages(0, 60);
	vms_handle handle;

	(void)state;
	map_as(200, 60, PROT_NONE, ANONYMOUS);
	assert_map_fails(vms_mmap(space, NULL, bytes(41), RW, ANONYMOUS, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_map_fails(vms_mmap(space, NULL, bytes(41), RW, SHARED, -1, 0),
			 ENOMEM);
	assert_map_fails(vms_mremap(space, memory, bytes(60), bytes(101),
				    MREMAP_MAYMOVE, NULL), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_fails(vms_mprotect(space, at(200), bytes(41), RW), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_int_equal(vms_handle_open(space, memory, bytes(60), &handle), 0);
	assert_fails(vms_handle_resize(space, handle, bytes(101)), ENOMEM);
	assert_int_equal(charged_pages(), 60);
	assert_int_equal(stats_of(budget).refusals, 5);
	assert_int_equal(stats_now().refusals, 5);
	assert_int_equal(stats_of(budget).committed_peak, bytes(60));
	map_pages(400, 40);
	assert_int_equal(charged_pages(), 100);
}

static void a_limit_of_the_space_is_told_from_that_of_the_budget(void **state)
{
	(void)state;
	assert_int_equal(vms_space_set_commit(space, bytes(10),
					      VMS_COMMIT_STRICT), 0);
	assert_map_fails(vms_mmap(space, NULL, bytes(11), RW, ANONYMOUS, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	assert_int_equal(stats_of(budget).refusals, 0);
}

static void a_strict_budget_counts_noreserve(void **state)
{
	vms_budget *above = open_budget(bytes(10), VMS_COMMIT_HEURISTIC, NULL);
	vms_space *other = open_under(above, VMS_COMMIT_HEURISTIC);

	(void)state;
	map_as(0, 60, RW, ANONYMOUS | MAP_NORESERVE);
	assert_int_equal(charged_pages(), 60);
	assert_true(vms_mmap(other, NULL, bytes(60), RW,
			     ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED);
	assert_int_equal(stats_of(above).committed, 0);
	assert_int_equal(vms_space_close(other), 0);
	close_budget(above);
}

static void the_hosts_own_errors_come_first(void **state)
{
	(void)state;
	/* A call with a bad descriptor must not make the callback give memory up. */
	assert_map_fails(vms_mmap(space, NULL, bytes(101), RW, MAP_PRIVATE, -1,
				  0), EBADF);
	assert_int_equal(stats_of(budget).refusals, 0);
}

static void what_fails_in_the_host_is_refunded(void **state)
{
	(void)state;
	map_pages(0, 10);
	assert_map_fails(vms_mmap(space, at(5), bytes(10), RW,
				  ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 EEXIST);
	assert_map_fails(vms_mmap(space, at(SPACE_PAGES - 1), bytes(2), RW,
				  ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
	assert_int_equal(charged_pages(), 10);
}

/* --- callbacks ----------------------------------------------------------- */

struct cache {
	size_t page, pages;     /* pages that are still mapped */
	unsigned calls;
};

/* Unmap ten pages, in the very space whose call asked for memory. */
static bool drop_some(vms_budget *asked, size_t wanted, unsigned attempt,
		      void *context)
{
	struct cache *cache = context;

	(void)wanted;
	(void)attempt;
	assert_ptr_equal(asked, budget);
	cache->calls++;
	if (cache->pages == 0)
		return false;
	cache->pages -= 10;
	assert_int_equal(vms_munmap(space, at(cache->page + cache->pages),
				    bytes(10)), 0);
	return true;
}

static void a_callback_gives_memory_up(void **state)
{
	struct cache cache = { .page = 1000, .pages = 80 };
	char *memory;

	(void)state;
	map_pages(cache.page, cache.pages);
	map_as(200, 20, PROT_NONE, ANONYMOUS);
	assert_int_equal(vms_budget_set_callback(budget, drop_some, &cache), 0);
	errno = ERRNO_BEFORE;
	memory = vms_mmap(space, at(0), bytes(25), RW, ANONYMOUS | MAP_FIXED,
			  -1, 0);
	assert_ptr_equal(memory, at(0));
	assert_int_equal(cache.calls, 1);
	assert_ptr_equal(vms_mremap(space, memory, bytes(25), bytes(40), 0,
				    NULL), memory);
	assert_int_equal(cache.calls, 2);
	assert_int_equal(vms_mprotect(space, at(200), bytes(20), RW), 0);
	assert_int_equal(cache.calls, 4);
	assert_int_equal(errno, ERRNO_BEFORE);
	assert_int_equal(charged_pages(), 40 + 20 + 40);
	assert_int_equal(stats_of(budget).refusals, 0);
	assert_int_equal(stats_now().refusals, 0);
	/* The callback has nothing left to unmap. */
	assert_map_fails(vms_mmap(space, NULL, bytes(90), RW, ANONYMOUS, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_int_equal(cache.calls, 9);
	assert_int_equal(stats_of(budget).refusals, 1);
	assert_int_equal(stats_now().refusals, 1);
}

/* A callback that fails with a refusal of its own, which must not be shown. */
static bool fail_otherwise(vms_budget *asked, size_t wanted, unsigned attempt,
			   void *context)
{
	(void)asked;
	(void)wanted;
	(void)attempt;
	(void)context;
	assert_map_fails(vms_mremap(space, at(0), bytes(1), bytes(2), 0, NULL),
			 ENOMEM);
	return false;
}

static void the_reason_is_that_of_the_request(void **state)
{
	(void)state;
	map_pages(0, 2);
	assert_int_equal(vms_budget_set_callback(budget, fail_otherwise, NULL),
			 0);
	assert_map_fails(vms_mmap(space, NULL, bytes(99), RW, ANONYMOUS, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
}

/* --- the sum ------------------------------------------------------------- */

#define SPACES 3
#define STEPS 4000

static vms_space *spaces[SPACES];
static struct random numbers;

static void *somewhere(vms_space *in, size_t *length)
{
	*length = bytes(1 + random_below(&numbers, 12));
	return (char *)vms_space_base(in) +
		bytes(random_below(&numbers, 60));
}

static void do_something(vms_space *in)
{
	static const int prots[] = { RW, PROT_READ, PROT_NONE };
	size_t length, other_length;
	char *address = somewhere(in, &length);
	char *other = somewhere(in, &other_length);

	switch (random_below(&numbers, 8)) {
	case 0:
	case 1:
	case 2:
		(void)vms_mmap(in, address, length,
			       prots[random_below(&numbers, 3)],
			       MAP_FIXED | (random_percent(&numbers, 25) ?
						    SHARED : ANONYMOUS),
			       -1, 0);
		break;
	case 3:
		(void)vms_munmap(in, address, length);
		break;
	case 4:
		(void)vms_mprotect(in, address, length,
				   prots[random_below(&numbers, 3)]);
		break;
	case 5:
		(void)vms_mremap(in, address, length, other_length,
				 MREMAP_MAYMOVE, NULL);
		break;
	case 6:
		(void)vms_mremap(in, address, length, other_length,
				 MREMAP_MAYMOVE | MREMAP_FIXED, other);
		break;
	case 7:
		(void)vms_decommit(in, address, length, VMS_DECOMMIT_UNCHARGE);
		break;
	}
}

static size_t committed_in(vms_space *in)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_space_get_stats(in, &stats), 0);
	return stats.committed;
}

static void the_budget_is_the_sum_of_its_spaces(void **state)
{
	vms_budget *top = open_strict(bytes(90), NULL);
	vms_budget *low = open_strict(bytes(50), top);

	(void)state;
	numbers.state = 1;
	for (size_t i = 0; i < SPACES; i++)
		spaces[i] = open_under(i == 0 ? top : low, VMS_COMMIT_ALWAYS);
	for (int step = 0; step < STEPS; step++) {
		size_t below;

		do_something(spaces[random_below(&numbers, SPACES)]);
		below = committed_in(spaces[1]) + committed_in(spaces[2]);
		assert_int_equal(stats_of(low).committed, below);
		assert_int_equal(stats_of(top).committed,
				 below + committed_in(spaces[0]));
	}
	/*
	 * A replacement is charged the difference, so the peak stays below the
	 * limit.
	 */
	assert_true(stats_of(top).committed_peak <= bytes(90));
	assert_true(stats_of(low).committed_peak <= bytes(50));
	assert_true(stats_of(top).refusals > 0);
	assert_true(stats_of(low).refusals > 0);
	for (size_t i = 0; i < SPACES; i++)
		assert_int_equal(vms_space_close(spaces[i]), 0);
	assert_int_equal(stats_of(top).committed, 0);
	close_budget(low);
	close_budget(top);
}

static void a_budget_in_use_is_not_closed(void **state)
{
	(void)state;
	assert_fails(vms_budget_close(budget), EBUSY);
	map_pages(0, 3);
	assert_int_equal(charged_pages(), 3);
}

/* --- heaps and buffers --------------------------------------------------- */

#define MIB ((size_t)1 << 20)

static void a_heap_charges_its_budget(void **state)
{
	vms_budget *above = open_strict(256 * MIB, NULL);
	const struct vms_heap_options options = {
		.struct_size = sizeof(options),
		.reserve = (size_t)64 << 30,
		.retain = VMS_HEAP_RETAIN_NONE,
		.budget = above,
	};
	vms_heap *heap = vms_heap_open(&options);
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };
	char *block;

	(void)state;
	if (!heap)
		skip();
	block = vms_heap_malloc(heap, 200 * MIB);
	assert_non_null(block);
	assert_int_equal(vms_heap_get_stats(heap, &stats), 0);
	assert_int_equal(stats_of(above).committed, stats.committed);
	assert_true(stats.committed >= 200 * MIB);
	errno = 0;
	assert_null(vms_heap_realloc(heap, block, 300 * MIB));
	assert_int_equal(errno, ENOMEM);
	assert_null(vms_heap_malloc(heap, 60 * MIB));
	vms_heap_free(heap, block);
	block = vms_heap_malloc(heap, 60 * MIB);
	assert_non_null(block);
	vms_heap_close(heap);
	assert_int_equal(stats_of(above).committed, 0);
	close_budget(above);
}

static void a_buffer_charges_its_budget(void **state)
{
	vms_budget *above = open_strict(8 * MIB, NULL);
	struct vms_buffer_options options = {
		.struct_size = sizeof(options),
		.budget = above,
	};
	struct vms_buffer_stats stats = { .struct_size = sizeof(stats) };
	struct vms_detached detached;
	vms_buffer buffer;

	(void)state;
	assert_fails(vms_buffer_init(&buffer, 0, &options), EINVAL);
	options.space = space;
	assert_fails(vms_buffer_init(&buffer, MIB, &options), EINVAL);
	options.space = NULL;
	assert_int_equal(vms_buffer_init(&buffer, 64 * MIB, &options), 0);
	assert_int_equal(vms_buffer_reserve(&buffer, 5 * MIB), 0);
	assert_int_equal(vms_buffer_get_stats(&buffer, &stats), 0);
	assert_int_equal(stats_of(above).committed, stats.committed);
	/* A buffer that may not commit ahead can still grow up to the limit. */
	assert_int_equal(vms_buffer_reserve(&buffer, 8 * MIB), 0);
	assert_fails(vms_buffer_reserve(&buffer, 8 * MIB + 1), ENOMEM);
	assert_non_null(vms_buffer_extend(&buffer, 3 * MIB));
	assert_int_equal(vms_buffer_detach(&buffer, &detached), 0);
	assert_int_equal(stats_of(above).committed, 3 * MIB);
	assert_fails(vms_budget_close(above), EBUSY);
	assert_int_equal(vms_detached_free(&detached), 0);
	assert_int_equal(stats_of(above).committed, 0);
	close_budget(above);
}

/* --- fork ---------------------------------------------------------------- */

/* A child has a private budget of its own, with all that was charged before. */
static int child_status(void)
{
	if (stats_of(budget).committed != bytes(20) + 7 ||
	    stats_now().committed != bytes(12))
		return 1;
	if (vms_munmap(space, at(0), bytes(2)) != 0 ||
	    vms_budget_uncharge(budget, 7) != 0)
		return 2;
	return stats_of(budget).committed == bytes(18) ? 0 : 3;
}

static void a_child_has_its_own_copy(void **state)
{
	vms_space *other = open_under(budget, VMS_COMMIT_ALWAYS);

	(void)state;
	map_pages(0, 12);
	assert_true(vms_mmap(other, NULL, bytes(8), RW, ANONYMOUS, -1, 0) !=
		    MAP_FAILED);
	charge(budget, 7);
	for (int raw = 0; raw < 2; raw++) {
		int status;
		pid_t child = raw ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0,
						   0) : fork();

		assert_true(child >= 0);
		if (child == 0)
			_exit(child_status());
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		assert_int_equal(stats_of(budget).committed, bytes(20) + 7);
	}
	uncharge(budget, 7);
	assert_int_equal(vms_space_close(other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BUDGET(every_kind_of_request_is_refused),
		WITH_BUDGET(
			a_limit_of_the_space_is_told_from_that_of_the_budget),
		WITH_BUDGET(a_strict_budget_counts_noreserve),
		WITH_BUDGET(the_hosts_own_errors_come_first),
		WITH_BUDGET(what_fails_in_the_host_is_refunded),
		WITH_BUDGET(a_callback_gives_memory_up),
		WITH_BUDGET(the_reason_is_that_of_the_request),
		cmocka_unit_test(the_budget_is_the_sum_of_its_spaces),
		WITH_BUDGET(a_budget_in_use_is_not_closed),
		cmocka_unit_test(a_heap_charges_its_budget),
		WITH_BUDGET(a_buffer_charges_its_budget),
		WITH_BUDGET(a_child_has_its_own_copy),
	};

	return cmocka_run_group_tests_name("budget_space", tests, NULL, NULL);
}
