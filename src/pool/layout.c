/* SPDX-License-Identifier: MIT */
#include "pool/layout.h"

#include <vmspace/mapping.h>

#include "base/mman.h"
#include "host/host.h"
#include "pool/lane.h"
#include "pool/slots.h"
#include "space/inside.h"

/* Bytes that are copied to be written at a time, at most; and what part of the RAM. */
#define STAGING_MOST ((size_t)1 << 20)
#define STAGING_PART 16

/* Pages that are read to be brought, and those of one fault: at most so many bytes. */
#define LANDING_MOST ((size_t)1 << 20)
#define LANDING_PART 16
#define REACH_BYTES ((size_t)256 << 10)

/* Slots that are only lent, for pages to be read when all others are in use. */
#define LENT_PART 64
#define LENT_LEAST ((size_t)2)
#define LENT_MOST ((size_t)16)

/* Words that count whether they are used or not: at most such a part of the RAM. */
#define PREPAID_PART 8

/* What the thread that writes touches of its stack, and the library for itself. */
#define THREAD_BYTES ((size_t)64 << 10)

/* --- how much ------------------------------------------------------------------------------------ */

static size_t whole(size_t bytes)
{
	return vmsi_align_up(bytes, vmsi_page_size());
}

static size_t words_bytes(const struct vms_pool *pool)
{
	return whole(pool->pages_most * sizeof(uint64_t));
}

static size_t free_bytes(const struct vms_pool *pool)
{
	return whole((pool->pages_most / 64 + 1) * sizeof(uint64_t));
}

static size_t touched_bytes(const struct vms_pool *pool)
{
	const size_t bytes = words_bytes(pool) + free_bytes(pool);

	return whole((bytes / vmsi_page_size() / 64 + 1) * sizeof(uint64_t));
}

static size_t ghost_bytes(const struct vms_pool *pool)
{
	return whole(pool->ghost.count * sizeof(uint64_t));
}

static size_t slots_bytes(const struct vms_pool *pool)
{
	return whole(pool->slots_most * sizeof(struct vmsi_page_slot));
}

static size_t copies_bytes(void)
{
	return whole(sizeof(struct vmsi_copies));
}

static size_t flights_bytes(const struct vms_pool *pool)
{
	return whole(pool->depth * sizeof(struct vmsi_flight));
}

static size_t staging_bytes(const struct vms_pool *pool)
{
	return whole(pool->staging_pages * pool->page_size);
}

/* Its end is the beginning of the staging memory. */
static size_t head_bytes(const struct vms_pool *pool)
{
	return vmsi_pool_has(pool, VMS_POOL_WHOLE_PAGES) ? whole(VMSI_AREA_HEAD_BYTES) : 0;
}

static size_t landing_bytes(const struct vms_pool *pool)
{
	return whole(pool->landing.pages * pool->page_size);
}

static struct vmsi_aside_plan aside_plan(const struct vms_pool *pool)
{
	return (struct vmsi_aside_plan){
		.pages = pool->pages_most,
		.depth = pool->depth,
		.has_records = vmsi_pool_has(pool, VMS_POOL_NO_STEAL),
	};
}

static size_t aside_bytes(const struct vms_pool *pool)
{
	const struct vmsi_aside_plan plan = aside_plan(pool);

	return pool->swap_least ? vmsi_aside_bytes(&plan) : 0;
}

/* Of what is aside: what counts from the beginning. */
static size_t aside_fixed_bytes(const struct vms_pool *pool)
{
	return pool->swap_least ? vmsi_aside_get_bytes(pool->depth) +
		whole(pool->prepaid_bytes / 2) : 0;
}

static void place_aside(struct vms_pool *pool, char *start)
{
	const struct vmsi_aside_plan plan = aside_plan(pool);

	if (pool->swap_least)
		vmsi_aside_place(&pool->store.aside, &plan, start);
}

static size_t memory_bytes(const struct vms_pool *pool)
{
	return pool->page_size * (vmsi_pool_has(pool, VMS_POOL_ADDRESSED) ?
					  pool->pages_most : pool->slots_most);
}

/* Bits that number so many things; at least 1. */
static unsigned bits_for(uint64_t count)
{
	return count <= 2 ? 1 : 64 - (unsigned)__builtin_clzll(count - 1);
}

static void plan_staging(struct vms_pool *pool)
{
	const size_t bytes = vmsi_min(STAGING_MOST, pool->ram / STAGING_PART);

	pool->staging_pages = vmsi_max(vmsi_min(bytes / pool->page_size,
						VMSI_WRITE_BATCH), 1);
}

