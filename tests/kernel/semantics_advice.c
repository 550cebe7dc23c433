/* SPDX-License-Identifier: MIT */
#include "semantics.h"

/* madvise, msync, mlock, mincore, mseal. */

#define LAST_PAGE ((size_t)-(ssize_t)c->page)

static void madvise_goes_on_past_holes(const struct caller *c)
{
	(void)map(c, 16, 2, RW);
	(void)map(c, 20, 2, RW);
	fill(c, at(c, 16), 2, 1);
	fill(c, at(c, 20), 2, 5);
	CHECK_IS(c->madvise(c, at(c, 16), pages(c, 6), MADV_DONTNEED), -ENOMEM);
	CHECK_IS(peek(at(c, 17)), 0);
	CHECK_IS(peek(at(c, 21)), 0);
	CHECK_IS(c->madvise(c, at(c, 14), pages(c, 10), MADV_DONTFORK), -ENOMEM);
	CHECK_IS(host_flag_at(at(c, 16), "dc"), 1);
	CHECK_IS(host_flag_at(at(c, 21), "dc"), 1);
	CHECK_IS(c->madvise(c, at(c, 64), c->page, MADV_NORMAL), -ENOMEM);
}

static void madvise_refuses_bad_arguments(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->madvise(c, p + 1, c->page, MADV_DONTNEED), -EINVAL);
	CHECK_IS(c->madvise(c, p, c->page, 5), -EINVAL);
	CHECK_IS(c->madvise(c, p, c->page, -1), -EINVAL);
	CHECK_IS(c->madvise(c, p, c->page, 9999), -EINVAL);
	CHECK_IS(c->madvise(c, p, LAST_PAGE, MADV_DONTNEED), -EINVAL);
	CHECK_IS(c->madvise(c, p, SIZE_MAX, MADV_DONTNEED), -EINVAL);
	CHECK_IS(c->madvise(c, p, (size_t)1 << 62, MADV_NORMAL), -ENOMEM);
	CHECK_IS(c->madvise(c, p, 0, MADV_DONTNEED), 0);
	CHECK_IS(c->madvise(c, p, 0, 9999), -EINVAL);
}

static void madvise_of_locked_memory_is_einval(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(c->mlock(c, p, pages(c, 4)), 0);
	CHECK_IS(c->madvise(c, p, c->page, MADV_DONTNEED), -EINVAL);
	CHECK_IS(c->madvise(c, p, c->page, MADV_FREE), -EINVAL);
	CHECK_IS(c->madvise(c, p, c->page, MADV_REMOVE), -EINVAL);
	CHECK_IS(c->madvise(c, p, c->page, MADV_COLD), -EINVAL);
	CHECK_IS(c->madvise(c, p, c->page, MADV_GUARD_INSTALL), -EINVAL);
	CHECK_IS(peek(p), 1);
}

static void seven_classic_advices_succeed(const struct caller *c)
{
	static const int advices[] = { MADV_SEQUENTIAL, MADV_RANDOM,
				       MADV_WILLNEED, MADV_HUGEPAGE,
				       MADV_NOHUGEPAGE, MADV_DONTNEED,
				       MADV_FREE };
	char *p = map(c, 16, 4, RW);
	char *f = map_file(c, 32, 4, RW, MAP_PRIVATE, disk_file(c, 4, 0), 0);

	for (size_t i = 0; i < 6; i++) {
		CHECK_IS(c->madvise(c, p, pages(c, 4), advices[i]), 0);
		CHECK_IS(c->madvise(c, f, pages(c, 4), advices[i]), 0);
	}
	CHECK_IS(c->madvise(c, p, pages(c, 4), MADV_FREE), 0);
	CHECK_IS(c->madvise(c, f, pages(c, 4), MADV_FREE), -EINVAL);
	CHECK_IS(host_flag_at(p, "nh"), 1);
	CHECK_IS(peek(f), 'a');
}

static void dontneed_empties(const struct caller *c)
{
	char *p = map(c, 16, 2, RW);
	char *f = map_file(c, 32, 2, RW, MAP_PRIVATE, disk_file(c, 2, 0), 0);
	char *s = map_shared(c, 48, 2, RW);

	fill(c, p, 2, 1);
	CHECK_IS(poke(f, 'X'), 0);
	fill(c, s, 2, 1);
	CHECK_IS(c->madvise(c, p, pages(c, 2), MADV_DONTNEED), 0);
	CHECK_IS(c->madvise(c, f, pages(c, 2), MADV_DONTNEED), 0);
	CHECK_IS(c->madvise(c, s, pages(c, 2), MADV_DONTNEED), 0);
	CHECK_IS(peek(p), 0);
	CHECK_IS(peek(f), 'a');
	CHECK_IS(peek(s), 1);
	CHECK_IS(c->madvise(c, s, c->page, MADV_REMOVE), 0);
	CHECK_IS(peek(s), 0);
	CHECK_IS(peek(s + c->page), 2);
}

