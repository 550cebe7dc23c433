/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scenario.h"

/* vms_mremap. The mapping that grows or moves is pages 16 to 24. */

static void plain(struct stage *stage)
{
	put_filled(stage, 16, 8);
	hold_range(stage, 16, 8);
}

static void untouched(struct stage *stage)
{
	put(stage, 16, 8, RW, ANONYMOUS);
}

static int remap(struct stage *stage, size_t page, size_t old, size_t new,
		 int flags, size_t target)
{
	return placed(vms_mremap(stage->space, at(stage, page),
				 pages(stage, old), pages(stage, new), flags,
				 target ? at(stage, target) : NULL));
}

/* The mapping has grown before, so it is likely to grow again. */
static void grown(struct stage *stage)
{
	put_filled(stage, 16, 4);
	assert_int_equal(remap(stage, 16, 4, 8, 0, 0), 0);
	fill(stage, 20, 4);
}

static void grown_twice(struct stage *stage)
{
	put_filled(stage, 16, 2);
	assert_int_equal(remap(stage, 16, 2, 4, 0, 0), 0);
	assert_int_equal(remap(stage, 16, 4, 8, 0, 0), 0);
	fill(stage, 18, 6);
}

static void advised(struct stage *stage)
{
	plain(stage);
	vms_madvise(stage->space, at(stage, 16), pages(stage, 8),
		    MADV_SEQUENTIAL);
	vms_madvise(stage->space, at(stage, 16), pages(stage, 8),
		    MADV_DONTDUMP);
	vms_madvise(stage->space, at(stage, 16), pages(stage, 8),
		    MADV_NOHUGEPAGE);
}

static void advised_and_grown(struct stage *stage)
{
	advised(stage);
	assert_int_equal(remap(stage, 16, 8, 7, 0, 0), 0);
	assert_int_equal(remap(stage, 16, 7, 8, 0, 0), 0);
	fill(stage, 16, 8);
}

static void named(struct stage *stage)
{
	plain(stage);
	vms_set_name(stage->space, at(stage, 16), pages(stage, 8), "grower");
}

static void locked(struct stage *stage)
{
	put(stage, 16, 8, RW, ANONYMOUS | MAP_LOCKED);
	fill(stage, 16, 8);
}

static void shared(struct stage *stage)
{
	put(stage, 16, 8, RW, SHARED);
	fill(stage, 16, 8);
	hold_range(stage, 16, 8);
}

static void shared_file(struct stage *stage)
{
	put_file(stage, 16, 8, RW, MAP_SHARED, 2);
	hold_range(stage, 16, 8);
}

static void private_file(struct stage *stage)
{
	put_file(stage, 16, 8, RW, MAP_PRIVATE, 2);
	fill(stage, 18, 3);
	hold_range(stage, 16, 8);
}

static void small_budget(struct stage *stage)
{
	put_filled(stage, 16, 8);
	put_filled(stage, 64, 16);
	vms_space_set_commit(stage->space, pages(stage, 26), VMS_COMMIT_STRICT);
}

/* --- growing in place, shrinking ------------------------------------------------- */

static int grow(struct stage *stage)
{
	return remap(stage, 16, 8, 20, 0, 0);
}

static int grow_four(struct stage *stage)
{
	return remap(stage, 16, 8, 12, 0, 0);
}

static int shrink(struct stage *stage)
{
	return remap(stage, 16, 8, 3, 0, 0);
}

static int shrink_across(struct stage *stage)
{
	return remap(stage, 16, 64, 3, 0, 0);
}

static void several(struct stage *stage)
{
	plain(stage);
	put(stage, 24, 8, RW, SHARED);
	fill(stage, 24, 8);
	put_file(stage, 40, 8, RW, MAP_PRIVATE, 1);
	fill(stage, 41, 2);
}

