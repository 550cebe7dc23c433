/* SPDX-License-Identifier: MIT */
#include "semantics.h"

/* mremap that moves: aliases, DONTUNMAP, several mappings, what travels. */

#define FIXED_MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)
#define KEEP (MREMAP_MAYMOVE | MREMAP_DONTUNMAP)

static intptr_t move(const struct caller *c, size_t from, size_t count,
		     size_t to)
{
	return c->mremap(c, at(c, from), pages(c, count), pages(c, count),
			 FIXED_MOVE, at(c, to));
}

static void old_size_0_makes_an_alias(const struct caller *c)
{
	char *p = map_shared(c, 16, 4, RW), *alias;
	intptr_t result;

	fill(c, p, 4, 1);
	result = c->mremap(c, p, 0, pages(c, 4), MREMAP_MAYMOVE, NULL);
	CHECK(result > 0 && result != (intptr_t)p);
	alias = (char *)result;
	CHECK_IS(peek(alias + 3 * c->page), 4);
	CHECK_IS(poke(alias, 77), 0);
	CHECK_IS(peek(p), 77);
	CHECK_IS(c->munmap(c, p, pages(c, 4)), 0);
	CHECK_IS(peek(alias), 77);
}

/*
 * object  |0 1 2 3|        at 16
 * alias       |2 3 - - |   of page 2, four pages long
 */
static void alias_from_inside_and_past_the_end(const struct caller *c)
{
	char *p = map_shared(c, 16, 4, RW), *alias;
	intptr_t result;

	fill(c, p, 4, 1);
	result = c->mremap(c, at(c, 18), 0, pages(c, 4), MREMAP_MAYMOVE, NULL);
	CHECK(result > 0);
	alias = (char *)result;
	CHECK_IS(peek(alias), 3);
	CHECK_IS(peek(alias + c->page), 4);
	CHECK_IS(peek(alias + 2 * c->page), -SIGBUS);
	CHECK_IS(poke(alias + 3 * c->page, 1), -SIGBUS);
	CHECK_IS(poke(alias, 99), 0);
	CHECK_IS(peek(at(c, 18)), 99);
}

static void alias_of_a_shared_file(const struct caller *c)
{
	int fd = disk_file(c, 4, 0);
	intptr_t result;

	(void)map_file(c, 16, 4, RW, MAP_SHARED, fd, 0);
	result = c->mremap(c, at(c, 17), 0, pages(c, 2), MREMAP_MAYMOVE, NULL);
	CHECK(result > 0);
	CHECK_IS(peek((char *)result), 'b');
	CHECK_IS(poke((char *)result, 'B'), 0);
	CHECK_IS(peek(at(c, 17)), 'B');
}