static void populate_answers(const struct caller *c)
{
	char *p = map(c, 16, 2, RW), *r = map(c, 20, 2, PROT_READ);
	char *f = map_file(c, 32, 4, RW, MAP_SHARED, disk_file(c, 1, 9), 0);
	intptr_t result = c->madvise(c, p, pages(c, 2), MADV_POPULATE_WRITE);

	/* With a length of 0 the kernel tells whether it knows the advice. */
	if (madvise(c->base, 0, MADV_POPULATE_WRITE) != 0) {
		CHECK_IS(result, -EINVAL);
		SKIP("the kernel has no MADV_POPULATE_WRITE");
	}
	CHECK_IS(result, 0);
	CHECK_IS(host_resident_at(p), pages(c, 2));
	CHECK_IS(c->madvise(c, r, c->page, MADV_POPULATE_WRITE), -EINVAL);
	CHECK_IS(c->madvise(c, r, c->page, MADV_POPULATE_READ), 0);
	(void)map(c, 24, 1, PROT_NONE);
	CHECK_IS(c->madvise(c, at(c, 24), c->page, MADV_POPULATE_READ), -EINVAL);
	CHECK_IS(c->madvise(c, p, pages(c, 3), MADV_POPULATE_READ), -ENOMEM);
	CHECK_IS(c->madvise(c, at(c, 64), c->page, MADV_POPULATE_READ), -ENOMEM);
	CHECK_IS(c->madvise(c, f, pages(c, 2), MADV_POPULATE_WRITE), 0);
	CHECK_IS(c->madvise(c, f, pages(c, 3), MADV_POPULATE_READ), -EFAULT);
}

static void populate_of_a_guard_is_efault(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	need_guards();
	CHECK_IS(c->madvise(c, at(c, 17), c->page, MADV_GUARD_INSTALL), 0);
	CHECK_IS(c->madvise(c, p, pages(c, 4), MADV_POPULATE_READ), -EFAULT);
	CHECK_IS(c->madvise(c, p, pages(c, 4), MADV_POPULATE_WRITE), -EFAULT);
}

static int guard_signal(const struct caller *c)
{
	return -peek(at(c, 17));
}

static void guards_survive(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	need_guards();
	fill(c, p, 4, 1);
	CHECK_IS(c->madvise(c, at(c, 17), c->page, MADV_GUARD_INSTALL), 0);
	CHECK_IS(c->madvise(c, p, pages(c, 4), MADV_DONTNEED), 0);
	CHECK_IS(peek(at(c, 17)), -SIGSEGV);
	CHECK_IS(c->mprotect(c, p, pages(c, 4), PROT_READ), 0);
	CHECK_IS(c->mprotect(c, p, pages(c, 4), RW), 0);
	CHECK_IS(peek(at(c, 17)), -SIGSEGV);
	CHECK_IS(in_fork(c, guard_signal), SIGSEGV);
	CHECK_IS(c->madvise(c, at(c, 17), c->page, MADV_GUARD_REMOVE), 0);
	CHECK_IS(peek(at(c, 17)), 0);
}

static void collapse_is_einval(const struct caller *c)
{
	size_t huge = (size_t)2 << 20;
	char *p = at(c, 0) + ((huge - (uintptr_t)at(c, 0)) & (huge - 1));
	size_t n = (size_t)(p - c->base) / c->page;

	(void)map(c, n, huge / c->page, RW);
	CHECK_IS(c->madvise(c, p, huge, MADV_COLLAPSE), -EINVAL);
	CHECK_IS(poke(p, 1), 0);
	/* A range without a whole huge page is no error, but a hole is. */
	CHECK_IS(c->madvise(c, p, huge / 2, MADV_COLLAPSE), 0);
	CHECK_IS(c->munmap(c, p + huge / 2, huge / 2), 0);
	CHECK_IS(c->madvise(c, p, huge / 2, MADV_COLLAPSE), -EINVAL);
}

