/* SPDX-License-Identifier: MIT */
#include "semantics.h"

/* "Cases that naive code gets wrong", one test or more for each number. */

#define FIXED_MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)
#define KEEP (FIXED_MOVE | MREMAP_DONTUNMAP)

static intptr_t move(const struct caller *c, size_t from, size_t count,
		     size_t to, int flags)
{
	return c->mremap(c, at(c, from), pages(c, count), pages(c, count),
			 flags, at(c, to));
}

/* A shared mapping of a read-only file stops mprotect midway, a seal other calls. */
static void partial_success(const struct caller *c)
{
	need_mseal();
	for (size_t i = 0; i < 6; i++)
		(void)map(c, 16 + i, 1, i % 2 ? RW : PROT_READ);
	fill(c, at(c, 17), 1, 7);
	CHECK_IS(c->mseal(c, at(c, 20), c->page, 0), 0);
	CHECK_IS(c->munmap(c, at(c, 16), pages(c, 6)), -EPERM);
	CHECK_IS(mapped_at(c, at(c, 16)), 1);
	CHECK_IS(c->mprotect(c, at(c, 16), pages(c, 6), PROT_NONE), -EPERM);
	CHECK_IS(prot_at(c, at(c, 19)), PROT_NONE);
	CHECK_IS(prot_at(c, at(c, 20)), PROT_READ);
	CHECK_IS(prot_at(c, at(c, 21)), RW);
	CHECK_IS(c->mprotect(c, at(c, 17), c->page, RW), 0);
	CHECK_IS(move(c, 16, 6, 64, FIXED_MOVE), -EPERM);
	CHECK_IS(mapped_at(c, at(c, 19)), 0);
	CHECK_IS(peek(at(c, 65)), 7);
	CHECK_IS(mapped_at(c, at(c, 67)), 1);
	CHECK_IS(mapped_at(c, at(c, 68)), 0);
	CHECK_IS(prot_at(c, at(c, 20)), PROT_READ);
	CHECK_IS(prot_at(c, at(c, 21)), RW);
}

static void fixed_failures(const struct caller *c)
{
	char *p = map(c, 0, 4, RW), *target = c->base + c->size / 2;

	fill(c, p, 4, 1);
	CHECK_IS(try_map(c, target, 4, RW, MAP_FIXED), target);
	fill(c, target, 4, 50);
	CHECK_IS(c->mmap(c, target, c->size / 3, RW, ANON | MAP_FIXED, -1, 0),
		 -ENOMEM);
	CHECK_IS(peek(target + 3 * c->page), 53);
	CHECK_IS(c->mremap(c, p, pages(c, 4), c->size / 3, FIXED_MOVE, target),
		 -ENOMEM);
	CHECK_IS(peek(target), -SIGSEGV);
	CHECK_IS(mapped_at(c, target + 3 * c->page), 0);
	CHECK_IS(peek(at(c, 3)), 4);
}

/*
 * source  |a|. .|f f|.|s|. .|    anonymous, file, shared; at 16
 * target  |t t t t t t t t t|    at 64
 * after   |a|t t|f f|t|s|t t|
 */
static void gaps_in_a_move(const struct caller *c)
{
	(void)map(c, 16, 1, RW);
	fill(c, at(c, 16), 1, 1);
	(void)map_file(c, 19, 2, RW, MAP_PRIVATE, disk_file(c, 4, 0), 1);
	(void)map_shared(c, 22, 1, RW);
	fill(c, at(c, 22), 1, 9);
	(void)map(c, 64, 9, RW);
	fill(c, at(c, 64), 9, 100);
	CHECK_IS(move(c, 16, 9, 64, FIXED_MOVE), at(c, 64));
	CHECK_IS(peek(at(c, 64)), 1);
	CHECK_IS(peek(at(c, 65)), 101);
	CHECK_IS(peek(at(c, 66)), 102);
	CHECK_IS(peek(at(c, 67)), 'b');
	CHECK_IS(peek(at(c, 68)), 'c');
	CHECK_IS(peek(at(c, 69)), 105);
	CHECK_IS(peek(at(c, 70)), 9);
	CHECK_IS(peek(at(c, 71)), 107);
	CHECK_IS(peek(at(c, 72)), 108);
	for (size_t i = 16; i < 25; i++)
		CHECK_IS(peek(at(c, i)), -SIGSEGV);
}

