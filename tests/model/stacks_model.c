/* SPDX-License-Identifier: MIT */
#include "../unit/stacks_fixture.h"

#include "../fault/host_fault.h"
#include "../kernel/random.h"
#include "arguments.h"
#include "space/inside.h"

/*
 * Random operations on pools of all kinds, and on a list of what must be so, in a space
 * that sometimes has a strict commit limit, while the host fails now and then, or has no
 * guards in page tables. What fails must have changed nothing.
 */

#define OPERATIONS_USUAL 40000
#define OPERATIONS_PER_ROUND 800
#define STACKS_MOST 60
#define GUARDS_EVERY 100

static struct arguments given = { .operations = OPERATIONS_USUAL };

/* What is known of a stack. Depths are bytes below its top. */
struct shadow {
	vms_stack stack;
	bool made, taken;
	char name[VMS_STACK_NAME_MAX + 1];
	size_t written;    /* how deep its holder has written */
	unsigned char mark; /* what there is in its lowest byte */
	size_t resident;   /* how deep it may have memory */
};

static struct {
	vms_space *space;
	struct vms_stacks_options options;
	struct vms_stacks_stats first;     /* of the empty pool */
	size_t count;
	struct shadow shadows[STACKS_MOST];
	size_t free[STACKS_MOST];  /* those that were given back; the last is next */
	size_t frees, taken;
	bool limited, no_guards;
	struct random random;
	unsigned long step, refused, full;
	char last[200];            /* the operation, for messages */
} run;

static size_t below(size_t limit)
{
	return random_below(&run.random, limit);
}

static void say(const char *operation, size_t number)
{
	(void)snprintf(run.last, sizeof(run.last), "%s %zu", operation, number);
}

static void wrong(const char *what)
{
	fail_msg("%s: %s (step %lu, --seed %llu)", run.last, what, run.step,
		 (unsigned long long)given.seed);
}

static void need(bool condition, const char *what)
{
	if (!condition)
		wrong(what);
}

static bool is_cleared(void)
{
	return run.options.flags & VMS_STACKS_CLEARED;
}

/* --- a host that fails ------------------------------------------------------------------ */

static bool may_fail; /* this step's operation meets a host that fails */
static long (*next_madvise)(uintptr_t address, size_t length, int advice);

static long refuse_guards(uintptr_t address, size_t length, int advice)
{
	return run.no_guards && advice == MADV_GUARD_INSTALL ? -EINVAL :
		next_madvise(address, length, advice);
}

static void begin_operation(void)
{
	struct fault_plan plan = {
		.mode = below(2) ? FAULT_ONCE : FAULT_FROM,
		.n = 1 + (unsigned)below(6),
		.which = below(2) ? FAULT_USUAL : FAULT_OTHER,
	};

	may_fail = below(3) == 0;
	if (!may_fail)
		plan.mode = FAULT_NEVER;
	errno = ERRNO_BEFORE;
	fault_begin(&plan);
}

/* Returns whether the operation succeeded. */
static bool end_operation(int result)
{
	const int error = errno;
	const struct fault_result faults = fault_end();

	may_fail = faults.failed > 0;
	if (result == 0)
		need(error == ERRNO_BEFORE, "a success has changed errno");
	else
		run.refused++;
	errno = error;
	return result == 0;
}

/* --- taking and giving back -------------------------------------------------------------- */

static bool overlaps(const struct shadow *one, const struct shadow *two)
{
	const char *end = (char *)one->stack.base + run.first.stack_size;
	const char *other_end = (char *)two->stack.base + run.first.stack_size;

	return (char *)one->stack.base < other_end + run.first.guard_size &&
		(char *)two->stack.base < end + run.first.guard_size;
}