SCENARIOS(grow,
	{ RUN("grow plain", plain, grow), .errnos = { EAGAIN } },
	{ RUN("grow untouched", untouched, grow), .errnos = { EAGAIN } },
	{ RUN("grow and prepare room", grown, grow_four),
	  .errnos = { EAGAIN } },
	{ RUN("grow into prepared room", grown_twice, grow_four),
	  .errnos = { EAGAIN } },
	{ RUN("grow advised", advised, grow), .errnos = { EAGAIN } },
	{ RUN("grow advised and prepare room", advised_and_grown, grow_four),
	  .errnos = { EAGAIN } },
	{ RUN("grow named", named, grow), .errnos = { EAGAIN } },
	{ RUN("grow locked", locked, grow), .errnos = { EAGAIN } },
	{ RUN("grow shared", shared, grow), .errnos = { EAGAIN } },
	{ RUN("grow shared file", shared_file, grow), .errnos = { EAGAIN } },
	{ RUN("grow private file", private_file, grow), .errnos = { EAGAIN } },
	{ RUN("grow past the commit limit", small_budget, grow),
	  .errnos = { EAGAIN }, .fails = ENOMEM },
	{ RUN("shrink", plain, shrink), .errnos = { EAGAIN } },
	{ RUN("shrink private file", private_file, shrink),
	  .errnos = { EAGAIN } },
	{ RUN("shrink across mappings", several, shrink_across),
	  .errnos = { EAGAIN } },
);

/* --- moving ------------------------------------------------------------------------- */

/* Map something right behind the mapping, so that growth must move it. */
static void block(struct stage *stage)
{
	put_filled(stage, 24, 2);
}

static void plain_blocked(struct stage *stage)
{
	plain(stage);
	block(stage);
}

static void named_blocked(struct stage *stage)
{
	named(stage);
	put_filled(stage, 24, 2);
}

static void advised_blocked(struct stage *stage)
{
	advised(stage);
	block(stage);
}

static void locked_blocked(struct stage *stage)
{
	locked(stage);
	block(stage);
}

static void shared_blocked(struct stage *stage)
{
	shared(stage);
	block(stage);
}

static void shared_file_blocked(struct stage *stage)
{
	shared_file(stage);
	block(stage);
}

static void private_file_blocked(struct stage *stage)
{
	private_file(stage);
	block(stage);
}

static int grow_moving(struct stage *stage)
{
	return remap(stage, 16, 8, 20, MREMAP_MAYMOVE, 0);
}

/* Growing a part of a mapping moves that part away. */
static int grow_middle(struct stage *stage)
{
	return remap(stage, 18, 4, 20, MREMAP_MAYMOVE, 0);
}

/* Map what the target replaces: pages 66 to 76. */
static void with_target(struct stage *stage)
{
	put_filled(stage, 66, 4);
	put_file(stage, 72, 4, RW, MAP_PRIVATE, 9);
	hold_range(stage, 66, 2);
}

#define TO_TARGET(kind) \
	static void kind##_to_target(struct stage *stage) \
	{ \
		kind(stage); \
		with_target(stage); \
	}

TO_TARGET(plain)
TO_TARGET(named)
TO_TARGET(locked)
TO_TARGET(shared)
TO_TARGET(shared_file)
TO_TARGET(private_file)
TO_TARGET(several)

#define FIXED (MREMAP_MAYMOVE | MREMAP_FIXED)

static int move_fixed(struct stage *stage)
{
	return remap(stage, 16, 8, 8, FIXED, 64);
}

static int move_growing(struct stage *stage)
{
	return remap(stage, 16, 8, 12, FIXED, 64);
}

static int move_shrinking(struct stage *stage)
{
	return remap(stage, 16, 8, 5, FIXED, 64);
}

static int move_several(struct stage *stage)
{
	return remap(stage, 18, 32, 32, FIXED, 64);
}

