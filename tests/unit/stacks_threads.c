/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>

#include "stacks_fixture.h"

/* Many threads use a pool at once, and fork while they do. */

#define THREADS 8
#define ROUNDS 4000
#define HELD 6

static atomic_bool stop;
static _Atomic unsigned wrong;

static void expect(bool condition)
{
	if (!condition)
		atomic_fetch_add(&wrong, 1);
}

/* A stack of mine has nobody else's marks on it, at either end. */
static void mark(const vms_stack *stack, uintptr_t owner)
{
	memcpy(stack->base, &owner, sizeof(owner));
	memcpy((char *)stack->top - sizeof(owner), &owner, sizeof(owner));
}

static void look(const vms_stack *stack, uintptr_t owner)
{
	expect(memcmp(stack->base, &owner, sizeof(owner)) == 0);
	expect(memcmp((char *)stack->top - sizeof(owner), &owner,
		      sizeof(owner)) == 0);
}

static void take_one(vms_stack *stack, uintptr_t owner)
{
	if (vms_stacks_take(pool, owner % 2 ? "odd" : NULL, stack) != 0) {
		expect(errno == EAGAIN);
		*stack = (vms_stack){ 0 };
		return;
	}
	mark(stack, owner);
}

static void give_one(vms_stack *stack, uintptr_t owner)
{
	if (!stack->base)
		return;
	look(stack, owner);
	expect(vms_stacks_give(pool, stack) == 0);
}

/* Hold a few stacks, and give the oldest back for each that is taken. */
static void *take_and_give(void *argument)
{
	const uintptr_t owner = (uintptr_t)argument;
	vms_stack held[HELD] = { 0 };

	for (unsigned i = 0; i < ROUNDS; i++) {
		vms_stack *stack = &held[i % HELD];

		give_one(stack, owner);
		take_one(stack, owner);
	}
	for (unsigned i = 0; i < HELD; i++)
		give_one(&held[i], owner);
	return NULL;
}

static void *collect_meanwhile(void *argument)
{
	for (unsigned i = 0; !atomic_load(&stop); i++)
		expect(vms_stacks_collect(pool, i % 2 ? VMS_STACKS_COLLECT_ALL :
							0) == 0);
	return argument;
}

static void start(pthread_t *threads)
{
	atomic_store(&stop, false);
	atomic_store(&wrong, 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give,
						(void *)(i + 1)), 0);
	assert_int_equal(pthread_create(&threads[THREADS], NULL,
					collect_meanwhile, NULL), 0);
}

static void finish(pthread_t *threads)
{
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(threads[THREADS], NULL), 0);
	assert_int_equal(atomic_load(&wrong), 0);
}

static void no_stack_has_two_owners(void **state)
{
	/* With fewer stacks than the threads would hold some takes are refused. */
	const size_t counts[] = { THREADS * HELD, THREADS * HELD / 3 };
	struct vms_stacks_options options = { .keep = 1, .age = 1 };
	pthread_t threads[THREADS + 1];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		open_pool(counts[i], 4 * page(), &options);
		start(threads);
		finish(threads);
		assert_int_equal(pool_stats().taken, 0);
		/* None was lost. */
		for (size_t j = 0; j < counts[i]; j++)
			(void)take();
		assert_int_equal(close_pool(NULL), 0);
	}
}

/* --- fork -------------------------------------------------------------------------------- */

static void need(bool condition)
{
	if (!condition)
		_exit(1);
}

/* All that nobody had can be taken, and memory is there. */
static void use_in_child(const vms_stack *parents)
{
	struct vms_stacks_stats stats = { .struct_size = sizeof(stats) };
	vms_stack stack;
	size_t taken = 0;

	need(vms_stacks_get_stats(pool, &stats) == 0);
	need(stats.taken >= 1);
	need(vms_stacks_give(pool, parents) == 0);
	while (vms_stacks_take(pool, "child", &stack) == 0) {
		mark(&stack, 99);
		taken++;
	}
	need(errno == EAGAIN);
	need(taken >= 1 && taken <= stats.count - stats.taken + 1);
	need(vms_stacks_collect(pool, 0) == 0);
	need(vms_stacks_close(pool) == 0);
	_exit(0);
}

static void a_child_has_a_pool_of_its_own(void **state)
{
	struct vms_stacks_options options = { .keep = 1, .age = 1 };
	pthread_t threads[THREADS + 1];
	vms_stack mine;

	(void)state;
	open_pool(2 * THREADS * HELD, 4 * page(), &options);
	mine = take();
	mark(&mine, 77);
	start(threads);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0)
			use_in_child(&mine);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	finish(threads);
	look(&mine, 77);
	assert_int_equal(atomic_load(&wrong), 0);
	assert_int_equal(pool_stats().taken, 1);
}

/* --- threads on stacks ---------------------------------------------------------------------- */

static void *where_am_i(void *argument)
{
	*(void **)argument = __builtin_frame_address(0);
	return NULL;
}

static void threads_run_on_them(void **state)
{
	vms_stack stack, found;
	pthread_attr_t attributes;
	pthread_t thread;
	void *where = NULL;

	(void)state;
	open_pool(COUNT, (size_t)256 << 10, NULL);
	(void)take();
	stack = take();
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstack(&attributes, stack.base,
					       stack.size), 0);
	assert_int_equal(pthread_create(&thread, &attributes, where_am_i, &where),
			 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(pthread_attr_destroy(&attributes), 0);
	assert_int_equal(vms_stacks_find(pool, where, &found), 0);
	assert_ptr_equal(found.base, stack.base);
	give(&stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_stack_has_two_owners),
		pool_test(a_child_has_a_pool_of_its_own),
		pool_test(threads_run_on_them),
	};

	return cmocka_run_group_tests_name("stacks_threads", tests, NULL, NULL);
}
