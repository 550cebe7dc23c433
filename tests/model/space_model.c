/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "../kernel/random.h"
#include "../zero_page.h"
#include "arguments.h"
#include "pages.h"

/*
 * Random operations on a space with a small strict commit limit and on an
 * array of pages: the ledger refuses exactly when the array says, and both
 * hold the same. In every other round the limit is that of a budget.
 */

#define OPERATIONS_USUAL 60000
#define OPERATIONS_PER_ROUND 1500
#define PLACES 200  /* pages where MAP_FIXED mappings go */
#define ALL_EVERY 64

#define RW (PROT_READ | PROT_WRITE)

static struct arguments given = { .operations = OPERATIONS_USUAL };

static struct {
	vms_space *space;
	vms_budget *budget; /* NULL: the limit is the space's own */
	char *base;
	size_t page;
	struct pages model;
	struct random random;
	unsigned long step;
	unsigned long refused;
	bool reads_touch; /* a page that is read counts as one that is written */
	char last[200]; /* the operation, for messages */
} run;

static size_t below(size_t limit)
{
	return random_below(&run.random, limit);
}

static char *at(size_t i)
{
	return run.base + i * run.page;
}

static size_t bytes(size_t count)
{
	return count * run.page;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(run.last, sizeof run.last, format, arguments);
	va_end(arguments);
}

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void wrong(const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	fail_msg("%s: %s (step %lu, --seed %llu)", run.last, text, run.step,
		 (unsigned long long)given.seed);
}

static void expect(intptr_t got, intptr_t expected)
{
	if (got != expected)
		wrong("answered %zd, not %zd", (ssize_t)got, (ssize_t)expected);
	if (got == -ENOMEM)
		run.refused++;
}

static intptr_t status(int result)
{
	return result == 0 ? 0 : -errno;
}

/* An address as a page number, or -errno. */
static intptr_t page_of(void *address)
{
	if (address == MAP_FAILED)
		return -errno;
	return ((char *)address - run.base) / (intptr_t)run.page;
}

/* --- faults ------------------------------------------------------------------- */

static sigjmp_buf fault_return;

static void on_fault(int number)
{
	siglongjmp(fault_return, number);
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault,
				    .sa_flags = SA_NODEFER };

	(void)sigaction(SIGSEGV, &action, NULL);
	(void)sigaction(SIGBUS, &action, NULL);
}

static int peek(size_t i)
{
	int number = sigsetjmp(fault_return, 0);

	return number != 0 ? -number : *(volatile unsigned char *)at(i);
}

static int poke(size_t i, unsigned char byte)
{
	int number = sigsetjmp(fault_return, 0);

	if (number != 0)
		return -number;
	*(volatile unsigned char *)at(i) = byte;
	return 0;
}

/* --- choice --------------------------------------------------------------------- */

static size_t some_length(void)
{
	return 1 + below(below(8) == 0 ? 30 : 8);
}

static int some_prot(void)
{
	static const int prots[] = { RW, RW, RW, PROT_READ, PROT_NONE };

	return prots[below(sizeof prots / sizeof *prots)];
}

/* A mapped page, when there is one near a random place; else any. */
static size_t some_page(void)
{
	size_t start = below(PLACES);

	for (size_t i = start; i < PLACES; i++)
		if (run.model.pages[i].mapped)
			return i;
	return start;
}

static size_t within(size_t start, size_t count)
{
	return start + count <= PAGES ? count : PAGES - start;
}

/* --- operations -------------------------------------------------------------------- */

static void do_map(void)
{
	bool fixed = below(4) != 0, shared = below(4) == 0;
	size_t start = below(PLACES), count = some_length();
	int prot = some_prot();
	int flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS |
		    (below(4) == 0 ? MAP_NORESERVE : 0) |
		    (fixed ? MAP_FIXED : 0);
	size_t charge = shared || prot & PROT_WRITE ? count : 0;
	size_t refund = fixed ? pages_charged_in(&run.model, start, count) : 0;
	intptr_t got;

	say("mmap %zu+%zu prot %d flags %#x", start, count, prot, flags);
	got = page_of(vms_mmap(run.space, fixed ? at(start) : NULL,
			       bytes(count), prot, flags, -1, 0));
	if (!pages_may_charge(&run.model, charge, refund)) {
		expect(got, -ENOMEM);
		return;
	}
	if (fixed)
		expect(got, (intptr_t)start);
	else if (got < 0 || !pages_are_free(&run.model, (size_t)got, count))
		wrong("placed at %zd", (ssize_t)got);
	pages_unmap(&run.model, (size_t)got, count);
	pages_map(&run.model, (size_t)got, count, prot,
		  shared ? pages_object(&run.model, count) : NULL);
}

