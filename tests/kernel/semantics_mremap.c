/* SPDX-License-Identifier: MIT */
#include "semantics.h"

#include <sys/resource.h>

/* mremap in place and its refusals; moves are in semantics_mremap_move.c. */

#define FIXED_MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)
#define KEEP (MREMAP_MAYMOVE | MREMAP_DONTUNMAP)
#define LAST_PAGE ((size_t)-(ssize_t)c->page)

static void refuses_bad_old(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mremap(c, p + 1, c->page, 2 * c->page, 0, NULL), -EINVAL);
	CHECK_IS(c->mremap(c, p + 1, c->page, c->page, 0, NULL), -EINVAL);
	CHECK_IS(c->mremap(c, p + 8, 0, c->page, MREMAP_MAYMOVE, NULL), -EINVAL);
}

static void refuses_bad_flags(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mremap(c, p, c->page, c->page, 8, NULL), -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, c->page, MREMAP_MAYMOVE | 0x10000,
			   NULL), -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, c->page, MREMAP_FIXED, at(c, 64)),
		 -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, c->page, MREMAP_DONTUNMAP, NULL),
		 -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, c->page,
			   MREMAP_FIXED | MREMAP_DONTUNMAP, at(c, 64)), -EINVAL);
}

static void refuses_bad_new_size(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mremap(c, p, c->page, 0, 0, NULL), -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, 0, MREMAP_MAYMOVE, NULL), -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, (size_t)1 << 62, MREMAP_MAYMOVE, NULL),
		 -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, LAST_PAGE, 0, NULL), -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, LAST_PAGE + 1, MREMAP_MAYMOVE, NULL),
		 -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, SIZE_MAX, MREMAP_MAYMOVE, NULL),
		 -EINVAL);
	CHECK_IS(c->mremap(c, p, LAST_PAGE + 1, c->page, 0, NULL), -EINVAL);
}

static void refuses_bad_target(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mremap(c, p, c->page, c->page, FIXED_MOVE, at(c, 64) + 1),
		 -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, c->page, KEEP, at(c, 64) + 1), -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, c->page, FIXED_MOVE,
			   (char *)((uintptr_t)1 << 62)), -EINVAL);
	CHECK_IS(c->mremap(c, p, c->page, c->page, FIXED_MOVE,
			   (char *)LAST_PAGE), -EINVAL);
}

static void refuses_overlap(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 4), FIXED_MOVE, p),
		 -EINVAL);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 4), FIXED_MOVE,
			   at(c, 18)), -EINVAL);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 4), FIXED_MOVE,
			   at(c, 14)), -EINVAL);
	CHECK_IS(c->mremap(c, p, pages(c, 2), pages(c, 8), FIXED_MOVE,
			   at(c, 10)), -EINVAL);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 4),
			   KEEP | MREMAP_FIXED, at(c, 18)), -EINVAL);
	CHECK_IS(peek(at(c, 19)), 4);
}

static void dontunmap_refuses_different_sizes(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mremap(c, p, pages(c, 2), pages(c, 4), KEEP, NULL), -EINVAL);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 2), KEEP, NULL), -EINVAL);
}

static void old_size_0_refuses_private(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);
	char *f = map_file(c, 32, 2, PROT_READ, MAP_PRIVATE,
			   disk_file(c, 2, 0), 0);

	CHECK_IS(c->mremap(c, p, 0, pages(c, 4), MREMAP_MAYMOVE, NULL), -EINVAL);
	CHECK_IS(c->mremap(c, f, 0, pages(c, 2), MREMAP_MAYMOVE, NULL), -EINVAL);
}

#define HUGE_PAGE ((size_t)2 << 20)

static void refuses_hugetlb_growth(const struct caller *c)
{
	int flags = ANON | MAP_HUGETLB | (21 << MAP_HUGE_SHIFT);
	void *probe = mmap(NULL, HUGE_PAGE, RW, flags, -1, 0);
	intptr_t p;

	if (probe == MAP_FAILED)
		SKIP("no pool of huge pages");
	CHECK_IS(munmap(probe, HUGE_PAGE), 0);
	p = c->mmap(c, NULL, HUGE_PAGE, RW, flags, -1, 0);
	CHECK(p > 0);
	CHECK_IS(c->mremap(c, (void *)p, HUGE_PAGE, 2 * HUGE_PAGE,
			   MREMAP_MAYMOVE, NULL), -EINVAL);
	CHECK_IS(poke((char *)p, 1), 0);
}