static void msync_answers(const struct caller *c)
{
	char *p = map_file(c, 16, 4, RW, MAP_SHARED, disk_file(c, 4, 0), 0);

	CHECK_IS(c->msync(c, p + 1, c->page, MS_SYNC), -EINVAL);
	CHECK_IS(c->msync(c, p, c->page, MS_SYNC | MS_ASYNC), -EINVAL);
	CHECK_IS(c->msync(c, p, c->page, 8), -EINVAL);
	CHECK_IS(c->msync(c, p, 0, MS_SYNC), 0);
	CHECK_IS(c->msync(c, at(c, 64), 0, MS_SYNC), 0);
	CHECK_IS(c->msync(c, p, pages(c, 4), MS_SYNC), 0);
	CHECK_IS(c->msync(c, p, pages(c, 5), MS_SYNC), -ENOMEM);
	CHECK_IS(c->msync(c, p, pages(c, 5), MS_ASYNC), -ENOMEM);
	CHECK_IS(c->msync(c, at(c, 64), c->page, MS_ASYNC), -ENOMEM);
	CHECK_IS(c->msync(c, p, LAST_PAGE, MS_ASYNC), -ENOMEM);
	CHECK_IS(c->msync(c, p, SIZE_MAX, MS_ASYNC), 0);
}

static void msync_invalidate_of_locked_is_ebusy(const struct caller *c)
{
	char *p = map_file(c, 16, 4, RW, MAP_SHARED, disk_file(c, 4, 0), 0);

	CHECK_IS(c->msync(c, p, c->page, MS_INVALIDATE), 0);
	CHECK_IS(c->mlock(c, p, c->page), 0);
	CHECK_IS(c->msync(c, p, c->page, MS_INVALIDATE), -EBUSY);
	CHECK_IS(c->msync(c, p, c->page, MS_INVALIDATE | MS_SYNC), -EBUSY);
	CHECK_IS(c->msync(c, at(c, 17), c->page, MS_INVALIDATE), 0);
}

static void msync_goes_on_past_holes(const struct caller *c)
{
	int fd = disk_file(c, 4, 0);
	char byte;

	(void)map_file(c, 16, 1, RW, MAP_SHARED, fd, 0);
	(void)map_file(c, 18, 1, RW, MAP_SHARED, fd, 2);
	CHECK_IS(poke(at(c, 18), 'Q'), 0);
	CHECK_IS(c->msync(c, at(c, 16), pages(c, 3), MS_SYNC), -ENOMEM);
	CHECK_IS(pread(fd, &byte, 1, (off_t)pages(c, 2)), 1);
	CHECK_IS(byte, 'Q');
}

static void mlock_answers(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mlock(c, p + 5, 1), 0);
	CHECK_IS(host_flag_at(p, "lo"), 1);
	CHECK_IS(host_flag_at(at(c, 17), "lo"), 0);
	CHECK_IS(c->munlock(c, p + 5, 1), 0);
	CHECK_IS(host_flag_at(p, "lo"), 0);
	CHECK_IS(c->mlock(c, p, 0), 0);
	CHECK_IS(c->mlock(c, p, LAST_PAGE), -EINVAL);
	CHECK_IS(c->munlock(c, p, LAST_PAGE), -EINVAL);
	CHECK_IS(c->mlock2(c, p, c->page, 2), -EINVAL);
	CHECK_IS(c->mlock2(c, p, pages(c, 4), MLOCK_ONFAULT), 0);
	CHECK_IS(host_resident_at(p), c->page);
}

static void mlock_stops_at_a_hole(const struct caller *c)
{
	(void)map(c, 16, 2, RW);
	(void)map(c, 20, 2, RW);
	CHECK_IS(c->mlock(c, at(c, 16), pages(c, 6)), -ENOMEM);
	CHECK_IS(host_flag_at(at(c, 17), "lo"), 1);
	CHECK_IS(host_flag_at(at(c, 20), "lo"), 0);
	CHECK_IS(c->mlock(c, at(c, 20), pages(c, 2)), 0);
	CHECK_IS(c->munlock(c, at(c, 16), pages(c, 6)), -ENOMEM);
	CHECK_IS(host_flag_at(at(c, 17), "lo"), 0);
	CHECK_IS(host_flag_at(at(c, 20), "lo"), 1);
	CHECK_IS(c->mlock(c, at(c, 64), c->page), -ENOMEM);
	CHECK_IS(c->munlock(c, at(c, 64), c->page), -ENOMEM);
}

static void mlock_past_the_limit_is_enomem(const struct caller *c)
{
	char *p = map(c, 16, 8, RW);

	limit_locked(pages(c, 4));
	CHECK_IS(c->mlock(c, p, pages(c, 5)), -ENOMEM);
	CHECK_IS(host_flag_at(p, "lo"), 0);
	CHECK_IS(c->mlock(c, p, pages(c, 4)), 0);
}

