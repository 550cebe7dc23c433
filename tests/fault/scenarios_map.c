/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "scenario.h"

/* vms_mmap and vms_munmap. */

static void nothing(struct stage *stage)
{
	(void)stage;
}

/* Map memory of several kinds in pages 16 to 64, with holes between. */
static void several(struct stage *stage)
{
	put_filled(stage, 16, 8);
	put_file(stage, 24, 8, RW, MAP_PRIVATE, 3);
	fill(stage, 26, 2);
	put(stage, 36, 8, RW, SHARED);
	fill(stage, 36, 8);
	put(stage, 44, 4, PROT_READ, ANONYMOUS);
	put_file(stage, 56, 8, RW, MAP_SHARED, 0);
}

static void several_with_handles(struct stage *stage)
{
	several(stage);
	hold_range(stage, 12 + 4, 4);
	hold_range(stage, 58, 6);
}

static void file_is_known(struct stage *stage)
{
	put_file(stage, 8, 4, PROT_READ, MAP_PRIVATE, 0);
}

/* Leave a hole where a mapping of that size was. */
static void mapped_before(struct stage *stage)
{
	put_filled(stage, 16, 16);
	vms_munmap(stage->space, at(stage, 16), pages(stage, 16));
}

static void growing_stack(struct stage *stage)
{
	put_filled(stage, 16, 4);
	put(stage, 600, 8, RW, ANONYMOUS | MAP_GROWSDOWN);
	fill(stage, 600, 8);
}

static void small_budget(struct stage *stage)
{
	put_filled(stage, 16, 8);
	vms_space_set_commit(stage->space, pages(stage, 12),
			     VMS_COMMIT_STRICT);
}

static void locked(struct stage *stage)
{
	put(stage, 16, 8, RW, ANONYMOUS | MAP_LOCKED);
	fill(stage, 16, 8);
}

/* Leave more warm holes than the space keeps. */
static void many_holes(struct stage *stage)
{
	for (size_t i = 0; i < 40; i++)
		put(stage, 16 + 4 * i, 2, RW, ANONYMOUS);
	for (size_t i = 1; i < 40; i++)
		vms_munmap(stage->space, at(stage, 16 + 4 * i),
			   pages(stage, 2));
	fill(stage, 16, 2);
}

/* --- mmap ------------------------------------------------------------------------ */

static int map_at(struct stage *stage, size_t page, size_t count, int flags,
		  int fd)
{
	return placed(vms_mmap(stage->space, page ? at(stage, page) : NULL,
			       pages(stage, count), RW, flags, fd, 0));
}

static int map_anonymous(struct stage *stage)
{
	return map_at(stage, 0, 16, ANONYMOUS, -1);
}

static int map_shared(struct stage *stage)
{
	return map_at(stage, 0, 16, SHARED, -1);
}

static int map_file_private(struct stage *stage)
{
	return map_at(stage, 0, 16, MAP_PRIVATE, stage->file);
}

static int map_file_shared(struct stage *stage)
{
	return map_at(stage, 0, 16, MAP_SHARED, stage->file);
}

static int map_over(struct stage *stage)
{
	return map_at(stage, 20, 40, ANONYMOUS | MAP_FIXED, -1);
}

static int map_file_over(struct stage *stage)
{
	return map_at(stage, 20, 40, MAP_SHARED | MAP_FIXED, stage->file);
}

static int map_shared_over(struct stage *stage)
{
	return map_at(stage, 38, 3, SHARED | MAP_FIXED, -1);
}

static int map_noreplace(struct stage *stage)
{
	return map_at(stage, 32, 4, ANONYMOUS | MAP_FIXED_NOREPLACE, -1);
}

static int map_hint(struct stage *stage)
{
	return map_at(stage, 100, 4, ANONYMOUS, -1);
}

static int map_locked(struct stage *stage)
{
	return map_at(stage, 0, 4, ANONYMOUS | MAP_LOCKED, -1);
}

static int map_populated(struct stage *stage)
{
	return map_at(stage, 0, 4, ANONYMOUS | MAP_POPULATE, -1);
}

static int map_growsdown(struct stage *stage)
{
	return map_at(stage, 700, 4, ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1);
}

static int map_near_stack(struct stage *stage)
{
	return map_at(stage, 500, 4, ANONYMOUS | MAP_FIXED, -1);
}

static int map_over_stack(struct stage *stage)
{
	return map_at(stage, 602, 2, ANONYMOUS | MAP_FIXED, -1);
}

static int map_huge(struct stage *stage)
{
	return placed(vms_mmap(stage->space, NULL, stage->huge, RW,
			       ANONYMOUS | MAP_HUGETLB, -1, 0));
}

static int map_huge_shared(struct stage *stage)
{
	return placed(vms_mmap(stage->space, NULL, stage->huge, RW,
			       SHARED | MAP_HUGETLB, -1, 0));
}

static int map_sixteen_pages_of_twelve(struct stage *stage)
{
	return map_at(stage, 0, 16, ANONYMOUS, -1);
}