static void do_unmap(void)
{
	size_t start = some_page(), count = within(start, some_length());

	say("munmap %zu+%zu", start, count);
	expect(status(vms_munmap(run.space, at(start), bytes(count))), 0);
	pages_unmap(&run.model, start, count);
}

/* One run, or the part of it up to end. Returns 0 or -ENOMEM. */
static int protect_run(size_t start, size_t end, int prot)
{
	const struct page *first = &run.model.pages[start];
	bool private = first->object == NULL;
	bool gains = private && prot & PROT_WRITE && !first->charged;
	bool loses = private && !(prot & PROT_WRITE) && first->charged &&
		     !first->touched;

	if (gains && !pages_may_charge(&run.model, end - start, 0))
		return -ENOMEM;
	for (size_t i = start; i < end; i++) {
		run.model.pages[i].prot = prot;
		if (gains || loses)
			pages_set_charged(&run.model, i, gains);
	}
	return 0;
}

/* Run after run, up to a hole or a refusal. */
static int protect_range(size_t start, size_t end, int prot)
{
	while (start < end) {
		size_t run_end;
		int error;

		if (!run.model.pages[start].mapped)
			return -ENOMEM;
		run_end = pages_run_end(&run.model, start);
		if (run_end > end)
			run_end = end;
		error = protect_run(start, run_end, prot);
		if (error != 0)
			return error;
		start = run_end;
	}
	return 0;
}

static void do_protect(void)
{
	size_t start = some_page(), count = within(start, some_length());
	int prot = some_prot();
	int result;

	say("mprotect %zu+%zu prot %d", start, count, prot);
	result = vms_mprotect(run.space, at(start), bytes(count), prot);
	expect(status(result), protect_range(start, start + count, prot));
}

/*
 * A range of one mapping and what becomes of it. Growth is charged where the
 * mapping is; the target of MREMAP_FIXED is gone also when that is refused.
 */
struct remap {
	size_t old, count, new_count;
	size_t target; /* MREMAP_FIXED */
};

static bool growth_is_charged(const struct remap *r)
{
	return run.model.pages[r->old].charged && r->new_count > r->count;
}

static void apply_move(const struct remap *r, size_t to)
{
	size_t moved = r->count < r->new_count ? r->count : r->new_count;

	if (r->new_count < r->count)
		pages_unmap(&run.model, r->old + r->new_count,
			    r->count - r->new_count);
	pages_move(&run.model, r->old, moved, to, r->new_count);
}

static bool grows_in_place(const struct remap *r)
{
	return pages_run_end(&run.model, r->old) == r->old + r->count &&
	       pages_are_free(&run.model, r->old + r->count,
			      r->new_count - r->count);
}

static void remap_free(const struct remap *r, int flags)
{
	intptr_t got;
	bool may = !growth_is_charged(r) ||
		   pages_may_charge(&run.model, r->new_count - r->count, 0);

	say("mremap %zu+%zu to %zu flags %d", r->old, r->count, r->new_count,
	    flags);
	got = page_of(vms_mremap(run.space, at(r->old), bytes(r->count),
				 bytes(r->new_count), flags, NULL));
	if (r->new_count <= r->count) {
		expect(got, (intptr_t)r->old);
		pages_unmap(&run.model, r->old + r->new_count,
			    r->count - r->new_count);
	} else if (!may || (!flags && !grows_in_place(r))) {
		expect(got, -ENOMEM);
	} else if (grows_in_place(r)) {
		expect(got, (intptr_t)r->old);
		pages_extend(&run.model, r->old + r->count,
			     r->new_count - r->count);
	} else if (got < 0 || !pages_are_free(&run.model, (size_t)got,
					      r->new_count)) {
		wrong("moved to %zd", (ssize_t)got);
	} else {
		apply_move(r, (size_t)got);
	}
}

static void remap_fixed(const struct remap *r)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	bool may;
	intptr_t got;

	say("mremap %zu+%zu to %zu at %zu", r->old, r->count, r->new_count,
	    r->target);
	got = page_of(vms_mremap(run.space, at(r->old), bytes(r->count),
				 bytes(r->new_count), flags, at(r->target)));
	if (r->target < r->old + r->count &&
	    r->old < r->target + r->new_count) {
		expect(got, -EINVAL);
		return;
	}
	pages_unmap(&run.model, r->target, r->new_count);
	may = !growth_is_charged(r) ||
	      pages_may_charge(&run.model, r->new_count - r->count, 0);
	expect(got, may ? (intptr_t)r->target : -ENOMEM);
	if (may)
		apply_move(r, r->target);
}