static void mseal_answers(const struct caller *c)
{
	char *p;

	need_mseal();
	p = map(c, 16, 4, RW);
	(void)map(c, 22, 2, RW);
	CHECK_IS(c->mseal(c, p, c->page, 1), -EINVAL);
	CHECK_IS(c->mseal(c, p + 1, c->page, 0), -EINVAL);
	CHECK_IS(c->mseal(c, p, LAST_PAGE, 0), -EINVAL);
	CHECK_IS(c->mseal(c, p, SIZE_MAX, 0), -EINVAL);
	CHECK_IS(c->mseal(c, p, pages(c, 8), 0), -ENOMEM);
	CHECK_IS(c->mprotect(c, p, c->page, PROT_READ), 0);
	CHECK_IS(c->mseal(c, p, pages(c, 4), 0), 0);
	CHECK_IS(c->mseal(c, p, pages(c, 4), 0), 0);
	CHECK_IS(c->mprotect(c, p, c->page, RW), -EPERM);
	CHECK_IS(c->munmap(c, p, c->page), -EPERM);
	CHECK_IS(try_map(c, p, 1, RW, MAP_FIXED), -EPERM);
	CHECK_IS(c->madvise(c, p, c->page, MADV_DONTNEED), -EPERM);
	CHECK_IS(c->madvise(c, at(c, 18), c->page, MADV_DONTNEED), 0);
}

static void mincore_answers(const struct caller *c)
{
	unsigned char vector[16];
	char *p = map(c, 16, 4, RW);

	(void)memset(vector, 0xee, sizeof vector);
	CHECK_IS(poke(at(c, 17), 1), 0);
	CHECK_IS(c->mincore(c, p + 1, c->page, vector), -EINVAL);
	CHECK_IS(c->mincore(c, p, 3 * c->page + 1, vector), 0);
	CHECK_IS(vector[0] & 1, 0);
	CHECK_IS(vector[1] & 1, 1);
	CHECK_IS(vector[3] & 1, 0);
	CHECK_IS(vector[4], 0xee);
	CHECK_IS(c->mincore(c, p, pages(c, 6), vector), -ENOMEM);
	CHECK_IS(c->mincore(c, at(c, 64), c->page, vector), -ENOMEM);
	CHECK_IS(c->mincore(c, p, 0, vector), 0);
	CHECK_IS(c->mincore(c, at(c, 64), 0, vector), 0);
	CHECK_IS(c->mincore(c, p, (size_t)1 << 62, vector), -ENOMEM);
	CHECK_IS(c->mincore(c, p, SIZE_MAX, vector), -ENOMEM);
	CHECK_IS(c->mincore(c, p, c->page, NULL), -EFAULT);
}

#define A "madvise: "
static const struct semantics_case cases[] = {
	CASE(madvise_goes_on_past_holes,
	     A "goes on past holes and then answers ENOMEM"),
	CASE(madvise_refuses_bad_arguments, A "bad arguments"),
	CASE(madvise_of_locked_memory_is_einval,
	     A "DONTNEED, FREE, REMOVE, COLD on locked EINVAL; guards too"),
	CASE(seven_classic_advices_succeed, A "the classic advices"),
	CASE(dontneed_empties, A "DONTNEED and REMOVE by kind of mapping"),
	CASE(populate_answers,
	     A "POPULATE: no right EINVAL, hole ENOMEM, past end of file EFAULT"),
	CASE(populate_of_a_guard_is_efault, A "POPULATE: a guard EFAULT"),
	CASE(guards_survive, A "guards survive DONTNEED, mprotect and fork"),
	CASE(collapse_is_einval, A "COLLAPSE of untouched or under 2 MiB EINVAL"),
	CASE(msync_answers,
	     "msync: unaligned EINVAL, SYNC with ASYNC EINVAL, hole ENOMEM, length 0"),
	CASE(msync_invalidate_of_locked_is_ebusy,
	     "msync: INVALIDATE on locked EBUSY"),
	CASE(msync_goes_on_past_holes, "msync: goes on past holes"),
	CASE(mlock_answers, "mlock: rounding, wrap, flags, ONFAULT"),
	CASE(mlock_stops_at_a_hole, "mlock: a hole is ENOMEM, before it is locked"),
	CASE(mlock_past_the_limit_is_enomem, "mlock: the limit is ENOMEM"),
	CASE(mseal_answers,
	     "mseal: flags, unaligned, wrap EINVAL; hole ENOMEM; twice is fine"),
	CASE(mincore_answers,
	     "mincore: unaligned EINVAL; unmapped ENOMEM; rounds up; length 0"),
};

SEMANTICS_MAIN(cases)
