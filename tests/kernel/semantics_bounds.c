/* SPDX-License-Identifier: MIT */
#include "semantics.h"

#include <stdbool.h>

/*
 * "An address outside the space is to these calls what an address past the end
 * of the address space is to Linux": the same checks beyond the end of both,
 * and of a space also below its start and on memory of the process itself.
 */

#define FIXED_MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)

static const uintptr_t ends[] = {
	((uintptr_t)1 << 47) - 4096, /* x86-64 keeps the last page free */
	(uintptr_t)1 << 48, (uintptr_t)1 << 47, (uintptr_t)1 << 42,
	(uintptr_t)1 << 39, (uintptr_t)1 << 36,
};

/* Return the end of the kernel's address space, below which pages can be mapped. */
static char *kernel_end(const struct caller *c)
{
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		char *end = (char *)ends[i];
		intptr_t below = try_map(c, end - c->page, 1, PROT_NONE,
					 MAP_FIXED_NOREPLACE);

		if (below > 0)
			(void)c->munmap(c, (char *)below, c->page);
		if ((below == (intptr_t)end - (intptr_t)c->page ||
		     below == -EEXIST) &&
		    try_map(c, end, 1, PROT_NONE, MAP_FIXED_NOREPLACE) ==
			    -ENOMEM)
			return end;
	}
	SKIP("the end of the address space was not found by mapping below it");
}

static char *end_of(const struct caller *c)
{
	return c->kind == CALLER_KERNEL ? kernel_end(c) : c->base + c->size;
}

/* Memory of the process itself, which no call on a space may touch. */
static char *own_page;

static size_t outside(const struct caller *c, char *list[5])
{
	size_t count = 0;

	list[count++] = end_of(c);
	list[count++] = end_of(c) + pages(c, 4096);
	list[count++] = (char *)((uintptr_t)1 << 62);
	if (c->kind == CALLER_KERNEL)
		return count;
	own_page = mmap(NULL, c->page, RW, ANON, -1, 0);
	CHECK(own_page != MAP_FAILED);
	own_page[0] = 42;
	list[count++] = own_page;
	list[count++] = c->base - c->page;
	return count;
}

static void check_untouched(void)
{
	if (own_page != NULL)
		CHECK_IS(peek(own_page), 42);
	if (own_page != NULL)
		CHECK_IS(poke(own_page, 42), 0);
}

static void mmap_outside(const struct caller *c)
{
	char *list[5];
	size_t count = outside(c, list);
	intptr_t result;

	for (size_t i = 0; i < count; i++) {
		CHECK_IS(try_map(c, list[i], 1, RW, MAP_FIXED), -ENOMEM);
		CHECK_IS(try_map(c, list[i], 1, RW, MAP_FIXED_NOREPLACE),
			 -ENOMEM);
		result = try_map(c, list[i], 1, RW, 0);
		CHECK(result > 0 && result != (intptr_t)list[i]);
		if (c->kind == CALLER_SPACE)
			CHECK(vms_space_contains(c->space, (void *)result,
						 c->page));
		CHECK_IS(c->munmap(c, (void *)result, c->page), 0);
		check_untouched();
	}
}

static void munmap_outside(const struct caller *c)
{
	char *list[5];
	size_t count = outside(c, list);

	for (size_t i = 0; i < count; i++) {
		CHECK_IS(c->munmap(c, list[i], c->page), -EINVAL);
		check_untouched();
	}
}

static void mremap_outside(const struct caller *c)
{
	char *list[5], *p = map(c, 16, 2, RW);
	size_t count = outside(c, list);

	fill(c, p, 2, 1);
	for (size_t i = 0; i < count; i++) {
		CHECK_IS(c->mremap(c, list[i], c->page, pages(c, 2),
				   MREMAP_MAYMOVE, NULL), -EFAULT);
		CHECK_IS(c->mremap(c, list[i], c->page, c->page, 0, NULL),
			 -EFAULT);
		CHECK_IS(c->mremap(c, p, pages(c, 2), pages(c, 2), FIXED_MOVE,
				   list[i]), -EINVAL);
		CHECK_IS(peek(at(c, 17)), 2);
		check_untouched();
	}
}

static void other_calls_outside(const struct caller *c)
{
	unsigned char vector[8];
	char *list[5];
	size_t count = outside(c, list);

	for (size_t i = 0; i < count; i++) {
		CHECK_IS(c->mprotect(c, list[i], c->page, PROT_NONE), -ENOMEM);
		CHECK_IS(c->mprotect(c, list[i], 0, PROT_NONE), 0);
		CHECK_IS(c->madvise(c, list[i], c->page, MADV_DONTNEED),
			 -ENOMEM);
		CHECK_IS(c->madvise(c, list[i], c->page, MADV_POPULATE_READ),
			 -ENOMEM);
		CHECK_IS(c->msync(c, list[i], c->page, MS_ASYNC), -ENOMEM);
		CHECK_IS(c->mlock(c, list[i], c->page), -ENOMEM);
		CHECK_IS(c->munlock(c, list[i], c->page), -ENOMEM);
		CHECK_IS(c->mincore(c, list[i], c->page, vector), -ENOMEM);
		check_untouched();
	}
}

