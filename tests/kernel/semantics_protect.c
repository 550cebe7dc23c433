/* SPDX-License-Identifier: MIT */
#include "semantics.h"

/* munmap and mprotect. */

#define LAST_PAGE ((size_t)-(ssize_t)c->page)

static void munmap_refuses_bad_ranges(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->munmap(c, p + 1, c->page), -EINVAL);
	CHECK_IS(c->munmap(c, p, 0), -EINVAL);
	CHECK_IS(c->munmap(c, p, (size_t)1 << 62), -EINVAL);
	CHECK_IS(c->munmap(c, p, LAST_PAGE), -EINVAL);
	CHECK_IS(c->munmap(c, p, SIZE_MAX), -EINVAL);
	CHECK_IS(c->munmap(c, (char *)((uintptr_t)1 << 62), c->page), -EINVAL);
	CHECK_IS(c->munmap(c, (char *)LAST_PAGE, c->page), -EINVAL);
	CHECK_IS(mapped_at(c, at(c, 19)), 1);
}

static void munmap_of_nothing_succeeds(const struct caller *c)
{
	CHECK_IS(c->munmap(c, at(c, 16), pages(c, 64)), 0);
	CHECK_IS(c->munmap(c, at(c, 16), 1), 0);
}

static void munmap_crosses_mappings_and_holes(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	(void)map(c, 22, 4, PROT_READ);
	CHECK_IS(c->munmap(c, at(c, 18), pages(c, 6)), 0);
	CHECK_IS(peek(at(c, 17)), 2);
	CHECK_IS(peek(at(c, 18)), -SIGSEGV);
	CHECK_IS(mapped_at(c, at(c, 23)), 0);
	CHECK_IS(prot_at(c, at(c, 24)), PROT_READ);
}

static void munmap_rounds_the_length_up(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->munmap(c, p, c->page + 1), 0);
	CHECK_IS(mapped_at(c, at(c, 17)), 0);
	CHECK_IS(mapped_at(c, at(c, 18)), 1);
}

static void munmap_with_a_sealed_part_unmaps_nothing(const struct caller *c)
{
	need_mseal();
	(void)map(c, 16, 6, RW);
	CHECK_IS(c->mseal(c, at(c, 18), pages(c, 2), 0), 0);
	CHECK_IS(c->munmap(c, at(c, 16), pages(c, 6)), -EPERM);
	for (size_t i = 16; i < 22; i++)
		CHECK_IS(mapped_at(c, at(c, i)), 1);
	CHECK_IS(c->munmap(c, at(c, 16), pages(c, 2)), 0);
	CHECK_IS(mapped_at(c, at(c, 17)), 0);
}

static void munmap_split_at_the_map_count_limit_is_enomem(const struct caller *c)
{
	char *p = map(c, 16, 3, RW);

	fill(c, p, 3, 1);
	(void)fill_map_count(c, 64);
	CHECK_IS(c->munmap(c, at(c, 17), c->page), -ENOMEM);
	CHECK_IS(peek(at(c, 17)), 2);
	CHECK_IS(c->munmap(c, at(c, 16), pages(c, 3)), 0);
	CHECK_IS(mapped_at(c, at(c, 16)), 0);
	CHECK_IS(c->munmap(c, at(c, 80), pages(c, 20)), 0);
	CHECK_IS(mapped_at(c, at(c, 99)), 0);
	CHECK_IS(mapped_at(c, at(c, 100)), 1);
}

static void mprotect_of_length_0_succeeds(const struct caller *c)
{
	CHECK_IS(c->mprotect(c, at(c, 16), 0, RW), 0);
	CHECK_IS(c->mprotect(c, at(c, 16) + 1, 0, RW), -EINVAL);
	CHECK_IS(c->mprotect(c, NULL, 0, RW), 0);
}

static void mprotect_refuses_bad_arguments(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mprotect(c, p + 1, c->page, PROT_READ), -EINVAL);
	CHECK_IS(c->mprotect(c, p, c->page, PROT_READ | 0x1000), -EINVAL);
	CHECK_IS(c->mprotect(c, p, c->page, PROT_READ | PROT_GROWSDOWN),
		 -EINVAL);
	CHECK_IS(c->mprotect(c, p, c->page, PROT_READ | PROT_GROWSUP), -EINVAL);
	CHECK_IS(c->mprotect(c, p, c->page,
			     PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), -EINVAL);
	CHECK_IS(prot_at(c, p), RW);
}

static void mprotect_of_unmapped_is_enomem(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mprotect(c, at(c, 8), c->page, RW), -ENOMEM);
	CHECK_IS(c->mprotect(c, p, LAST_PAGE, PROT_READ), -ENOMEM);
	CHECK_IS(c->mprotect(c, p, SIZE_MAX, PROT_READ), -ENOMEM);
	CHECK_IS(c->mprotect(c, (char *)((uintptr_t)1 << 62), c->page, RW),
		 -ENOMEM);
	CHECK_IS(c->mprotect(c, at(c, 14), pages(c, 4), PROT_READ), -ENOMEM);
	CHECK_IS(prot_at(c, p), RW);
}