static void do_remap(void)
{
	struct remap r = { .old = some_page() };
	size_t end = pages_run_end(&run.model, r.old);

	r.count = below(2) ? end - r.old : 1 + below(end - r.old);
	r.new_count = below(3) == 0 ? r.count : some_length();
	r.target = below(PLACES);
	if (!run.model.pages[r.old].mapped)
		return;
	/*
	 * An object that goes with the target comes back before the growth is
	 * charged or after it: Linux does not say.
	 */
	if (below(3) == 0 && !pages_have_object(&run.model, r.target,
						r.new_count))
		remap_fixed(&r);
	else
		remap_free(&r, below(2) ? MREMAP_MAYMOVE : 0);
}

static void do_alias(void)
{
	size_t old = some_page(), count = some_length();
	intptr_t got;

	if (!run.model.pages[old].mapped)
		return;
	say("mremap %zu+0 to %zu", old, count);
	got = page_of(vms_mremap(run.space, at(old), 0, bytes(count),
				 MREMAP_MAYMOVE, NULL));
	if (run.model.pages[old].object == NULL) {
		expect(got, -EINVAL);
		return;
	}
	if (got < 0 || !pages_are_free(&run.model, (size_t)got, count))
		wrong("placed at %zd", (ssize_t)got);
	pages_alias(&run.model, old, count, (size_t)got);
}

static bool is_private(size_t start, size_t count)
{
	for (size_t i = start; i < start + count; i++)
		if (!run.model.pages[i].mapped ||
		    run.model.pages[i].object != NULL)
			return false;
	return true;
}

static bool has_hole(size_t start, size_t count)
{
	for (size_t i = start; i < start + count; i++)
		if (!run.model.pages[i].mapped)
			return true;
	return false;
}

static void do_discard(void)
{
	size_t start = some_page(), count = within(start, some_length());

	say("madvise %zu+%zu DONTNEED", start, count);
	expect(status(vms_madvise(run.space, at(start), bytes(count),
				  MADV_DONTNEED)),
	       has_hole(start, count) ? -ENOMEM : 0);
	pages_discard(&run.model, start, count);
}

static void do_decommit(void)
{
	size_t start = some_page(), count = within(start, some_length());
	unsigned flags = below(2) ? VMS_DECOMMIT_UNCHARGE : 0;
	intptr_t got;

	say("decommit %zu+%zu flags %u", start, count, flags);
	got = status(vms_decommit(run.space, at(start), bytes(count), flags));
	if (!is_private(start, count)) {
		expect(got, has_hole(start, count) ? -ENOMEM : -EINVAL);
		return;
	}
	expect(got, 0);
	if (flags == 0)
		pages_discard(&run.model, start, count);
	else
		pages_map(&run.model, start, count, PROT_NONE, NULL);
}

static void do_poke(void)
{
	size_t i = some_page();
	unsigned char byte = (unsigned char)(1 + below(255));

	say("poke %zu", i);
	expect(poke(i, byte), pages_poke(&run.model, i, byte));
}

/* --- comparison ------------------------------------------------------------------------ */

static void compare_budget(void)
{
	struct vms_budget_stats stats = { .struct_size = sizeof stats };

	assert_int_equal(vms_budget_get_stats(run.budget, &stats), 0);
	if (stats.charged != bytes(run.model.charged))
		wrong("%zu pages are charged to the budget, not %zu",
		      stats.charged / run.page, run.model.charged);
	if (stats.peak > stats.limit)
		wrong("the budget was above its limit");
}

static void compare_charge(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof stats };

	assert_int_equal(vms_space_get_stats(run.space, &stats), 0);
	if (stats.committed != bytes(run.model.charged))
		wrong("%zu pages are charged, not %zu",
		      stats.committed / run.page, run.model.charged);
	if (stats.committed > stats.commit_limit)
		wrong("the ledger is above its limit");
	if (run.budget)
		compare_budget();
}

static void compare_run(const struct vms_mapping_info *info, size_t start,
			size_t end)
{
	for (size_t i = start; i < end; i++) {
		const struct page *page = &run.model.pages[i];

		if (!page->mapped || page->prot != info->prot ||
		    (page->object != NULL) !=
			    !!(info->flags & VMS_MAPPING_SHARED))
			wrong("page %zu is not as listed", i);
		if (page->object == NULL && page->charged != !!info->committed)
			wrong("page %zu is listed with another charge", i);
		if (i + 1 < end && !pages_continue(&run.model, i))
			wrong("page %zu is listed together with the next", i);
	}
	if (end < PAGES && pages_continue(&run.model, end - 1))
		wrong("pages %zu and %zu are listed apart", end - 1, end);
}