static void mseal_outside(const struct caller *c)
{
	char *list[5];
	size_t count;

	need_mseal();
	count = outside(c, list);
	for (size_t i = 0; i < count; i++) {
		CHECK_IS(c->mseal(c, list[i], c->page, 0), -ENOMEM);
		check_untouched();
	}
}

/* Map two pages below the end, and return the first. */
static char *map_at_the_end(const struct caller *c)
{
	char *p = end_of(c) - 2 * c->page;
	intptr_t result = try_map(c, p, 2, RW, MAP_FIXED_NOREPLACE);

	if (c->kind == CALLER_KERNEL && result == -EEXIST)
		SKIP("something is mapped at the end of the address space");
	CHECK_IS(result, p);
	fill(c, p, 2, 1);
	return p;
}

static void ranges_across_the_end(const struct caller *c)
{
	unsigned char vector[8];
	char *p = map_at_the_end(c);
	size_t length = pages(c, 4);

	CHECK_IS(try_map(c, p, 4, RW, MAP_FIXED), -ENOMEM);
	CHECK_IS(c->munmap(c, p, length), -EINVAL);
	CHECK_IS(c->mremap(c, p, length, c->page, 0, NULL), -EINVAL);
	CHECK_IS(c->mremap(c, p, length, pages(c, 6), MREMAP_MAYMOVE, NULL),
		 -EFAULT);
	CHECK_IS(c->mremap(c, p, pages(c, 2), pages(c, 3), 0, NULL), -ENOMEM);
	CHECK_IS(c->mremap(c, p, c->page, pages(c, 4), FIXED_MOVE,
			   at(c, 64)), at(c, 64));
	CHECK_IS(peek(p + c->page), 2);
	CHECK_IS(c->madvise(c, p + c->page, length, MADV_NORMAL), -ENOMEM);
	CHECK_IS(c->msync(c, p + c->page, length, MS_ASYNC), -ENOMEM);
	CHECK_IS(c->mincore(c, p + c->page, length, vector), -ENOMEM);
	CHECK_IS(c->mlock(c, p + c->page, length), -ENOMEM);
	CHECK_IS(c->mprotect(c, p + c->page, length, PROT_READ), -ENOMEM);
	CHECK_IS(prot_at(c, p + c->page), PROT_READ);
}

static void target_across_the_end(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 4), FIXED_MOVE,
			   end_of(c) - 2 * c->page), -EINVAL);
	CHECK_IS(peek(at(c, 19)), 4);
}

static void null_space_is_einval(const struct caller *c)
{
	struct caller none = *c;
	unsigned char vector[1];
	char *p = map(c, 16, 1, RW);

	none.space = NULL;
	CHECK_IS(none.mmap(&none, NULL, c->page, RW, ANON, -1, 0), -EINVAL);
	CHECK_IS(none.munmap(&none, p, c->page), -EINVAL);
	CHECK_IS(none.mremap(&none, p, c->page, c->page, 0, NULL), -EINVAL);
	CHECK_IS(none.mprotect(&none, p, c->page, RW), -EINVAL);
	CHECK_IS(none.madvise(&none, p, c->page, MADV_NORMAL), -EINVAL);
	CHECK_IS(none.msync(&none, p, c->page, MS_ASYNC), -EINVAL);
	CHECK_IS(none.mlock(&none, p, c->page), -EINVAL);
	CHECK_IS(none.mlock2(&none, p, c->page, 0), -EINVAL);
	CHECK_IS(none.munlock(&none, p, c->page), -EINVAL);
	CHECK_IS(none.mincore(&none, p, c->page, vector), -EINVAL);
	CHECK_IS(none.mseal(&none, p, c->page, 0), -EINVAL);
	CHECK_IS(poke(p, 1), 0);
}

static void success_leaves_errno(const struct caller *c)
{
	char *p;

	errno = 4242;
	p = vms_mmap(c->space, NULL, pages(c, 4), RW, ANON, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_IS(vms_mremap(c->space, p, pages(c, 4), pages(c, 8),
			    MREMAP_MAYMOVE, NULL) != MAP_FAILED, 1);
	CHECK_IS(errno, 4242);
	CHECK_IS(try_map(c, at(c, 64), 4, RW, MAP_FIXED), at(c, 64));
	CHECK_IS(vms_mprotect(c->space, at(c, 64), c->page, PROT_READ), 0);
	CHECK_IS(vms_madvise(c->space, at(c, 64), c->page, MADV_DONTNEED), 0);
	CHECK_IS(vms_munmap(c->space, at(c, 64), pages(c, 4)), 0);
	CHECK_IS(errno, 4242);
}

#define S "bounds: "
static const struct semantics_case cases[] = {
	CASE(mmap_outside, S "mmap: too high ENOMEM; a hint goes elsewhere"),
	CASE(munmap_outside, S "munmap: out of range EINVAL"),
	CASE(mremap_outside,
	     S "mremap: old not mapped EFAULT; target past the end EINVAL"),
	CASE(other_calls_outside, S "the other calls: unmapped ENOMEM"),
	CASE(mseal_outside, S "mseal: unmapped ENOMEM"),
	CASE(ranges_across_the_end, S "ranges that reach across the end"),
	CASE(target_across_the_end, S "a target that reaches across the end"),
	CASE_SPACE(null_space_is_einval, S "a NULL space is EINVAL"),
	CASE_SPACE(success_leaves_errno, S "success leaves errno as it was"),
};

SEMANTICS_MAIN(cases)
