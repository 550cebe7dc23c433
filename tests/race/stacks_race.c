/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>

#include "../unit/stacks_fixture.h"

#include "../kernel/random.h"

/*
 * Threads take and give back at random, each with a list of what it holds; they hand
 * stacks to each other, use them, name them, look for them and ask how deep they were,
 * while one collects. Who has a stack is written in a table that all share: so one that
 * two get is found at once, and one that is lost at the end.
 *
 *	race-stacks [--seed NUMBER] [--operations NUMBER]
 */

#define THREADS 8
#define HELD 12
#define POOL_SIZE 40
#define OPERATIONS_USUAL 20000

static uint64_t seed = 11;
static unsigned long operations = OPERATIONS_USUAL;

/* The thread that has each stack, from 1 on; 0: nobody. */
static _Atomic unsigned owners[POOL_SIZE];
/* Stacks on their way from one thread to another, by number and one more. */
static _Atomic size_t mailboxes[THREADS + 1];
/* Of those that were ever taken, the same whoever takes it: its owner writes and reads. */
static vms_stack described[POOL_SIZE];
static atomic_bool stop, cleared;
static atomic_ulong given, handed_over, full;
static const char *_Atomic trouble;

struct held {
	vms_stack stack;
	size_t written;       /* how deep, in bytes below the top */
	unsigned char mark;
	char name[VMS_STACK_NAME_MAX + 1];
};

struct worker {
	unsigned number;
	struct random random;
	struct held held[HELD];
	size_t count;
	const void *latest;   /* a byte of the one that it has taken last */
};

static void need(bool condition, const char *what)
{
	const char *none = NULL;

	if (!condition)
		(void)atomic_compare_exchange_strong(&trouble, &none, what);
}

static size_t below(struct worker *worker, size_t limit)
{
	return random_below(&worker->random, limit);
}

/* --- owners ------------------------------------------------------------------------------ */

static void change_owner(size_t number, unsigned from, unsigned to)
{
	need(atomic_compare_exchange_strong(&owners[number], &from, to),
	     "a stack has two owners");
}

static void write_name(struct worker *worker, struct held *held)
{
	(void)snprintf(held->name, sizeof(held->name), "of %u, %zu",
		       worker->number, below(worker, 1000000));
}

static void describe(const vms_stack *stack)
{
	vms_stack *known = &described[stack->number];

	if (!known->base)
		*known = *stack;
	need(stack->base == known->base && stack->top == known->top,
	     "a stack has moved");
}

static void take_one(struct worker *worker)
{
	struct held *held = &worker->held[worker->count];
	size_t depth;

	if (worker->count == HELD)
		return;
	write_name(worker, held);
	if (vms_stacks_take(pool, held->name, &held->stack) != 0) {
		need(errno == EAGAIN, "a stack is refused for nothing");
		atomic_fetch_add(&full, 1);
		return;
	}
	change_owner(held->stack.number, 0, worker->number);
	describe(&held->stack);
	worker->latest = (char *)held->stack.top - 1;
	held->written = 0;
	if (atomic_load(&cleared))
		need(vms_stacks_high_water(pool, &held->stack, &depth) == 0 &&
			     depth == 0,
		     "a stack is not clear");
	worker->count++;
}

static struct held *some_held(struct worker *worker)
{
	return worker->count ? &worker->held[below(worker, worker->count)] : NULL;
}

static void drop(struct worker *worker, struct held *held)
{
	*held = worker->held[--worker->count];
}

static void check_mark(const struct held *held)
{
	if (held->written)
		need(((unsigned char *)held->stack.top)[-(long)held->written] ==
			     held->mark,
		     "another has written to a stack");
}

static void give_one(struct worker *worker)
{
	struct held *held = some_held(worker);
	vms_stack stack;

	if (!held)
		return;
	check_mark(held);
	stack = held->stack;
	drop(worker, held);
	change_owner(stack.number, worker->number, 0);
	need(vms_stacks_give(pool, &stack) == 0, "a stack cannot be given back");
	atomic_fetch_add(&given, 1);
}

/* --- from one to another ------------------------------------------------------------------- */

static void hand_over(struct worker *worker)
{
	struct held *held = some_held(worker);
	const unsigned to = 1 + (unsigned)below(worker, THREADS);
	size_t nothing = 0;
	size_t number;

	if (!held)
		return;
	check_mark(held);
	number = held->stack.number;
	/* It is the other's as soon as it is in the box. */
	change_owner(number, worker->number, THREADS + 1);
	if (atomic_compare_exchange_strong(&mailboxes[to], &nothing, number + 1))
		drop(worker, held);
	else
		change_owner(number, THREADS + 1, worker->number);
}

static void look_into_mailbox(struct worker *worker)
{
	struct held *held = &worker->held[worker->count];
	size_t number;

	if (worker->count == HELD)
		return;
	number = atomic_exchange(&mailboxes[worker->number], 0);
	if (number == 0)
		return;
	change_owner(number - 1, THREADS + 1, worker->number);
	need(vms_stacks_find(pool, described[number - 1].base, &held->stack) == 0,
	     "what somebody has is not found");
	need(held->stack.number == number - 1, "another is found");
	need(vms_stacks_name(pool, &held->stack, held->name) == 0 &&
		     strncmp(held->name, "of ", 3) == 0,
	     "the name is lost");
	held->written = 0;
	worker->count++;
	atomic_fetch_add(&handed_over, 1);
}