static void check_place(const struct shadow *shadow)
{
	const vms_stack *stack = &shadow->stack;
	const size_t alignment = vmsi_max(run.options.alignment, page());

	need(vmsi_is_aligned((uintptr_t)stack->base, alignment), "not aligned");
	need((char *)stack->base + stack->size == stack->top, "the top is not its end");
	need(vmsi_is_aligned((uintptr_t)stack->top, 64), "the top is odd");
	need(stack->size <= run.first.stack_size, "it is too large");
	for (size_t i = 0; i < run.count; i++)
		need(&run.shadows[i] == shadow || !run.shadows[i].made ||
			     !overlaps(shadow, &run.shadows[i]),
		     "it lies in another");
}

static void note_taken(const vms_stack *stack, const char *name)
{
	struct shadow *shadow = &run.shadows[stack->number];

	need(!shadow->taken, "two have it");
	if (run.frees > 0)
		need(stack->number == run.free[--run.frees],
		     "not the one that was given back last");
	else
		need(!shadow->made, "not a new one");
	need(!shadow->made || (shadow->stack.base == stack->base &&
			       shadow->stack.top == stack->top),
	     "it has moved");
	shadow->stack = *stack;
	shadow->taken = shadow->made = true;
	shadow->written = 0;
	(void)snprintf(shadow->name, sizeof(shadow->name), "%s", name ? name : "");
	run.taken++;
	check_place(shadow);
}

static const char *some_name(void)
{
	static const char *const names[] = {
		NULL, "", "a", "reader", "of eight",
		"a name that is longer than what is kept of it",
	};

	return names[below(sizeof(names) / sizeof(*names))];
}

static void do_take(void)
{
	const char *name = some_name();
	vms_stack stack;

	say("take, while so many are free:", run.frees);
	begin_operation();
	if (end_operation(vms_stacks_take(pool, name, &stack))) {
		need(stack.number < run.count, "there is no such number");
		note_taken(&stack, name);
		return;
	}
	need(run.frees == 0, "one that was free is refused");
	if (run.taken == run.count)
		need(errno == EAGAIN, "not EAGAIN, though all are taken");
	else
		need(errno == ENOMEM && (may_fail || run.limited),
		     "it is refused for nothing");
	run.full += errno == EAGAIN;
}

/* One that somebody has; NULL: nobody has any. */
static struct shadow *some_taken(void)
{
	size_t nth;

	if (run.taken == 0)
		return NULL;
	nth = below(run.taken);
	for (size_t i = 0;; i++)
		if (run.shadows[i].taken && nth-- == 0)
			return &run.shadows[i];
}

static void check_mark(const struct shadow *shadow)
{
	if (shadow->written)
		need(((unsigned char *)shadow->stack.top)[-(long)shadow->written] ==
			     shadow->mark,
		     "what was written is not there");
}

static void do_give(void)
{
	struct shadow *shadow = some_taken();

	if (!shadow)
		return;
	say("give", shadow->stack.number);
	check_mark(shadow);
	begin_operation();
	need(end_operation(vms_stacks_give(pool, &shadow->stack)), "it is refused");
	shadow->taken = false;
	run.taken--;
	run.free[run.frees++] = shadow->stack.number;
}

/* What nobody has, or what is no stack. */
static void do_give_wrong(void)
{
	struct shadow *shadow = &run.shadows[below(run.count)];
	vms_stack stack = shadow->stack;
	size_t bytes;

	say("give what nobody has", stack.number);
	if (shadow->taken && below(2))
		stack.base = (char *)stack.base + 1;
	else if (shadow->taken)
		stack.number += run.count;
	refused(vms_stacks_give(pool, &stack), EINVAL);
	refused(vms_stacks_set_name(pool, &stack, "wrong"), EINVAL);
	refused(vms_stacks_high_water(pool, &stack, &bytes), EINVAL);
}

/* --- using them ------------------------------------------------------------------------- */