/* Two at least, so that threads do not wait for each other's disk only. */
static void plan_landing(struct vms_pool *pool)
{
	const size_t bytes = vmsi_min(LANDING_MOST, pool->ram / LANDING_PART);

	if (!vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return;
	pool->landing.pages = vmsi_max(vmsi_min(bytes / pool->page_size,
						VMSI_LANDING_MOST), 2);
	pool->reach_most = (uint32_t)vmsi_max(
		vmsi_min(vmsi_min(REACH_BYTES / pool->page_size, VMSI_REACH_MOST),
			 pool->landing.pages / 2), 1);
}

size_t vmsi_layout_most(size_t page_size)
{
	return (page_size << VMSI_WORD_SLOT_BITS) - 1;
}

/*
 * Where pages are put aside: a sixty-fourth of the RAM, and room for two at least, since who
 * goes from page to page has two. Not where pages come by faults: plain pointers would store to
 * what may only be read.
 */
static uint32_t plan_lent(const struct vms_pool *pool)
{
	const size_t part = pool->ram / pool->page_size / LENT_PART;

	if (!pool->swap_least || vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return 0;
	return (uint32_t)vmsi_max(vmsi_min(part, LENT_MOST), LENT_LEAST);
}

static size_t lent_bytes(const struct vms_pool *pool)
{
	return pool->lent_most * (pool->page_size + sizeof(struct vmsi_page_slot));
}

static int plan_slots(struct vms_pool *pool)
{
	const uint32_t lent = plan_lent(pool);
	const size_t most = vmsi_min(pool->ram_most / pool->page_size, pool->pages_most) +
		lent;

	if (most >> VMSI_WORD_SLOT_BITS)
		return -EOVERFLOW;
	pool->lent_most = lent;
	pool->slots_most = (uint32_t)vmsi_max(most, VMSI_SLOTS_LEAST + lent);
	pool->ghost.count = (size_t)1 << bits_for(pool->slots_most);
	if (pool->ghost.count < VMSI_GHOST_WAYS)
		pool->ghost.count = VMSI_GHOST_WAYS;
	return 0;
}

static void plan_view(struct vms_pool *pool)
{
	const unsigned bits = bits_for(pool->slots_most);
	struct vms_pool_view *view = &pool->view;
	const bool is_addressed = vmsi_pool_has(pool, VMS_POOL_ADDRESSED);

	view->page_shift = (unsigned)__builtin_ctzll(pool->page_size);
	view->version_shift = VMS_POOL_WORD_SLOT_SHIFT + bits;
	view->slot_mask = is_addressed ? 0 : (UINT64_C(1) << bits) - 1;
	view->page_mask = is_addressed ? UINT64_MAX : 0;
}

int vmsi_layout_plan(struct vms_pool *pool)
{
	int error = plan_slots(pool);

	if (error)
		return error;
	plan_staging(pool);
	plan_landing(pool);
	vmsi_lanes_plan(pool);
	plan_view(pool);
	pool->prepaid_bytes = vmsi_align_down(
		vmsi_min(words_bytes(pool), pool->ram / PREPAID_PART),
		vmsi_page_size());
	pool->fixed_bytes = pool->record_bytes + ghost_bytes(pool) +
		copies_bytes() + flights_bytes(pool) + head_bytes(pool) +
		staging_bytes(pool) + landing_bytes(pool) +
		whole(pool->prepaid_bytes / 64) + THREAD_BYTES +
		pool->snapshots.buffer_bytes +
		aside_fixed_bytes(pool) + lent_bytes(pool) +
		vmsi_io_most_bytes(pool->depth, 0) + vmsi_lanes_bytes(pool);
	pool->limit = vmsi_room_limit(pool, pool->ram);
	/* A file of few pages needs no more slots than it has pages. */
	if (pool->limit < VMSI_SLOTS_LEAST)
		return -EINVAL;
	return 0;
}

/* --- where ----------------------------------------------------------------------------------------- */

/*
 * Whether there is room for every page that there can ever be, whatever else is used.
 * Records of what is aside take more as there are more of them; and pages that faults bring
 * come one by one.
 */
static bool all_fit(const struct vms_pool *pool)
{
	return pool->limit >= pool->pages_most && !pool->swap_least &&
		!vmsi_pool_has(pool, VMS_POOL_TRANSPARENT) &&
		pool->prepaid_bytes == words_bytes(pool);
}

/*
 * Huge pages for frames, where the host has them, and for pages with an address of theirs
 * if all of them fit: then what a huge page brings along is within the RAM, too. Other
 * pages of that kind leave one by one, and the records are used here and there.
 *
 * None where a child is to have what is there at a fork. Of a huge page a part of which the
 * kernel is reading past the page cache fork(2) copies all parts at once, while other
 * threads store to them, and not at the moment at which it has the words.
 */
static bool wants_huge_pages(const struct vms_pool *pool)
{
	if (pool->snapshots.is_wanted)
		return false;
	return !vmsi_pool_has(pool, VMS_POOL_ADDRESSED) || all_fit(pool);
}

static void advise(struct vms_pool *pool, char *start, size_t records)
{
	const int advice = wants_huge_pages(pool) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;

	(void)vms_madvise(pool->space, start, records, MADV_NOHUGEPAGE);
	(void)vms_madvise(pool->space, start + records, pool->memory_bytes, advice);
}

static void place(struct vms_pool *pool, char *start, size_t records)
{
	char *next = start;

	pool->view.words = (uint64_t *)next;
	next += words_bytes(pool);
	pool->touched = (_Atomic uint64_t *)next;
	next += touched_bytes(pool);
	pool->free_bits = (uint64_t *)next;
	next += free_bytes(pool);
	place_aside(pool, next);
	next += aside_bytes(pool);
	pool->slots = (struct vmsi_page_slot *)next;
	next += slots_bytes(pool);
	pool->ghost.entries = (uint64_t *)next;
	next += ghost_bytes(pool);
	pool->copies = (struct vmsi_copies *)next;
	next += copies_bytes();
	pool->flights = (struct vmsi_flight *)next;
	next += flights_bytes(pool) + head_bytes(pool);
	pool->staging = next;
	if (head_bytes(pool))
		pool->head = (struct vmsi_area_head *)(next - VMSI_AREA_HEAD_BYTES);
	next += staging_bytes(pool);
	pool->landing.bytes = next;
	pool->view.memory = start + records;
}

static int open_space(struct vms_pool *pool, size_t bytes, const char *name)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = name,
		.commit_policy = VMS_COMMIT_ALWAYS,
		.placement = VMS_PLACE_TOP,
	};

	pool->space = vms_space_open(bytes, &options);
	if (!pool->space)
		return -errno;
	vmsi_space_tell(pool->space, VMSI_SIGN_POOL, name);
	return 0;
}