static void fixed_alias_works(const struct caller *c)
{
	char *p = map_shared(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(c->mremap(c, p, 0, pages(c, 4), FIXED_MOVE, at(c, 32)),
		 at(c, 32));
	CHECK_IS(peek(at(c, 35)), 4);
	CHECK_IS(poke(at(c, 32), 50), 0);
	CHECK_IS(peek(p), 50);
}

static void dontunmap_alias_is_einval(const struct caller *c)
{
	char *p = map_shared(c, 16, 4, RW);

	CHECK_IS(c->mremap(c, p, 0, pages(c, 4), KEEP, NULL), -EINVAL);
	CHECK_IS(c->mremap(c, p, 0, pages(c, 4), KEEP | MREMAP_FIXED,
			   at(c, 32)), -EINVAL);
}

static intptr_t keep(const struct caller *c, size_t from, size_t count,
		     size_t to)
{
	return c->mremap(c, at(c, from), pages(c, count), pages(c, count),
			 KEEP | MREMAP_FIXED, at(c, to));
}

static void dontunmap_leaves_anonymous_zero(const struct caller *c)
{
	char *p = map(c, 16, 4, RW), *moved;
	intptr_t result;

	fill(c, p, 4, 1);
	CHECK_IS(keep(c, 16, 4, 32), at(c, 32));
	CHECK_IS(peek(p), 0);
	CHECK_IS(peek(at(c, 35)), 4);
	CHECK_IS(poke(p, 9), 0);
	CHECK_IS(peek(at(c, 32)), 1);
	result = c->mremap(c, at(c, 32), pages(c, 4), pages(c, 4), KEEP, NULL);
	CHECK(result > 0);
	moved = (char *)result;
	CHECK_IS(peek(moved + 3 * c->page), 4);
	CHECK_IS(peek(at(c, 35)), 0);
}

static void dontunmap_leaves_shared_data(const struct caller *c)
{
	char *p = map_shared(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(keep(c, 16, 4, 32), at(c, 32));
	CHECK_IS(peek(at(c, 19)), 4);
	CHECK_IS(peek(at(c, 35)), 4);
	CHECK_IS(poke(p, 70), 0);
	CHECK_IS(peek(at(c, 32)), 70);
}

static void dontunmap_reverts_a_private_file(const struct caller *c)
{
	char *p = map_file(c, 16, 4, RW, MAP_PRIVATE, disk_file(c, 4, 0), 0);

	CHECK_IS(poke(at(c, 17), 'X'), 0);
	CHECK_IS(keep(c, 16, 4, 32), at(c, 32));
	CHECK_IS(peek(at(c, 17)), 'b');
	CHECK_IS(peek(at(c, 33)), 'X');
	CHECK_IS(peek(p), 'a');
	CHECK_IS(peek(at(c, 35)), 'd');
}

static void dontunmap_unlocks_the_old(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mlock(c, p, pages(c, 4)), 0);
	CHECK_IS(host_flag_at(p, "lo"), 1);
	CHECK_IS(keep(c, 16, 4, 32), at(c, 32));
	CHECK_IS(host_flag_at(p, "lo"), 0);
	CHECK_IS(host_flag_at(at(c, 32), "lo"), 1);
}

/*
 * source  |A A|. .|B B|. .   at 16, a hole in it and one at its end
 * target  |t t t t t t t t|  at 64
 * after   |A A|t t|B B|t t|
 */
static void move_keeps_gaps_and_what_is_under_them(const struct caller *c)
{
	(void)map(c, 16, 2, RW);
	fill(c, at(c, 16), 2, 1);
	(void)map(c, 20, 2, RW);
	fill(c, at(c, 20), 2, 5);
	CHECK_IS(c->mprotect(c, at(c, 20), pages(c, 2), PROT_READ), 0);
	(void)map(c, 64, 8, RW);
	fill(c, at(c, 64), 8, 100);
	CHECK_IS(move(c, 16, 8, 64), at(c, 64));
	CHECK_IS(peek(at(c, 64)), 1);
	CHECK_IS(peek(at(c, 65)), 2);
	CHECK_IS(peek(at(c, 66)), 102);
	CHECK_IS(peek(at(c, 67)), 103);
	CHECK_IS(peek(at(c, 68)), 5);
	CHECK_IS(prot_at(c, at(c, 69)), PROT_READ);
	CHECK_IS(peek(at(c, 70)), 106);
	CHECK_IS(peek(at(c, 71)), 107);
	for (size_t i = 16; i < 24; i++)
		CHECK_IS(mapped_at(c, at(c, i)), 0);
}

static void gap_at_the_start_is_efault(const struct caller *c)
{
	(void)map(c, 18, 2, RW);
	(void)map(c, 22, 2, PROT_READ);
	(void)map(c, 64, 8, RW);
	CHECK_IS(move(c, 16, 8, 64), -EFAULT);
	CHECK_IS(mapped_at(c, at(c, 18)), 1);
	CHECK_IS(mapped_at(c, at(c, 22)), 1);
	CHECK_IS(prot_at(c, at(c, 66)), RW);
}

static void gap_at_the_end_is_legal(const struct caller *c)
{
	(void)map(c, 16, 2, RW);
	fill(c, at(c, 16), 2, 1);
	CHECK_IS(move(c, 16, 6, 64), at(c, 64));
	CHECK_IS(peek(at(c, 65)), 2);
	CHECK_IS(mapped_at(c, at(c, 66)), 0);
	CHECK_IS(mapped_at(c, at(c, 16)), 0);
}

static void earlier_mappings_stay_moved_before_a_seal(const struct caller *c)
{
	need_mseal();
	(void)map(c, 16, 2, RW);
	fill(c, at(c, 16), 2, 1);
	(void)map(c, 18, 2, PROT_READ);
	(void)map(c, 20, 2, RW);
	CHECK_IS(c->mseal(c, at(c, 18), pages(c, 2), 0), 0);
	CHECK_IS(move(c, 16, 6, 64), -EPERM);
	CHECK_IS(mapped_at(c, at(c, 16)), 0);
	CHECK_IS(peek(at(c, 65)), 2);
	CHECK_IS(prot_at(c, at(c, 18)), PROT_READ);
	CHECK_IS(prot_at(c, at(c, 20)), RW);
	CHECK_IS(mapped_at(c, at(c, 66)), 0);
}

static void earlier_mappings_stay_moved_before_userfaultfd(const struct caller *c)
{
	int fd;

	/* A mapping that is watched moves like any other. */
	need_several_moves();
	(void)map(c, 16, 2, RW);
	fill(c, at(c, 16), 2, 1);
	(void)map(c, 18, 2, PROT_READ);
	(void)map(c, 20, 2, RW);
	fd = watch(at(c, 20), pages(c, 2));
	CHECK_IS(move(c, 16, 6, 64), -EFAULT);
	CHECK_IS(mapped_at(c, at(c, 16)), 0);
	CHECK_IS(mapped_at(c, at(c, 18)), 0);
	CHECK_IS(peek(at(c, 65)), 2);
	CHECK_IS(prot_at(c, at(c, 66)), PROT_READ);
	CHECK_IS(prot_at(c, at(c, 20)), RW);
	CHECK_IS(mapped_at(c, at(c, 68)), 0);
	CHECK_IS(close(fd), 0);
}

static void fixed_shrink_across_unmaps_nothing(const struct caller *c)
{
	(void)map(c, 16, 2, RW);
	(void)map(c, 18, 2, PROT_READ);
	(void)map(c, 64, 4, RW);
	CHECK_IS(c->mremap(c, at(c, 16), pages(c, 4), pages(c, 3), FIXED_MOVE,
			   at(c, 64)), -EFAULT);
	for (size_t i = 0; i < 4; i++)
		CHECK_IS(mapped_at(c, at(c, 16 + i)), 1);
}

/* Only the new length has to lie in one mapping. */
static void fixed_shrink_into_the_first_mapping(const struct caller *c)
{
	(void)map(c, 16, 2, RW);
	fill(c, at(c, 16), 2, 1);
	(void)map(c, 18, 2, PROT_READ);
	(void)map(c, 21, 1, RW);
	CHECK_IS(c->mremap(c, at(c, 16), pages(c, 6), pages(c, 2), FIXED_MOVE,
			   at(c, 64)), at(c, 64));
	CHECK_IS(peek(at(c, 65)), 2);
	CHECK_IS(mapped_at(c, at(c, 66)), 0);
	for (size_t i = 16; i < 22; i++)
		CHECK_IS(mapped_at(c, at(c, i)), 0);
}

static void fixed_move_replaces_the_target(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	(void)map(c, 62, 8, PROT_READ);
	CHECK_IS(move(c, 16, 4, 64), at(c, 64));
	CHECK_IS(prot_at(c, at(c, 63)), PROT_READ);
	CHECK_IS(peek(at(c, 67)), 4);
	CHECK_IS(prot_at(c, at(c, 68)), PROT_READ);
	CHECK_IS(mapped_at(c, p), 0);
}

static void fixed_move_grows_and_shrinks(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 6), FIXED_MOVE,
			   at(c, 64)), at(c, 64));
	CHECK_IS(peek(at(c, 67)), 4);
	CHECK_IS(peek(at(c, 69)), 0);
	CHECK_IS(c->mremap(c, at(c, 64), pages(c, 6), pages(c, 2), FIXED_MOVE,
			   at(c, 32)), at(c, 32));
	CHECK_IS(peek(at(c, 33)), 2);
	CHECK_IS(mapped_at(c, at(c, 34)), 0);
	for (size_t i = 64; i < 70; i++)
		CHECK_IS(mapped_at(c, at(c, i)), 0);
}