static int keep_source(struct stage *stage)
{
	return remap(stage, 16, 8, 8, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
}

static int keep_source_fixed(struct stage *stage)
{
	return remap(stage, 16, 8, 8, FIXED | MREMAP_DONTUNMAP, 64);
}

static int alias(struct stage *stage)
{
	return remap(stage, 18, 0, 8, MREMAP_MAYMOVE, 0);
}

static int alias_fixed(struct stage *stage)
{
	return remap(stage, 18, 0, 12, FIXED, 64);
}

/* The target has ten charged pages, so that the growth does not fit. */
static int move_past_budget(struct stage *stage)
{
	return remap(stage, 16, 8, 32, FIXED, 80);
}

#define TO(first, end) \
	.failure = DESTROYS_TARGET, .target = (first), .target_end = (end), \
	.errnos = { EAGAIN }

SCENARIOS(move,
	{ RUN("grow moving plain", plain_blocked, grow_moving),
	  .errnos = { EAGAIN } },
	{ RUN("grow moving named", named_blocked, grow_moving),
	  .errnos = { EAGAIN } },
	{ RUN("grow moving advised", advised_blocked, grow_moving),
	  .errnos = { EAGAIN } },
	{ RUN("grow moving locked", locked_blocked, grow_moving),
	  .errnos = { EAGAIN } },
	{ RUN("grow moving shared", shared_blocked, grow_moving),
	  .errnos = { EAGAIN } },
	{ RUN("grow moving shared file", shared_file_blocked, grow_moving),
	  .errnos = { EAGAIN } },
	{ RUN("grow moving private file", private_file_blocked, grow_moving),
	  .errnos = { EAGAIN } },
	{ RUN("grow the middle of a mapping", plain, grow_middle),
	  .errnos = { EAGAIN } },
	{ RUN("move plain", plain_to_target, move_fixed), TO(64, 72) },
	{ RUN("move locked", locked_to_target, move_fixed), TO(64, 72) },
	{ RUN("move shared", shared_to_target, move_fixed), TO(64, 72) },
	{ RUN("move private file", private_file_to_target, move_fixed),
	  TO(64, 72) },
	{ RUN("move growing plain", plain_to_target, move_growing), TO(64,
	  76) },
	{ RUN("move growing named", named_to_target, move_growing), TO(64,
	  76) },
	{ RUN("move growing locked", locked_to_target, move_growing), TO(64,
	  76) },
	{ RUN("move growing shared", shared_to_target, move_growing), TO(64,
	  76) },
	{ RUN("move growing shared file", shared_file_to_target, move_growing),
	  TO(64, 76) },
	{ RUN("move growing private file", private_file_to_target,
	  move_growing),
	  TO(64, 76) },
	{ RUN("move growing past the commit limit", small_budget,
	  move_past_budget), TO(80, 112), .fails = ENOMEM },
	{ RUN("move shrinking plain", plain_to_target, move_shrinking),
	  TO(64, 69) },
	{ RUN("move shrinking private file", private_file_to_target,
	  move_shrinking), TO(64, 69) },
	{ RUN("move several", several_to_target, move_several),
	  .failure = STOPS_MIDWAY, .target = 64, .target_end = 96,
	  .errnos = { EAGAIN } },
	{ RUN("keep the source plain", plain, keep_source),
	  .errnos = { EAGAIN } },
	{ RUN("keep the source locked", locked, keep_source),
	  .errnos = { EAGAIN } },
	{ RUN("keep the source shared", shared, keep_source),
	  .errnos = { EAGAIN } },
	{ RUN("keep the source private file", private_file, keep_source),
	  .errnos = { EAGAIN } },
	{ RUN("keep the source fixed", plain_to_target, keep_source_fixed),
	  TO(64, 72) },
	{ RUN("alias shared", shared, alias), .errnos = { EAGAIN } },
	{ RUN("alias shared file", shared_file, alias), .errnos = { EAGAIN } },
	{ RUN("alias fixed", shared_to_target, alias_fixed), TO(64, 76) },
);