static int map_over_within_budget(struct stage *stage)
{
	return map_at(stage, 16, 12, ANONYMOUS | MAP_FIXED, -1);
}

SCENARIOS(map,
	{ RUN("mmap anonymous", nothing, map_anonymous), .errnos = { EAGAIN } },
	{ RUN("mmap shared anonymous", nothing, map_shared),
	  .errnos = { EAGAIN } },
	{ RUN("mmap private file", nothing, map_file_private),
	  .errnos = { EAGAIN, EBADF } },
	{ RUN("mmap shared file", nothing, map_file_shared),
	  .errnos = { EAGAIN, EBADF } },
	{ RUN("mmap file known to the space", file_is_known, map_file_private),
	  .errnos = { EAGAIN, EBADF } },
	{ RUN("mmap fixed over several mappings", several_with_handles,
	  map_over),
	  .errnos = { EAGAIN } },
	{ RUN("mmap fixed file over several mappings", several_with_handles,
	      map_file_over),
	  .errnos = { EAGAIN, EBADF } },
	{ RUN("mmap fixed shared inside a shared mapping", several,
	      map_shared_over),
	  .errnos = { EAGAIN } },
	{ RUN("mmap fixed without replacing", several, map_noreplace),
	  .errnos = { EAGAIN } },
	{ RUN("mmap hinted", several, map_hint), .errnos = { EAGAIN } },
	{ RUN("mmap locked", nothing, map_locked),
	  .errnos = { EAGAIN, EPERM } },
	{ RUN("mmap populated", nothing, map_populated), .errnos = { EAGAIN } },
	{ RUN("mmap where a mapping was before", mapped_before, map_anonymous),
	  .errnos = { EAGAIN } },
	{ RUN("mmap growing down", several, map_growsdown),
	  .errnos = { EAGAIN } },
	{ RUN("mmap in the guard gap of a stack", growing_stack,
	  map_near_stack),
	  .errnos = { EAGAIN } },
	{ RUN("mmap over a part of a stack", growing_stack, map_over_stack),
	  .errnos = { EAGAIN } },
	{ RUN("mmap huge pages", nothing, map_huge), .errnos = { EAGAIN } },
	{ RUN("mmap shared huge pages", nothing, map_huge_shared),
	  .errnos = { EAGAIN } },
	{ RUN("mmap past the commit limit", small_budget,
	      map_sixteen_pages_of_twelve),
	  .errnos = { EAGAIN }, .fails = ENOMEM },
	{ RUN("mmap fixed within the net commit limit", small_budget,
	      map_over_within_budget),
	  .errnos = { EAGAIN } },
);

/* --- munmap ------------------------------------------------------------------------- */

static int unmap_at(struct stage *stage, size_t page, size_t count)
{
	return vms_munmap(stage->space, at(stage, page), pages(stage, count));
}

static int unmap_whole(struct stage *stage)
{
	return unmap_at(stage, 16, 8);
}

static int unmap_middle(struct stage *stage)
{
	return unmap_at(stage, 18, 4);
}

static int unmap_file_head(struct stage *stage)
{
	return unmap_at(stage, 56, 2);
}

static int unmap_several(struct stage *stage)
{
	return unmap_at(stage, 20, 40);
}

static int unmap_all(struct stage *stage)
{
	return unmap_at(stage, 0, 128);
}

static int unmap_part_of_shared(struct stage *stage)
{
	return unmap_at(stage, 38, 4);
}

static int unmap_stack(struct stage *stage)
{
	return unmap_at(stage, 600, 8);
}

static int unmap_stack_bottom(struct stage *stage)
{
	return unmap_at(stage, 590, 12);
}

static int unmap_hole(struct stage *stage)
{
	return unmap_at(stage, 65, 10);
}

static int unmap_first_of_many(struct stage *stage)
{
	return unmap_at(stage, 16, 2);
}

SCENARIOS(unmap,
	{ RUN("munmap whole", several, unmap_whole),
	  .errnos = { EAGAIN } },
	{ RUN("munmap middle", several, unmap_middle),
	  .errnos = { EAGAIN } },
	{ RUN("munmap head of a file mapping", several, unmap_file_head),
	  .errnos = { EAGAIN } },
	{ RUN("munmap over several", several, unmap_several),
	  .errnos = { EAGAIN } },
	{ RUN("munmap of all", several, unmap_all),
	  .errnos = { EAGAIN } },
	{ RUN("munmap part of a shared mapping", several,
	  unmap_part_of_shared),
	  .errnos = { EAGAIN } },
	{ RUN("munmap locked", locked, unmap_whole),
	  .errnos = { EAGAIN } },
	{ RUN("munmap stack", growing_stack, unmap_stack),
	  .errnos = { EAGAIN } },
	{ RUN("munmap bottom of a stack", growing_stack, unmap_stack_bottom),
	  .errnos = { EAGAIN } },
	{ RUN("munmap hole", several, unmap_hole) },
	{ RUN("munmap with many holes", many_holes, unmap_first_of_many),
	  .errnos = { EAGAIN } },
);