static char *unit_at(const struct caller *c, size_t n)
{
	return c->base + n * charge_unit();
}

/* Both parts of a split mapping stay touched, and so does a moved one. */
static void touched_decides_what_mprotect_uncharges(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = unit_at(c, 0);

	CHECK_IS(c->mmap(c, p, 3 * unit, RW, ANON | MAP_FIXED, -1, 0), p);
	CHECK_IS(poke(p, 1), 0);
	CHECK_IS(c->munmap(c, unit_at(c, 1), unit), 0);
	CHECK_CHARGED(c, before, 2);
	CHECK_IS(c->mprotect(c, unit_at(c, 2), unit, PROT_NONE), 0);
	CHECK_CHARGED(c, before, 2);
	CHECK_IS(c->mremap(c, p, unit, unit, FIXED_MOVE, unit_at(c, 8)),
		 unit_at(c, 8));
	CHECK_IS(c->mprotect(c, unit_at(c, 8), unit, PROT_READ), 0);
	CHECK_CHARGED(c, before, 2);
	CHECK_IS(c->mmap(c, p, unit, RW, ANON | MAP_FIXED, -1, 0), p);
	CHECK_CHARGED(c, before, 3);
	CHECK_IS(c->mprotect(c, p, unit, PROT_READ), 0);
	CHECK_CHARGED(c, before, 2);
}