static void do_write(void)
{
	struct shadow *shadow = some_taken();
	const size_t size = run.first.stack_size;
	size_t depth;

	if (!shadow)
		return;
	say("write", shadow->stack.number);
	check_mark(shadow);
	depth = 1 + below(below(2) ? 200 : shadow->stack.size);
	if (depth <= shadow->written)
		return;
	shadow->written = depth;
	shadow->mark = (unsigned char)(1 + below(255));
	((unsigned char *)shadow->stack.top)[-(long)depth] = shadow->mark;
	depth += size - shadow->stack.size;
	shadow->resident = vmsi_max(shadow->resident, vmsi_align_up(depth, page()));
}

static size_t by_pages(const struct shadow *shadow, size_t depth)
{
	const size_t above = run.first.stack_size - shadow->stack.size;

	return depth ? vmsi_align_up(depth + above, page()) - above : 0;
}

static void do_high_water(void)
{
	struct shadow *shadow = some_taken();
	size_t bytes, most;

	if (!shadow)
		return;
	say("high water", shadow->stack.number);
	begin_operation();
	if (!end_operation(vms_stacks_high_water(pool, &shadow->stack, &bytes))) {
		need(may_fail, "it is refused for nothing");
		return;
	}
	if (is_cleared()) {
		need(bytes == shadow->written, "it is not exact");
		return;
	}
	most = shadow->resident + shadow->stack.size - run.first.stack_size;
	need(bytes >= by_pages(shadow, shadow->written), "it is too little");
	need(shadow->resident ? bytes <= most : bytes == 0, "it is too much");
}

static void do_set_name(void)
{
	struct shadow *shadow = some_taken();
	const char *name = some_name();

	if (!shadow)
		return;
	say("set name", shadow->stack.number);
	need(vms_stacks_set_name(pool, &shadow->stack, name) == 0, "it is refused");
	(void)snprintf(shadow->name, sizeof(shadow->name), "%s", name ? name : "");
}

static void do_name(void)
{
	struct shadow *shadow = some_taken();
	char name[VMS_STACK_NAME_MAX + 1];

	if (!shadow)
		return;
	say("name", shadow->stack.number);
	need(vms_stacks_name(pool, &shadow->stack, name) == 0, "it is refused");
	need(strcmp(name, shadow->name) == 0, "it is another");
}

static const struct shadow *holder_of(const char *address)
{
	for (size_t i = 0; i < run.count; i++) {
		const char *base = run.shadows[i].stack.base;

		if (run.shadows[i].taken &&
		    address >= base - run.first.guard_size &&
		    address < base + run.first.stack_size)
			return &run.shadows[i];
	}
	return NULL;
}

static void do_find(void)
{
	const struct shadow *any = &run.shadows[below(run.count)], *expected;
	const char *address = (const char *)((uintptr_t)any->stack.base +
					     below(6 * run.first.pitch) -
					     3 * run.first.pitch);
	vms_stack found;
	int result;

	say("find", (uintptr_t)address);
	expected = holder_of(address);
	result = vms_stacks_find(pool, address, &found);
	need(expected ? result == 0 : result == -1 && errno == ENOENT,
	     "it is found or not, and should not, or be");
	if (expected)
		need(memcmp(&found, &expected->stack, sizeof(found)) == 0,
		     "another is found");
}

static void do_collect(void)
{
	const bool all = below(2);

	say(all ? "collect all" : "collect", 0);
	begin_operation();
	need(end_operation(vms_stacks_collect(
		     pool, all ? VMS_STACKS_COLLECT_ALL : 0)),
	     "it is refused");
	for (size_t i = 0; i < run.count; i++)
		if (all && !may_fail && !run.shadows[i].taken)
			run.shadows[i].resident = 0;
}

/* --- what must hold ---------------------------------------------------------------------- */

static void compare_figures(void)
{
	struct vms_space_stats space = { .struct_size = sizeof(space) };
	const struct vms_stacks_stats stats = pool_stats();

	need(stats.taken == run.taken, "so many are not taken");
	need(stats.made >= run.taken + run.frees && stats.made <= run.count,
	     "so many were not made");
	need(run.no_guards ? stats.guard_mappings == stats.made :
			     stats.guard_mappings == 0,
	     "guards are of the wrong kind");
	assert_int_equal(vms_space_get_stats(run.space, &space), 0);
	need(space.mapped == stats.reserved, "something else is mapped");
	need(run.options.flags & VMS_STACKS_NORESERVE ||
		     space.committed == stats.committed,
	     "the ledger is not right");
}