static void failed_fixed_growth_has_unmapped_the_target(const struct caller *c)
{
	char *p = map(c, 0, 4, RW);
	char *target = c->base + c->size / 2;

	fill(c, p, 4, 1);
	CHECK_IS(try_map(c, target, 4, RW, MAP_FIXED), target);
	CHECK_IS(c->mremap(c, p, pages(c, 4), c->size / 3, FIXED_MOVE, target),
		 -ENOMEM);
	CHECK_IS(mapped_at(c, target), 0);
	CHECK_IS(peek(at(c, 3)), 4);
}

static int wiped(const struct caller *c)
{
	return peek(at(c, 64));
}

static void wipeonfork_travels(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(c->madvise(c, p, pages(c, 4), MADV_WIPEONFORK), 0);
	CHECK_IS(move(c, 16, 4, 64), at(c, 64));
	CHECK_IS(in_fork(c, wiped), 0);
	CHECK_IS(peek(at(c, 64)), 1);
	CHECK_IS(host_flag_at(at(c, 64), "wf"), 1);
}

static void guards_travel(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	need_guards();
	fill(c, p, 4, 1);
	CHECK_IS(c->madvise(c, at(c, 17), c->page, MADV_GUARD_INSTALL), 0);
	CHECK_IS(peek(at(c, 17)), -SIGSEGV);
	CHECK_IS(move(c, 16, 4, 64), at(c, 64));
	CHECK_IS(peek(at(c, 64)), 1);
	CHECK_IS(peek(at(c, 65)), -SIGSEGV);
	CHECK_IS(peek(at(c, 66)), 3);
}