static void aliases_by_old_size_0(const struct caller *c)
{
	char *p = map_shared(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(c->mremap(c, at(c, 17), 0, pages(c, 2), FIXED_MOVE, at(c, 32)),
		 at(c, 32));
	CHECK_IS(c->mremap(c, at(c, 33), 0, pages(c, 3), FIXED_MOVE, at(c, 48)),
		 at(c, 48));
	CHECK_IS(c->munmap(c, p, pages(c, 4)), 0);
	CHECK_IS(peek(at(c, 32)), 2);
	CHECK_IS(peek(at(c, 48)), 3);
	CHECK_IS(peek(at(c, 49)), 4);
	CHECK_IS(peek(at(c, 50)), -SIGBUS);
	CHECK_IS(poke(at(c, 33), 60), 0);
	CHECK_IS(peek(at(c, 48)), 60);
}

static void dontunmap_old_contents_and_lock(const struct caller *c)
{
	(void)map(c, 16, 2, RW);
	(void)map_shared(c, 18, 2, RW);
	(void)map_file(c, 20, 2, RW, MAP_PRIVATE, disk_file(c, 2, 0), 0);
	for (size_t i = 16; i < 22; i++)
		CHECK_IS(poke(at(c, i), (int)i), 0);
	CHECK_IS(c->mlock(c, at(c, 16), pages(c, 2)), 0);
	for (size_t i = 16; i < 22; i += 2)
		CHECK_IS(move(c, i, 2, i + 48, KEEP), at(c, i + 48));
	CHECK_IS(host_flag_at(at(c, 16), "lo"), 0);
	CHECK_IS(host_flag_at(at(c, 64), "lo"), 1);
	CHECK_IS(peek(at(c, 17)), 0);
	CHECK_IS(peek(at(c, 19)), 19);
	CHECK_IS(peek(at(c, 21)), 'b');
	for (size_t i = 64; i < 70; i++)
		CHECK_IS(peek(at(c, i)), i - 48);
}

static void dontunmap_is_charged_twice(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = unit_at(c, 0);

	CHECK_IS(c->mmap(c, p, 2 * unit, RW, ANON | MAP_FIXED, -1, 0), p);
	CHECK_IS(c->mremap(c, p, unit, unit, KEEP, unit_at(c, 4)),
		 unit_at(c, 4));
	CHECK_CHARGED(c, before, 3);
}

static void growing_from_mid_mapping(const struct caller *c)
{
	intptr_t result;

	(void)map(c, 16, 8, RW);
	fill(c, at(c, 16), 8, 1);
	CHECK_IS(c->mremap(c, at(c, 18), pages(c, 2), pages(c, 3), 0, NULL),
		 -ENOMEM);
	result = c->mremap(c, at(c, 18), pages(c, 2), pages(c, 20),
			   MREMAP_MAYMOVE, NULL);
	CHECK(result > 0);
	CHECK_IS(peek((char *)result + c->page), 4);
	CHECK_IS(peek((char *)result + 19 * c->page), 0);
	CHECK_IS(peek(at(c, 17)), 2);
	CHECK_IS(mapped_at(c, at(c, 18)), 0);
	CHECK_IS(mapped_at(c, at(c, 19)), 0);
	CHECK_IS(peek(at(c, 20)), 5);
	/* The last part can still grow in place. */
	CHECK_IS(c->mremap(c, at(c, 20), pages(c, 4), pages(c, 5), 0, NULL),
		 at(c, 20));
}

static void map_count_limit_fails_cleanly(const struct caller *c)
{
	size_t count;

	(void)map(c, 16, 3, RW);
	fill(c, at(c, 16), 3, 1);
	count = fill_map_count(c, 64);
	CHECK_IS(c->munmap(c, at(c, 17), c->page), -ENOMEM);
	CHECK_IS(c->mremap(c, at(c, 17), c->page, c->page, FIXED_MOVE,
			   at(c, 32)), -ENOMEM);
	CHECK_IS(c->mprotect(c, at(c, 17), c->page, PROT_NONE), -ENOMEM);
	CHECK_IS(peek(at(c, 17)), 2);
	CHECK_IS(poke(at(c, 17), 9), 0);
	CHECK_IS(mapped_at(c, at(c, 32)), 0);
	CHECK_IS(c->munmap(c, at(c, 64), pages(c, count)), 0);
	CHECK_IS(c->munmap(c, at(c, 17), c->page), 0);
	CHECK_IS(peek(at(c, 18)), 3);
	CHECK_IS(mapped_at(c, at(c, 64)), 0);
	CHECK_IS(mapped_at(c, at(c, 64 + count - 1)), 0);
}

/* The guard gap is used by MAP_FIXED only. */
static void growsdown_gaps(const struct caller *c)
{
	intptr_t result;

	CHECK_IS(try_map(c, at(c, 4096), 2, RW, MAP_FIXED | MAP_GROWSDOWN),
		 at(c, 4096));
	result = try_map(c, at(c, 4000), 1, RW, 0);
	CHECK(result > 0 && result != (intptr_t)at(c, 4000));
	CHECK_IS(poke(at(c, 4094), 1), 0);
	(void)map(c, 4090, 1, RW);
	CHECK_IS(poke(at(c, 4093), 1), -SIGSEGV);
	CHECK_IS(c->munmap(c, at(c, 4090), c->page), 0);
	CHECK_IS(poke(at(c, 4093), 1), 0);
	CHECK_IS(mapped_at(c, at(c, 4093)), 1);
}

static void private_file_moves_carry_copies(const struct caller *c)
{
	int fd = disk_file(c, 4, 0);

	(void)map_file(c, 16, 4, RW, MAP_PRIVATE, fd, 0);
	CHECK_IS(poke(at(c, 17), 'X'), 0);
	CHECK_IS(move(c, 17, 2, 64, FIXED_MOVE), at(c, 64));
	CHECK_IS(move(c, 64, 2, 80, FIXED_MOVE), at(c, 80));
	CHECK_IS(peek(at(c, 80)), 'X');
	CHECK_IS(peek(at(c, 81)), 'c');
	CHECK_IS(pwrite(fd, "Y", 1, (off_t)c->page), 1);
	CHECK_IS(pwrite(fd, "Z", 1, (off_t)pages(c, 2)), 1);
	CHECK_IS(peek(at(c, 80)), 'X');
	CHECK_IS(peek(at(c, 81)), 'Z');
	CHECK_IS(c->madvise(c, at(c, 80), c->page, MADV_DONTNEED), 0);
	CHECK_IS(peek(at(c, 80)), 'Y');
}

/*
 * In the child the range is unmapped; a space's reservation covers it, so that the
 * child's other mappings land elsewhere.
 */
static int after_fork(const struct caller *c)
{
	void *own;

	if (mapped_at(c, at(c, 16)) || !mapped_at(c, at(c, 24)))
		return 1;
	if (peek(at(c, 16)) != -SIGSEGV || peek(at(c, 24)) != 50)
		return 2;
	own = mmap(at(c, 16), c->page, RW, ANON, -1, 0);
	if (c->kind == CALLER_SPACE && own == at(c, 16))
		return 3;
	if (try_map(c, at(c, 17), 2, RW, MAP_FIXED) != (intptr_t)at(c, 17))
		return 4;
	return poke(at(c, 18), 3) == 0 && peek(at(c, 18)) == 3 ? 0 : 5;
}

static void dontfork_ranges_are_holes_in_the_child(const struct caller *c)
{
	(void)map(c, 16, 4, RW);
	fill(c, at(c, 16), 4, 1);
	(void)map(c, 24, 4, RW);
	fill(c, at(c, 24), 4, 50);
	CHECK_IS(c->madvise(c, at(c, 16), pages(c, 4), MADV_DONTFORK), 0);
	CHECK_IS(in_fork(c, after_fork), 0);
	CHECK_IS(peek(at(c, 17)), 2);
}

static void holes_answer_as_unmapped(const struct caller *c)
{
	unsigned char vector[8];

	(void)map(c, 16, 1, RW);
	(void)map(c, 18, 1, PROT_NONE);
	CHECK_IS(c->mincore(c, at(c, 16), pages(c, 3), vector), -ENOMEM);
	CHECK_IS(c->mincore(c, at(c, 17), c->page, vector), -ENOMEM);
	CHECK_IS(c->mincore(c, at(c, 18), c->page, vector), 0);
	CHECK_IS(c->madvise(c, at(c, 17), c->page, MADV_DONTNEED), -ENOMEM);
	CHECK_IS(c->madvise(c, at(c, 16), pages(c, 3), MADV_NORMAL), -ENOMEM);
	CHECK_IS(c->madvise(c, at(c, 17), c->page, MADV_POPULATE_READ),
		 -ENOMEM);
	CHECK_IS(c->mprotect(c, at(c, 17), c->page, PROT_NONE), -ENOMEM);
	CHECK_IS(c->mprotect(c, at(c, 18), c->page, PROT_NONE), 0);
	CHECK_IS(c->msync(c, at(c, 17), c->page, MS_ASYNC), -ENOMEM);
	CHECK_IS(c->msync(c, at(c, 16), pages(c, 3), MS_ASYNC), -ENOMEM);
	CHECK_IS(c->mlock(c, at(c, 17), c->page), -ENOMEM);
	CHECK_IS(c->munlock(c, at(c, 17), c->page), -ENOMEM);
	CHECK_IS(c->mremap(c, at(c, 17), c->page, pages(c, 2), MREMAP_MAYMOVE,
			   NULL), -EFAULT);
	CHECK_IS(try_map(c, at(c, 17), 1, RW, MAP_FIXED_NOREPLACE), at(c, 17));
}

#define H(n) "hard case " #n ": "
static const struct semantics_case cases[] = {
	CASE(partial_success, H(1) "partial success"),
	CASE_IN(fixed_failures, window_over_memory, H(2) "FIXED failures"),
	CASE(gaps_in_a_move, H(3) "gaps in a multi-mapping move"),
	CASE_IN(touched_decides_what_mprotect_uncharges, window_of_units,
		H(4) "touched decides what mprotect uncharges"),
	CASE(aliases_by_old_size_0,
	     H(5) "aliases by old_size 0, from mid-object and past its end"),
	CASE(dontunmap_old_contents_and_lock,
	     H(6) "DONTUNMAP: three different old contents; lock lost"),
	CASE_IN(dontunmap_is_charged_twice, window_of_units,
		H(6) "DONTUNMAP: charged twice"),
	CASE(growing_from_mid_mapping, H(7) "growing from mid-mapping"),
	CASE_IN(map_count_limit_fails_cleanly, window_of_map_count,
		H(8) "the map-count limit can fail munmap and mremap"),
	CASE(growsdown_gaps, H(9) "GROWSDOWN gaps"),
	CASE(private_file_moves_carry_copies,
	     H(10) "private file moves carry their copied pages"),
	CASE(dontfork_ranges_are_holes_in_the_child,
	     H(11) "after fork, DONTFORK ranges are gone from the child"),
	CASE(holes_answer_as_unmapped,
	     H(12) "a hole of a space answers as unmapped memory"),
};

SEMANTICS_MAIN(cases)