static void check_guards(void)
{
	const struct shadow *shadow = some_taken();
	const char *base;

	if (!shadow)
		return;
	base = shadow->stack.base;
	say("guards", shadow->stack.number);
	need(!is_writable(base - 1) && !is_writable(base - run.first.guard_size),
	     "the guard is gone");
	need(!is_writable(base + run.first.stack_size), "there is none above");
}

static void operate(void)
{
	static void (*const kinds[])(void) = {
		do_take, do_take, do_take, do_take, do_give, do_give, do_give,
		do_give_wrong, do_write, do_write, do_write, do_high_water,
		do_set_name, do_name, do_find, do_find, do_collect,
	};

	kinds[below(sizeof(kinds) / sizeof(*kinds))]();
	run.step++;
	compare_figures();
	if (run.step % GUARDS_EVERY == 0)
		check_guards();
}

/* --- rounds ------------------------------------------------------------------------------ */

static void choose_options(void)
{
	const size_t colours[] = { 0, 64, 128, 1024, page(), VMS_STACKS_NO_COLOURS };

	run.options = (struct vms_stacks_options){
		.struct_size = sizeof(run.options),
		.guard = below(3) * page() / 2 + below(2),
		.alignment = below(2) ? 0 : page() << below(5),
		.keep = below(2),
		.colours = colours[below(sizeof(colours) / sizeof(*colours))],
		.age = below(2) ? 1 : VMS_STACKS_NEVER,
		.flags = (below(2) ? VMS_STACKS_CLEARED : 0) |
			(below(3) ? 0 : VMS_STACKS_NORESERVE),
		.space = run.space,
	};
}

static void begin_round(void)
{
	struct vms_space_options options = { .struct_size = sizeof(options) };

	run.limited = below(2);
	run.no_guards = below(3) == 0;
	if (run.limited) {
		options.commit_policy = VMS_COMMIT_STRICT;
		options.commit_limit = (1 + below(200)) * page();
	}
	run.space = vms_space_open((size_t)1 << 30, &options);
	assert_non_null(run.space);
	choose_options();
	run.count = 1 + below(STACKS_MOST);
	memset(run.shadows, 0, sizeof(run.shadows));
	run.frees = run.taken = 0;
	/* With a strict policy memory that is not charged is charged at once. */
	if (run.limited)
		run.options.flags &= ~VMS_STACKS_NORESERVE;
	pool = vms_stacks_open(run.count, 1 + below(5 * page()), &run.options);
	assert_non_null(pool);
	run.first = pool_stats();
}

static void end_round(void)
{
	if (below(2))
		while (run.taken > 0)
			do_give();
	assert_int_equal(close_pool(NULL), 0);
	assert_null(vmsi_space_check(run.space));
	assert_int_equal(vms_space_close(run.space), 0);
}

static void as_the_list_has_it(void **state)
{
	(void)state;
	run.random.state = given.seed;
	fault_install();
	next_madvise = vmsi_host.madvise;
	vmsi_host.madvise = refuse_guards;
	while (run.step < given.operations) {
		begin_round();
		for (int i = 0; i < OPERATIONS_PER_ROUND; i++)
			operate();
		end_round();
	}
	vmsi_host.madvise = next_madvise;
	fault_remove();
	print_message("%lu operations, %lu refused, %lu of them since all were taken\n",
		      run.step, run.refused, run.full);
	assert_true(run.full > 0 && run.refused > run.full);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_list_has_it),
	};

	read_arguments("stacks", argc, argv, &given);
	return cmocka_run_group_tests_name("stacks_model", tests, NULL, NULL);
}