/* --- using them ---------------------------------------------------------------------------- */

static void write_deep(struct worker *worker)
{
	struct held *held = some_held(worker);

	if (!held)
		return;
	check_mark(held);
	held->written = 1 + below(worker, held->stack.size);
	held->mark = (unsigned char)(1 + below(worker, 255));
	((unsigned char *)held->stack.top)[-(long)held->written] = held->mark;
}

static void ask_for_depth(struct worker *worker)
{
	struct held *held = some_held(worker);
	size_t depth;

	if (!held)
		return;
	need(vms_stacks_high_water(pool, &held->stack, &depth) == 0,
	     "a depth is not told");
	need(depth >= held->written && depth <= held->stack.size,
	     "a depth is wrong");
}

static void ask_for_name(struct worker *worker)
{
	struct held *held = some_held(worker);
	char name[VMS_STACK_NAME_MAX + 1];

	if (!held)
		return;
	need(vms_stacks_name(pool, &held->stack, name) == 0 &&
		     strcmp(name, held->name) == 0,
	     "a name is wrong");
	write_name(worker, held);
	need(vms_stacks_set_name(pool, &held->stack, held->name) == 0,
	     "a name is refused");
}

/* Whoever has it now, or nobody. */
static void look_for_latest(struct worker *worker)
{
	vms_stack found;

	if (vms_stacks_find(pool, worker->latest, &found) == 0)
		need((char *)found.top - 1 == worker->latest, "another is found");
	else
		need(errno == ENOENT, "a search is refused");
}

static void *work(void *argument)
{
	static void (*const kinds[])(struct worker *) = {
		take_one, take_one, take_one, give_one, give_one, hand_over,
		look_into_mailbox, look_into_mailbox, write_deep, write_deep,
		ask_for_depth, ask_for_name, look_for_latest,
	};
	struct worker *worker = argument;

	for (unsigned long i = 0; i < operations && !atomic_load(&trouble); i++)
		kinds[below(worker, sizeof(kinds) / sizeof(*kinds))](worker);
	while (worker->count > 0)
		give_one(worker);
	return NULL;
}

static void *collect(void *argument)
{
	struct vms_stacks_stats stats = { .struct_size = sizeof(stats) };

	for (unsigned i = 0; !atomic_load(&stop); i++) {
		need(vms_stacks_collect(pool, i % 2 ? VMS_STACKS_COLLECT_ALL : 0) ==
			     0, "collecting is refused");
		need(vms_stacks_get_stats(pool, &stats) == 0 &&
			     stats.taken <= stats.made && stats.made <= POOL_SIZE,
		     "figures are wrong");
	}
	return argument;
}

/* --- the whole ----------------------------------------------------------------------------- */

/* What lies in the boxes is taken still, and nothing else; none was lost. */
static void expect_all_back(void)
{
	for (size_t i = 1; i <= THREADS; i++) {
		const size_t number = atomic_exchange(&mailboxes[i], 0);

		if (number == 0)
			continue;
		give(&described[number - 1]);
		atomic_store(&owners[number - 1], 0);
	}
	assert_int_equal(pool_stats().taken, 0);
	for (size_t i = 0; i < POOL_SIZE; i++)
		describe((vms_stack[]){ take() });
}

static void run_threads(void)
{
	static struct worker workers[THREADS];
	static unsigned pass;
	pthread_t threads[THREADS], collector;

	memset(workers, 0, sizeof(workers));
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&collector, NULL, collect, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].number = i + 1;
		workers[i].random.state = random_mix(seed, pass * THREADS + i);
		assert_int_equal(pthread_create(&threads[i], NULL, work,
						&workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(collector, NULL), 0);
	if (atomic_load(&trouble))
		fail_msg("%s (--seed %llu)", atomic_load(&trouble),
			 (unsigned long long)seed);
	pass++;
}

static void each_has_one_owner(void **state)
{
	const unsigned flags[] = { 0, VMS_STACKS_CLEARED };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct vms_stacks_options options = {
			.keep = 1, .age = 1, .flags = flags[i % 2],
			.colours = i < 2 ? VMS_STACKS_NO_COLOURS : 1024,
		};

		atomic_store(&cleared, flags[i % 2] != 0);
		memset(described, 0, sizeof(described));
		open_pool(POOL_SIZE, 3 * page(), &options);
		run_threads();
		expect_all_back();
		assert_int_equal(close_pool(NULL), 0);
	}
	print_message("%lu were given back, %lu handed over, %lu refused\n",
		      atomic_load(&given), atomic_load(&handed_over),
		      atomic_load(&full));
	assert_true(atomic_load(&handed_over) > 0 && atomic_load(&full) > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_one_owner),
	};

	for (int i = 1; i + 1 < argc; i += 2)
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--operations") == 0)
			operations = strtoul(argv[i + 1], NULL, 10);
	return cmocka_run_group_tests_name("stacks_race", tests, NULL, NULL);
}
