/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "scenario.h"

/* Calls that change attributes of mappings, and calls that only read. */

/* Map memory of several kinds at pages 16 to 44 and 48 to 52. */
static void neighbours(struct stage *stage)
{
	put_filled(stage, 16, 8);
	put(stage, 24, 4, PROT_NONE, ANONYMOUS);
	put_file(stage, 28, 8, RW, MAP_PRIVATE, 4);
	put(stage, 36, 8, RW, SHARED);
	fill(stage, 36, 8);
	put_filled(stage, 48, 4);
	hold_range(stage, 20, 4);
}

static void untouched(struct stage *stage)
{
	put(stage, 16, 8, RW, ANONYMOUS);
}

static void none(struct stage *stage)
{
	put(stage, 16, 8, PROT_NONE, ANONYMOUS);
}

static void anonymous(struct stage *stage)
{
	put_filled(stage, 16, 8);
	put(stage, 24, 4, PROT_READ, ANONYMOUS);
	put_filled(stage, 28, 4);
}

static void named(struct stage *stage)
{
	neighbours(stage);
	vms_set_name(stage->space, at(stage, 18), pages(stage, 4), "before");
}

static void locked(struct stage *stage)
{
	neighbours(stage);
	vms_mlock(stage->space, at(stage, 16), pages(stage, 8));
}

static void stack(struct stage *stage)
{
	put(stage, 600, 8, RW, ANONYMOUS | MAP_GROWSDOWN);
	fill(stage, 600, 8);
}

/* --- mprotect --------------------------------------------------------------------- */

static int protect_read(struct stage *stage)
{
	return vms_mprotect(stage->space, at(stage, 16), pages(stage, 8),
			    PROT_READ);
}

static int protect_middle(struct stage *stage)
{
	return vms_mprotect(stage->space, at(stage, 18), pages(stage, 3),
			    PROT_READ);
}

static int protect_several(struct stage *stage)
{
	return vms_mprotect(stage->space, at(stage, 20), pages(stage, 20),
			    PROT_READ);
}

static int protect_write(struct stage *stage)
{
	return vms_mprotect(stage->space, at(stage, 16), pages(stage, 8), RW);
}

static int protect_none(struct stage *stage)
{
	return vms_mprotect(stage->space, at(stage, 16), pages(stage, 8),
			    PROT_NONE);
}

static int protect_past_hole(struct stage *stage)
{
	return vms_mprotect(stage->space, at(stage, 20), pages(stage, 32),
			    PROT_READ);
}

static int protect_stack(struct stage *stage)
{
	return vms_mprotect(stage->space, at(stage, 604), pages(stage, 4),
			    PROT_READ | PROT_GROWSDOWN);
}

/* --- madvise ----------------------------------------------------------------------- */

static int advise(struct stage *stage, size_t page, size_t count, int advice)
{
	return vms_madvise(stage->space, at(stage, page), pages(stage, count),
			   advice);
}

static int advise_dontneed(struct stage *stage)
{
	return advise(stage, 18, 4, MADV_DONTNEED);
}

static int advise_free(struct stage *stage)
{
	return advise(stage, 48, 4, MADV_FREE);
}

static int advise_sequential(struct stage *stage)
{
	return advise(stage, 18, 12, MADV_SEQUENTIAL);
}

static int advise_dontfork(struct stage *stage)
{
	return advise(stage, 18, 22, MADV_DONTFORK);
}

static int advise_past_hole(struct stage *stage)
{
	return advise(stage, 30, 20, MADV_DONTDUMP);
}

static int advise_hugepage(struct stage *stage)
{
	return advise(stage, 16, 8, MADV_HUGEPAGE);
}

static int advise_populate(struct stage *stage)
{
	return advise(stage, 28, 8, MADV_POPULATE_READ);
}

/* --- locks ------------------------------------------------------------------------- */

static int lock_several(struct stage *stage)
{
	return vms_mlock(stage->space, at(stage, 18) + 1, pages(stage, 5));
}

static int lock_past_hole(struct stage *stage)
{
	return vms_mlock(stage->space, at(stage, 38), pages(stage, 12));
}

static int lock_on_fault(struct stage *stage)
{
	return vms_mlock2(stage->space, at(stage, 16), pages(stage, 24),
			  MLOCK_ONFAULT);
}

static int unlock(struct stage *stage)
{
	return vms_munlock(stage->space, at(stage, 18), pages(stage, 4));
}

/* --- decommit, names, seals ---------------------------------------------------------- */

static int decommit(struct stage *stage)
{
	return vms_decommit(stage->space, at(stage, 18), pages(stage, 12), 0);
}

static int decommit_uncharging(struct stage *stage)
{
	return vms_decommit(stage->space, at(stage, 18), pages(stage, 12),
			    VMS_DECOMMIT_UNCHARGE);
}

static int decommit_stack(struct stage *stage)
{
	return vms_decommit(stage->space, at(stage, 600), pages(stage, 4),
			    VMS_DECOMMIT_UNCHARGE);
}

static int name_one(struct stage *stage)
{
	return vms_set_name(stage->space, at(stage, 16), pages(stage, 8),
			    "one");
}

static int name_several(struct stage *stage)
{
	return vms_set_name(stage->space, at(stage, 20), pages(stage, 20),
			    "several");
}

static int unname(struct stage *stage)
{
	return vms_set_name(stage->space, at(stage, 16), pages(stage, 8),
			    NULL);
}

/* --- looking --------------------------------------------------------------------------- */