static void refuses_old_past_the_end(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mremap(c, p, (size_t)1 << 62, pages(c, 2), 0, NULL),
		 -EINVAL);
	CHECK_IS(c->mremap(c, p, (size_t)1 << 62, pages(c, 2), MREMAP_MAYMOVE,
			   NULL), -EINVAL);
	CHECK_IS(mapped_at(c, at(c, 19)), 1);
}

static void unmapped_old_is_efault(const struct caller *c)
{
	(void)map(c, 16, 4, RW);
	CHECK_IS(c->mremap(c, at(c, 8), c->page, 2 * c->page, 0, NULL), -EFAULT);
	CHECK_IS(c->mremap(c, at(c, 8), c->page, c->page, 0, NULL), -EFAULT);
	CHECK_IS(c->mremap(c, at(c, 8), 0, c->page, MREMAP_MAYMOVE, NULL),
		 -EFAULT);
	CHECK_IS(c->mremap(c, at(c, 20), pages(c, 2), c->page, MREMAP_MAYMOVE,
			   NULL), -EFAULT);
}

static void expanding_across_mappings_is_efault(const struct caller *c)
{
	(void)map(c, 16, 2, RW);
	(void)map(c, 18, 2, PROT_READ);
	CHECK_IS(c->mremap(c, at(c, 16), pages(c, 4), pages(c, 8),
			   MREMAP_MAYMOVE, NULL), -EFAULT);
	/* The range may also cover a hole behind the mapping. */
	CHECK_IS(c->mremap(c, at(c, 18), pages(c, 4), pages(c, 8),
			   MREMAP_MAYMOVE, NULL), -EFAULT);
}

static void fixed_resize_across_mappings_is_efault(const struct caller *c)
{
	(void)map(c, 16, 2, RW);
	(void)map(c, 18, 2, PROT_READ);
	CHECK_IS(c->mremap(c, at(c, 16), pages(c, 4), pages(c, 6), FIXED_MOVE,
			   at(c, 64)), -EFAULT);
	CHECK_IS(c->mremap(c, at(c, 16), pages(c, 4), pages(c, 3), FIXED_MOVE,
			   at(c, 64)), -EFAULT);
	CHECK_IS(prot_at(c, at(c, 19)), PROT_READ);
}

static void blocked_growth_is_enomem(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	(void)map(c, 20, 1, PROT_NONE);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 5), 0, NULL), -ENOMEM);
	CHECK_IS(peek(at(c, 19)), 4);
	CHECK_IS(peek(at(c, 20)), -SIGSEGV);
}

static void growing_from_inside_without_maymove_is_enomem(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mremap(c, p, pages(c, 2), pages(c, 4), 0, NULL), -ENOMEM);
	CHECK_IS(c->mremap(c, p, pages(c, 2), pages(c, 9), 0, NULL), -ENOMEM);
	CHECK_IS(c->mremap(c, at(c, 17), pages(c, 2), pages(c, 3), 0, NULL),
		 -ENOMEM);
}

static void address_limit_is_enomem(const struct caller *c)
{
	struct rlimit limit = { c->page, c->page };
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(setrlimit(RLIMIT_AS, &limit), 0);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 8), 0, NULL), -ENOMEM);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 8), MREMAP_MAYMOVE, NULL),
		 -ENOMEM);
	CHECK_IS(mapped_at(c, at(c, 20)), 0);
	CHECK_IS(peek(at(c, 19)), 4);
}

static void growth_over_commit_is_enomem(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(c->mremap(c, p, pages(c, 4), c->size / 3, 0, NULL), -ENOMEM);
	CHECK_IS(c->mremap(c, p, pages(c, 4), c->size / 3, MREMAP_MAYMOVE, NULL),
		 -ENOMEM);
	CHECK_IS(peek(at(c, 19)), 4);
	CHECK_IS(mapped_at(c, at(c, 20)), 0);
}

static void map_count_is_enomem(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	(void)fill_map_count(c, 64);
	CHECK_IS(c->mremap(c, at(c, 17), c->page, pages(c, 2), MREMAP_MAYMOVE,
			   NULL), -ENOMEM);
	CHECK_IS(peek(at(c, 17)), 2);
	CHECK_IS(peek(at(c, 19)), 4);
}