static void mprotect_stops_at_a_hole(const struct caller *c)
{
	(void)map(c, 16, 2, RW);
	(void)map(c, 20, 2, RW);
	CHECK_IS(c->mprotect(c, at(c, 16), pages(c, 6), PROT_READ), -ENOMEM);
	CHECK_IS(prot_at(c, at(c, 16)), PROT_READ);
	CHECK_IS(prot_at(c, at(c, 17)), PROT_READ);
	CHECK_IS(prot_at(c, at(c, 20)), RW);
	CHECK_IS(poke(at(c, 17), 1), -SIGSEGV);
	CHECK_IS(poke(at(c, 20), 1), 0);
}

static void mprotect_stops_at_a_forbidden_right(const struct caller *c)
{
	int reader = reopen(disk_file(c, 2, 0), O_RDONLY);

	(void)map(c, 16, 2, PROT_NONE);
	(void)map_file(c, 18, 2, PROT_READ, MAP_SHARED, reader, 0);
	(void)map(c, 20, 2, PROT_NONE);
	CHECK_IS(c->mprotect(c, at(c, 16), pages(c, 6), RW), -EACCES);
	CHECK_IS(prot_at(c, at(c, 17)), RW);
	CHECK_IS(prot_at(c, at(c, 18)), PROT_READ);
	CHECK_IS(prot_at(c, at(c, 20)), PROT_NONE);
}

static void mprotect_stops_at_a_seal(const struct caller *c)
{
	need_mseal();
	(void)map(c, 16, 6, RW);
	CHECK_IS(c->mseal(c, at(c, 18), pages(c, 2), 0), 0);
	CHECK_IS(c->mprotect(c, at(c, 16), pages(c, 6), PROT_READ), -EPERM);
	CHECK_IS(prot_at(c, at(c, 17)), PROT_READ);
	CHECK_IS(prot_at(c, at(c, 18)), RW);
	CHECK_IS(prot_at(c, at(c, 20)), RW);
}

static void mprotect_changes_a_part(const struct caller *c)
{
	char *p = map(c, 16, 6, RW);

	fill(c, p, 6, 1);
	CHECK_IS(c->mprotect(c, at(c, 18), c->page + 1, PROT_NONE), 0);
	CHECK_IS(peek(at(c, 17)), 2);
	CHECK_IS(peek(at(c, 18)), -SIGSEGV);
	CHECK_IS(peek(at(c, 19)), -SIGSEGV);
	CHECK_IS(peek(at(c, 20)), 5);
	CHECK_IS(c->mprotect(c, at(c, 16), pages(c, 6), PROT_READ), 0);
	CHECK_IS(peek(at(c, 18)), 3);
	CHECK_IS(poke(at(c, 18), 1), -SIGSEGV);
}

static void mprotect_growsdown_begins_at_the_stack(const struct caller *c)
{
	CHECK_IS(try_map(c, at(c, 4096), 4, RW, MAP_FIXED | MAP_GROWSDOWN),
		 at(c, 4096));
	CHECK_IS(c->mprotect(c, at(c, 4098), c->page,
			     PROT_READ | PROT_GROWSDOWN), 0);
	CHECK_IS(prot_at(c, at(c, 4096)), PROT_READ);
	CHECK_IS(prot_at(c, at(c, 4098)), PROT_READ);
	CHECK_IS(prot_at(c, at(c, 4099)), RW);
}

#define U "munmap: "
#define P "mprotect: "
static const struct semantics_case cases[] = {
	CASE(munmap_refuses_bad_ranges,
	     U "EINVAL: unaligned, length 0, out of range, wrap"),
	CASE(munmap_of_nothing_succeeds, U "a never-mapped range succeeds"),
	CASE(munmap_crosses_mappings_and_holes, U "crosses mappings and holes"),
	CASE(munmap_rounds_the_length_up, U "the length is rounded up"),
	CASE(munmap_with_a_sealed_part_unmaps_nothing,
	     U "a sealed part: EPERM and nothing is unmapped"),
	CASE_IN(munmap_split_at_the_map_count_limit_is_enomem,
		window_of_map_count,
		U "a split at the map-count limit: ENOMEM; whole mappings work"),
	CASE(mprotect_of_length_0_succeeds, P "length 0 succeeds anywhere"),
	CASE(mprotect_refuses_bad_arguments,
	     P "unknown bits, GROWSDOWN or GROWSUP on a plain mapping: EINVAL"),
	CASE(mprotect_of_unmapped_is_enomem, P "wrap or unmapped ENOMEM"),
	CASE(mprotect_stops_at_a_hole,
	     P "a hole in the middle leaves the part before it changed"),
	CASE(mprotect_stops_at_a_forbidden_right,
	     P "a forbidden right (EACCES) leaves the part before it changed"),
	CASE(mprotect_stops_at_a_seal,
	     P "a seal (EPERM) leaves the part before it changed"),
	CASE(mprotect_changes_a_part, P "splits and merges"),
	CASE(mprotect_growsdown_begins_at_the_stack,
	     P "GROWSDOWN on a GROWSDOWN mapping reaches its start"),
};

SEMANTICS_MAIN(cases)