static int sync_file(struct stage *stage)
{
	return vms_msync(stage->space, at(stage, 16), pages(stage, 28),
			 MS_SYNC);
}

static int look_at_residence(struct stage *stage)
{
	unsigned char vector[8];

	return vms_mincore(stage->space, at(stage, 16), pages(stage, 8),
			   vector);
}

static int list_residence(struct stage *stage)
{
	static struct vms_mapping_info info;
	uintptr_t cursor = 0;
	int more;

	info.struct_size = sizeof(info);
	do
		more = vms_space_next_mapping(stage->space, &cursor, &info,
					      VMS_LIST_RESIDENT);
	while (more > 0);
	return more;
}

static int default_limit(struct stage *stage)
{
	return vms_space_set_commit(stage->space, 0, VMS_COMMIT_ALWAYS);
}

SCENARIOS(change,
	{ RUN("mprotect to read-only", neighbours, protect_read) },
	{ RUN("mprotect in the middle", neighbours, protect_middle) },
	{ RUN("mprotect over several", neighbours, protect_several),
	  .failure = STOPS_MIDWAY },
	{ RUN("mprotect untouched to none", untouched, protect_none) },
	{ RUN("mprotect none to write", none, protect_write) },
	{ RUN("mprotect past a hole", neighbours, protect_past_hole),
	  .failure = STOPS_MIDWAY, .fails = ENOMEM },
	{ RUN("mprotect a stack", stack, protect_stack) },
	{ RUN("madvise DONTNEED", neighbours, advise_dontneed),
	  .errnos = { EAGAIN } },
	{ RUN("madvise FREE", neighbours, advise_free), .errnos = { EAGAIN } },
	{ RUN("madvise SEQUENTIAL", neighbours, advise_sequential),
	  .failure = STOPS_MIDWAY, .errnos = { EAGAIN } },
	{ RUN("madvise DONTFORK", neighbours, advise_dontfork),
	  .failure = STOPS_MIDWAY, .errnos = { EAGAIN } },
	{ RUN("madvise past a hole", neighbours, advise_past_hole),
	  .failure = STOPS_MIDWAY, .errnos = { EAGAIN }, .fails = ENOMEM },
	{ RUN("madvise HUGEPAGE", neighbours, advise_hugepage),
	  .errnos = { EAGAIN } },
	{ RUN("madvise POPULATE_READ", neighbours, advise_populate),
	  .errnos = { EAGAIN } },
	{ RUN("mlock", neighbours, lock_several),
	  .errnos = { EAGAIN, EPERM } },
	{ RUN("mlock past a hole", neighbours, lock_past_hole),
	  .failure = STOPS_MIDWAY, .errnos = { EAGAIN, EPERM },
	  .fails = ENOMEM },
	{ RUN("mlock2 ONFAULT", neighbours, lock_on_fault),
	  .failure = STOPS_MIDWAY, .errnos = { EAGAIN, EPERM } },
	{ RUN("munlock", locked, unlock) },
	{ RUN("decommit", anonymous, decommit),
	  .errnos = { EAGAIN } },
	{ RUN("decommit uncharging", anonymous, decommit_uncharging),
	  .errnos = { EAGAIN } },
	{ RUN("decommit a stack", stack, decommit_stack),
	  .errnos = { EAGAIN } },
	{ RUN("set_name", neighbours, name_one) },
	{ RUN("set_name over several", neighbours, name_several) },
	{ RUN("set_name NULL", named, unname) },
	{ RUN("msync", neighbours, sync_file), .errnos = { EIO } },
	{ RUN("mincore", neighbours, look_at_residence), .errnos = { EAGAIN } },
	{ RUN("list with residence", neighbours, list_residence),
	  .errnos = { ANY_ERRNO } },
	{ RUN("set_commit default", neighbours, default_limit) },
);

/* --- handles ---------------------------------------------------------------------------- */

static int open_handle(struct stage *stage)
{
	vms_handle handle;

	return vms_handle_open(stage->space, at(stage, 30), pages(stage, 4),
			       &handle);
}

static int open_first_handle(struct stage *stage)
{
	vms_handle handle;

	return vms_handle_open(stage->space, at(stage, 17), pages(stage, 4),
			       &handle);
}

/* The handle is of pages 48 to 52, with a hole behind them to grow into. */
static void room_behind(struct stage *stage)
{
	neighbours(stage);
	hold_range(stage, 48, 4);
}

static void blocked_behind(struct stage *stage)
{
	room_behind(stage);
	put(stage, 52, 1, PROT_READ, ANONYMOUS);
}

static int resize_handle(struct stage *stage)
{
	return vms_handle_resize(stage->space, stage->handles[1],
				 pages(stage, 9));
}

static int shrink_handle(struct stage *stage)
{
	return vms_handle_resize(stage->space, stage->handles[1],
				 pages(stage, 2));
}

static int close_handle(struct stage *stage)
{
	int result = vms_handle_close(stage->space, stage->handles[1]);

	/* A debug build ends where a closed handle is used. */
	if (result == 0)
		stage->handle_count = 1;
	return result;
}

SCENARIOS(handle,
	{ RUN("handle open the first", untouched, open_first_handle) },
	{ RUN("handle open", neighbours, open_handle) },
	{ RUN("handle resize in place", room_behind, resize_handle),
	  .errnos = { EAGAIN } },
	{ RUN("handle resize moving", blocked_behind, resize_handle),
	  .errnos = { EAGAIN } },
	{ RUN("handle resize down", room_behind, shrink_handle),
	  .errnos = { EAGAIN } },
	{ RUN("handle close", room_behind, close_handle) },
);