static void old_size_0_without_maymove_is_enomem(const struct caller *c)
{
	char *p = map_shared(c, 16, 4, RW);

	CHECK_IS(c->mremap(c, p, 0, pages(c, 4), 0, NULL), -ENOMEM);
}

static void locked_limit_is_eagain(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	limit_locked(pages(c, 4));
	CHECK_IS(c->mlock(c, p, pages(c, 4)), 0);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 8), 0, NULL), -EAGAIN);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 8), MREMAP_MAYMOVE, NULL),
		 -EAGAIN);
	CHECK_IS(peek(at(c, 19)), 4);
	CHECK_IS(mapped_at(c, at(c, 20)), 0);
}

static void sealed_source_or_target_is_eperm(const struct caller *c)
{
	char *p;

	need_mseal();
	p = map(c, 16, 4, RW);
	(void)map(c, 32, 4, RW);
	CHECK_IS(c->mseal(c, p, pages(c, 4), 0), 0);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 8), MREMAP_MAYMOVE, NULL),
		 -EPERM);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 2), 0, NULL), -EPERM);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 4), FIXED_MOVE,
			   at(c, 64)), -EPERM);
	CHECK_IS(c->mremap(c, at(c, 32), pages(c, 4), pages(c, 4), FIXED_MOVE,
			   p), -EPERM);
	CHECK_IS(mapped_at(c, p), 1);
	CHECK_IS(mapped_at(c, at(c, 32)), 1);
}

static void target_0_is_eperm(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	drop_rights();
	CHECK_IS(c->mremap(c, p, c->page, c->page, FIXED_MOVE, NULL), -EPERM);
}

static void equal_sizes_do_nothing(const struct caller *c)
{
	char *p = map(c, 16, 2, RW);

	(void)map(c, 20, 2, PROT_READ);
	fill(c, p, 2, 1);
	CHECK_IS(c->mremap(c, p, pages(c, 2), pages(c, 2), 0, NULL), p);
	CHECK_IS(c->mremap(c, p, pages(c, 2), pages(c, 2), MREMAP_MAYMOVE, NULL),
		 p);
	CHECK_IS(c->mremap(c, p, pages(c, 8), pages(c, 8), 0, NULL), p);
	CHECK_IS(c->mremap(c, p, pages(c, 8), pages(c, 8), MREMAP_MAYMOVE, NULL),
		 p);
	CHECK_IS(c->mremap(c, at(c, 18), c->page, c->page, 0, NULL), -EFAULT);
	CHECK_IS(peek(at(c, 17)), 2);
	CHECK_IS(prot_at(c, at(c, 20)), PROT_READ);
	CHECK_IS(mapped_at(c, at(c, 18)), 0);
}

static void sizes_are_rounded_up(const struct caller *c)
{
	char *p = map(c, 16, 2, RW);

	CHECK_IS(c->mremap(c, p, c->page + 1, 2 * c->page - 1, 0, NULL), p);
	CHECK_IS(c->mremap(c, p, c->page + 1, 2 * c->page + 1, 0, NULL), p);
	CHECK_IS(mapped_at(c, at(c, 18)), 1);
	CHECK_IS(mapped_at(c, at(c, 19)), 0);
	CHECK_IS(c->mremap(c, p, 2 * c->page + 1, 1, 0, NULL), p);
	CHECK_IS(mapped_at(c, at(c, 16)), 1);
	CHECK_IS(mapped_at(c, at(c, 17)), 0);
}

static void shrink_crosses_mappings_and_holes(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	(void)map(c, 20, 2, PROT_READ);
	(void)map(c, 24, 2, RW);
	(void)map(c, 26, 2, PROT_NONE);
	CHECK_IS(c->mremap(c, p, pages(c, 11), pages(c, 2), 0, NULL), p);
	CHECK_IS(peek(at(c, 17)), 2);
	for (size_t i = 18; i < 27; i++)
		CHECK_IS(mapped_at(c, at(c, i)), 0);
	CHECK_IS(prot_at(c, at(c, 27)), PROT_NONE);
}