static int map_all(struct vms_pool *pool, size_t records, size_t bytes, const char *name)
{
	char *start = vms_mmap(pool->space, NULL, bytes, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	/*
	 * mlockall(MCL_FUTURE) would fill all of it at once, most of which is never used at
	 * the same time: so it is not locked before it can be filled.
	 */
	if (start == MAP_FAILED || vms_munlock(pool->space, start, bytes) != 0 ||
	    vms_mprotect(pool->space, start, bytes, PROT_READ | PROT_WRITE) != 0)
		return -errno;
	if (!pool->snapshots.is_wanted &&
	    vms_madvise(pool->space, start, bytes, MADV_DONTFORK) != 0)
		return -errno;
	/* The name is for listings. */
	(void)vms_set_name(pool->space, start, bytes, name);
	place(pool, start, records);
	advise(pool, start, records);
	return 0;
}

/* Frames begin at a huge page, and so does the space. */
int vmsi_layout_map(struct vms_pool *pool, const char *name)
{
	const size_t records = vmsi_align_up(
		words_bytes(pool) + touched_bytes(pool) + free_bytes(pool) +
		aside_bytes(pool) +
		slots_bytes(pool) + ghost_bytes(pool) + copies_bytes() +
		flights_bytes(pool) + head_bytes(pool) + staging_bytes(pool) +
		landing_bytes(pool),
		vmsi_huge_page_size());
	size_t bytes;
	int error;

	pool->memory_bytes = memory_bytes(pool);
	if (!vmsi_add(records, pool->memory_bytes, &bytes))
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	error = open_space(pool, bytes, name);
	if (error)
		return error;
	error = map_all(pool, records, bytes, name);
	if (error)
		(void)vms_space_close(pool->space);
	return error;
}

/* What is huge is split by the pages that leave; nothing is to become so anew. */
int vmsi_layout_thin(struct vms_pool *pool)
{
	if (!vmsi_pool_has(pool, VMS_POOL_ADDRESSED) || !all_fit(pool))
		return 0;
	if (vms_madvise(pool->space, pool->view.memory, pool->memory_bytes,
			MADV_NOHUGEPAGE) == 0 || errno == EINVAL)
		return 0;
	return -errno;
}