static void locks_travel(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mlock(c, p, pages(c, 4)), 0);
	CHECK_IS(move(c, 16, 4, 64), at(c, 64));
	CHECK_IS(host_flag_at(at(c, 64), "lo"), 1);
	CHECK_IS(host_resident_at(at(c, 64)), pages(c, 4));
	CHECK_IS(c->madvise(c, at(c, 64), pages(c, 4), MADV_DONTNEED), -EINVAL);
	/* Untouched memory may merge with its old neighbours. */
	p = map(c, 80, 4, RW);
	CHECK_IS(c->mlock2(c, p, pages(c, 4), MLOCK_ONFAULT), 0);
	CHECK_IS(move(c, 80, 4, 84), at(c, 84));
	CHECK_IS(host_flag_at(at(c, 84), "lo"), 1);
	CHECK_IS(move(c, 84, 4, 80), at(c, 80));
	CHECK_IS(host_flag_at(at(c, 80), "lo"), 1);
}

static void private_copies_of_file_pages_travel(const struct caller *c)
{
	char *p = map_file(c, 16, 4, RW, MAP_PRIVATE, disk_file(c, 4, 0), 0);

	CHECK_IS(poke(at(c, 18), 'Z'), 0);
	CHECK_IS(move(c, 16, 4, 64), at(c, 64));
	CHECK_IS(peek(at(c, 66)), 'Z');
	CHECK_IS(peek(at(c, 67)), 'd');
	CHECK_IS(peek(p), -SIGSEGV);
}

#define S "mremap: "
static const struct semantics_case cases[] = {
	CASE(old_size_0_makes_an_alias, S "old_size 0 on a shared mapping"),
	CASE(alias_from_inside_and_past_the_end,
	     S "alias at the given offset; past the object's end SIGBUS"),
	CASE(alias_of_a_shared_file, S "alias of a shared file"),
	CASE(fixed_alias_works, S "FIXED aliases work"),
	CASE(dontunmap_alias_is_einval, S "DONTUNMAP aliases are EINVAL"),
	CASE(dontunmap_leaves_anonymous_zero,
	     S "DONTUNMAP: private anonymous reads zero"),
	CASE(dontunmap_leaves_shared_data, S "DONTUNMAP: shared keeps its data"),
	CASE(dontunmap_reverts_a_private_file,
	     S "DONTUNMAP: private file reverts to the file"),
	CASE(dontunmap_unlocks_the_old,
	     S "DONTUNMAP: the old range loses its lock"),
	CASE(move_keeps_gaps_and_what_is_under_them,
	     S "several mappings: gaps kept, target mappings under gaps survive"),
	CASE(gap_at_the_start_is_efault,
	     S "several mappings: a gap at the start is EFAULT"),
	CASE(gap_at_the_end_is_legal,
	     S "several mappings: a gap at the end is legal"),
	CASE(earlier_mappings_stay_moved_before_a_seal,
	     S "a later mapping fails (sealed EPERM): earlier ones stay moved"),
	CASE(earlier_mappings_stay_moved_before_userfaultfd,
	     S "a later mapping fails (userfaultfd EFAULT): earlier ones stay moved"),
	CASE(fixed_shrink_across_unmaps_nothing,
	     S "FIXED shrink across mappings: EFAULT, nothing unmapped"),
	CASE(fixed_shrink_into_the_first_mapping,
	     S "FIXED shrink across mappings works into the first of them"),
	CASE(fixed_move_replaces_the_target, S "FIXED replaces the target"),
	CASE(fixed_move_grows_and_shrinks, S "FIXED grows and shrinks"),
	CASE_IN(failed_fixed_growth_has_unmapped_the_target, window_over_memory,
		S "a FIXED grow that fails on commit has unmapped the target"),
	CASE(guards_travel, S "guards travel with a move"),
	CASE(wipeonfork_travels, S "WIPEONFORK travels with a move"),
	CASE(locks_travel, S "locks travel with a move"),
	CASE(private_copies_of_file_pages_travel,
	     S "private copies of file pages travel with a move"),
};

SEMANTICS_MAIN(cases)