static void compare_list(void)
{
	static struct vms_mapping_info info;
	size_t reached = 0;
	uintptr_t cursor = 0;

	info.struct_size = sizeof info;
	while (vms_space_next_mapping(run.space, &cursor, &info, 0) == 1) {
		size_t start = (info.start - (uintptr_t)run.base) / run.page;

		if (!pages_are_free(&run.model, reached, start - reached))
			wrong("a mapping before page %zu is not listed", start);
		reached = start + info.length / run.page;
		compare_run(&info, start, reached);
	}
	if (!pages_are_free(&run.model, reached, PAGES - reached))
		wrong("a mapping at the end is not listed");
}

static void compare_page(size_t i)
{
	struct page *page = &run.model.pages[i];
	int got = peek(i), expected = pages_peek(&run.model, i);

	if (got != expected)
		wrong("page %zu holds %d, not %d", i, got, expected);
	if (run.reads_touch && got >= 0 && !page->object)
		page->touched = true;
}

static void compare(void)
{
	pages_spread_touched(&run.model);
	compare_charge();
	compare_list();
	for (int i = 0; i < 4; i++)
		compare_page(some_page());
	if (run.step % ALL_EVERY == 0)
		for (size_t i = 0; i < PAGES; i++)
			if (run.model.pages[i].mapped)
				compare_page(i);
	pages_spread_touched(&run.model);
}

/* --- rounds -------------------------------------------------------------------------------- */

static void operate(void)
{
	static void (*const kinds[])(void) = {
		do_map, do_map, do_map, do_unmap, do_protect, do_protect,
		do_protect, do_remap, do_remap, do_alias, do_discard,
		do_decommit, do_poke, do_poke, do_poke, do_poke,
	};
	size_t mapped = 0;

	for (size_t i = 0; i < PAGES; i++)
		mapped += run.model.pages[i].mapped;
	if (mapped > PAGES / 4)
		do_unmap();
	else
		kinds[below(sizeof kinds / sizeof *kinds)]();
	run.step++;
}

/* What was placed elsewhere than in the first pages goes now and then. */
static void sweep(void)
{
	say("munmap of all behind %d", PLACES);
	expect(status(vms_munmap(run.space, at(PLACES),
				 bytes(PAGES - PLACES))), 0);
	pages_unmap(&run.model, PLACES, PAGES - PLACES);
}

static void open_budget(void)
{
	const struct vms_budget_options options = {
		.struct_size = sizeof options,
		.limit = bytes(run.model.limit),
		.policy = VMS_COMMIT_STRICT,
	};

	run.budget = vms_budget_open(&options);
	assert_non_null(run.budget);
}

static void begin_round(void)
{
	struct vms_space_options options = {
		.struct_size = sizeof options,
		.commit_policy = VMS_COMMIT_STRICT,
		.placement = below(2) ? VMS_PLACE_TOP : VMS_PLACE_BOTTOM,
	};

	run.model.limit = 20 + below(150);
	options.commit_limit = bytes(run.model.limit);
	if (run.step / OPERATIONS_PER_ROUND % 2) {
		open_budget();
		options.budget = run.budget;
		options.commit_policy = VMS_COMMIT_ALWAYS;
	}
	run.space = vms_space_open(bytes(PAGES), &options);
	assert_non_null(run.space);
	run.base = vms_space_base(run.space);
}

static void end_round(void)
{
	pages_release(&run.model);
	assert_int_equal(run.model.charged, 0);
	assert_int_equal(vms_space_close(run.space), 0);
	if (run.budget)
		assert_int_equal(vms_budget_close(run.budget), 0);
	run.budget = NULL;
}

/*
 * PAGEMAP_SCAN (Linux 6.7 on) tells the zero page from a page of one's own; but
 * some hosts have no zero page.
 */
static bool reads_touch(void)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool tells = pagemap >= 0 &&
		(ioctl(pagemap, _IOWR('f', 16, char[96]), NULL) == 0 ||
		 errno != ENOTTY);

	if (pagemap >= 0)
		(void)close(pagemap);
	if (!tells)
		print_message("# no PAGEMAP_SCAN: what is read counts as touched\n");
	else if (read_brings_a_page())
		print_message("# no zero page: what is read is touched\n");
	return !tells || read_brings_a_page();
}

static void ledger_and_contents(void **state)
{
	(void)state;
	run.reads_touch = reads_touch();
	run.page = (size_t)sysconf(_SC_PAGESIZE);
	run.random.state = given.seed;
	catch_faults();
	while (run.step < given.operations) {
		begin_round();
		for (int i = 0; i < OPERATIONS_PER_ROUND; i++) {
			operate();
			compare();
			if (i % 50 == 49)
				sweep();
		}
		end_round();
	}
	print_message("# %lu operations, %lu refused\n", run.step,
		      run.refused);
	/* A run in which nothing was refused has not tested the ledger. */
	assert_true(run.refused > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledger_and_contents),
	};

	read_arguments("space_model", argc, argv, &given);
	return cmocka_run_group_tests_name("space_model", tests, NULL, NULL);
}
