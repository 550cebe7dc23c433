/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/types.h>

#include "space_operations.h"

/* Return an address as a page number, or -errno. */
static intptr_t page_of(void *address)
{
	if (address == MAP_FAILED)
		return -errno;
	return ((char *)address - run.base) / (intptr_t)run.page;
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

/* Protect a mapping up to end; return 0 or -ENOMEM. */
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

/* Protect mapping after mapping, up to a hole or a refusal. */
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
 * A range of a mapping, and what mremap is to make of it. A growth is charged to the
 * mapping; MREMAP_FIXED unmaps the target even if the growth is refused.
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
	 * An object in the target may be uncharged before the growth is charged, or
	 * after it.
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

void operate(void)
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

void sweep(void)
{
	say("munmap of all behind %d", PLACES);
	expect(status(vms_munmap(run.space, at(PLACES),
				 bytes(PAGES - PLACES))), 0);
	pages_unmap(&run.model, PLACES, PAGES - PLACES);
}