static void grows_in_place_at_the_tail(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 8), 0, NULL), p);
	CHECK_IS(c->mremap(c, at(c, 22), pages(c, 2), pages(c, 4),
			   MREMAP_MAYMOVE, NULL), at(c, 22));
	CHECK_IS(peek(at(c, 19)), 4);
	CHECK_IS(poke(at(c, 25), 9), 0);
	CHECK_IS(mapped_at(c, at(c, 26)), 0);
}

static void growing_from_inside_moves_that_part(const struct caller *c)
{
	char *p = map(c, 16, 6, RW), *moved;
	intptr_t result;

	fill(c, p, 6, 1);
	result = c->mremap(c, at(c, 18), pages(c, 2), pages(c, 4),
			   MREMAP_MAYMOVE, NULL);
	CHECK(result > 0 && result != (intptr_t)at(c, 18));
	moved = (char *)result;
	CHECK_IS(peek(moved), 3);
	CHECK_IS(peek(moved + c->page), 4);
	CHECK_IS(peek(moved + 2 * c->page), 0);
	CHECK_IS(peek(at(c, 17)), 2);
	CHECK_IS(peek(at(c, 18)), -SIGSEGV);
	CHECK_IS(peek(at(c, 19)), -SIGSEGV);
	CHECK_IS(peek(at(c, 20)), 5);
	CHECK_IS(mapped_at(c, at(c, 18)), 0);
}

#define S "mremap: "
static const struct semantics_case cases[] = {
	CASE(refuses_bad_old, S "EINVAL: old unaligned"),
	CASE(refuses_bad_flags,
	     S "EINVAL: unknown flag bit; FIXED or DONTUNMAP without MAYMOVE"),
	CASE(refuses_bad_new_size,
	     S "EINVAL: new_size 0 or larger than the address space, also wrapping"),
	CASE(refuses_bad_target,
	     S "EINVAL: new_addr unaligned, also as a DONTUNMAP hint"),
	CASE(refuses_overlap, S "EINVAL: source and target overlap"),
	CASE(dontunmap_refuses_different_sizes,
	     S "EINVAL: DONTUNMAP with different sizes"),
	CASE(old_size_0_refuses_private,
	     S "EINVAL: old_size 0 on a private mapping"),
	CASE(refuses_hugetlb_growth, S "EINVAL: hugetlb growth"),
	CASE(refuses_old_past_the_end,
	     S "EINVAL: old range past the end of the address space"),
	CASE(unmapped_old_is_efault, S "EFAULT: old not mapped"),
	CASE(expanding_across_mappings_is_efault,
	     S "EFAULT: expanding a range that spans mappings"),
	CASE(fixed_resize_across_mappings_is_efault,
	     S "EFAULT: FIXED with different sizes across mappings"),
	CASE(blocked_growth_is_enomem,
	     S "ENOMEM: blocked in place without MAYMOVE"),
	CASE(growing_from_inside_without_maymove_is_enomem,
	     S "ENOMEM: the old range ends inside a mapping, without MAYMOVE"),
	CASE(address_limit_is_enomem, S "ENOMEM: RLIMIT_AS"),
	CASE_IN(growth_over_commit_is_enomem, window_over_memory,
		S "ENOMEM: commit"),
	CASE_IN(map_count_is_enomem, window_of_map_count, S "ENOMEM: map count"),
	CASE(old_size_0_without_maymove_is_enomem,
	     S "ENOMEM: old_size 0 without MAYMOVE"),
	CASE(locked_limit_is_eagain,
	     S "EAGAIN: the locked-memory limit would be passed"),
	CASE(sealed_source_or_target_is_eperm,
	     S "EPERM: sealed source or target"),
	CASE(target_0_is_eperm, S "EPERM: target 0 as non-root"),
	CASE(equal_sizes_do_nothing,
	     S "equal sizes without FIXED: a no-op, even over holes"),
	CASE(sizes_are_rounded_up, S "sizes are rounded up to pages first"),
	CASE(shrink_crosses_mappings_and_holes,
	     S "shrink may cross mappings and holes"),
	CASE(grows_in_place_at_the_tail,
	     S "growing in place at the tail when the range after is free"),
	CASE(growing_from_inside_moves_that_part,
	     S "growing from the middle moves that part and leaves a hole"),
};

SEMANTICS_MAIN(cases)
