/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <vmspace/budget.h>
#include <vmspace/pool_snapshot.h>

#include "base/versioned.h"
#include "host/cgroup.h"
#include "host/host.h"
#include "pool/flight.h"
#include "pool/fork.h"
#include "pool/layout.h"
#include "pool/plain/plain.h"
#include "pool/pool.h"
#include "pool/slots.h"
#include "pool/write/write.h"
#include "pool/write/writer.h"
#include "space/inside.h"

/* vms_pool_open and vms_pool_close. */

#define PAGE_LEAST ((size_t)4096)
#define PAGE_MOST ((size_t)2 << 20)
#define PAGES_MOST (UINT64_C(1) << 40)

#define DEPTH 128

/* Of the machine's memory, where the options do not say. */
#define RAM_PART 8

#define FLAGS (VMS_POOL_ADDRESSED | VMS_POOL_DIRECT | VMS_POOL_READ_ONLY | \
	       VMS_POOL_NO_WRITER | VMS_POOL_TRANSPARENT | VMS_POOL_SERVED | \
	       VMS_POOL_MEMORY | VMS_POOL_NO_STEAL | VMS_POOL_WHOLE_PAGES)

/* Pages are put aside. */
#define ASIDE (VMS_POOL_MEMORY | VMS_POOL_NO_STEAL)

/* --- options ------------------------------------------------------------------------------------ */

/* As vms_set_name has it. */
static bool name_is_good(const char *name)
{
	size_t length = 0;

	for (; *name && length <= VMS_NAME_MAX; name++, length++)
		if (*name < 0x20 || *name > 0x7e || strchr("[]\\$`", *name))
			return false;
	return length <= VMS_NAME_MAX;
}

/* Fill in what is not asked for. */
static void complete(struct vms_pool_options *options)
{
	if (!options->page_size)
		options->page_size = vmsi_max(PAGE_LEAST, vmsi_page_size());
	if (!options->ram)
		options->ram = vmsi_min(vmsi_min(vmsi_host_memory(), vmsi_cgroup_memory()) /
						RAM_PART,
					vmsi_layout_most(options->page_size));
	if (!options->ram_most)
		options->ram_most = options->ram;
	if (!options->depth)
		options->depth = DEPTH;
	if (!options->name)
		options->name = "pool";
}

/* A touch may have to wait for the thread that writes. */
static bool flags_are_good(unsigned flags)
{
	if (flags & ~FLAGS)
		return false;
	if (!(flags & VMS_POOL_TRANSPARENT))
		return !(flags & VMS_POOL_SERVED);
	return !(flags & VMS_POOL_NO_WRITER);
}

/* Whether what concerns pages that are put aside goes together. */
static bool aside_is_good(const struct vms_pool_options *options)
{
	const unsigned flags = options->flags;

	if (!(flags & ASIDE))
		return !options->swap_path && !options->swap_bytes && !options->swap_ram &&
			!options->swap_codec && !options->swap_level;
	if (options->make_durable || flags & VMS_POOL_READ_ONLY ||
	    (flags & ASIDE) == ASIDE || options->swap_codec > VMS_POOL_RAW)
		return false;
	return !(flags & VMS_POOL_MEMORY) || !(flags & VMS_POOL_DIRECT);
}

/* Pages that have no file are in none that could be torn. */
static bool area_is_good(const struct vms_pool_options *options)
{
	const bool is_whole = options->flags & VMS_POOL_WHOLE_PAGES;

	return is_whole == (options->area != NULL) &&
		!(is_whole && options->flags & VMS_POOL_MEMORY);
}

static bool options_are_good(const struct vms_pool_options *options)
{
	return flags_are_good(options->flags) &&
		(options->page_size & (options->page_size - 1)) == 0 &&
		options->page_size >= PAGE_LEAST && options->page_size <= PAGE_MOST &&
		options->page_size >= vmsi_page_size() &&
		options->ram <= options->ram_most && options->pages <= PAGES_MOST &&
		options->depth <= VMS_POOL_DEPTH_MOST && aside_is_good(options) &&
		area_is_good(options) &&
		name_is_good(options->name);
}

/* --- the parts ------------------------------------------------------------------------------------- */

static int open_file(struct vms_pool *pool, int fd)
{
	const unsigned flags =
		(vmsi_pool_has(pool, VMS_POOL_READ_ONLY) ? VMSI_STORE_READ_ONLY : 0) |
		(vmsi_pool_has(pool, VMS_POOL_DIRECT) ? VMSI_STORE_DIRECT : 0);

	if (!vmsi_pool_has(pool, VMS_POOL_MEMORY))
		return vmsi_store_open(&pool->store, fd, flags, pool->depth);
	return fd == -1 ? vmsi_store_open_memory(&pool->store, pool->depth) : -EINVAL;
}

static int open_area(struct vms_pool *pool, const char *path)
{
	const unsigned flags =
		vmsi_pool_has(pool, VMS_POOL_READ_ONLY) ? VMSI_STORE_READ_ONLY : 0;
	int error;

	vmsi_pool_hold_forks();
	error = vmsi_area_take(&pool->area, path, &pool->store, flags);
	vmsi_pool_release_forks();
	return error ? error : vmsi_area_open(&pool->area, path, &pool->store);
}

/* With the area: what it has is in the file before anybody looks at that. */
static int open_files(struct vms_pool *pool, int fd, const char *area)
{
	int error = open_file(pool, fd);

	if (error || !area)
		return error;
	error = open_area(pool, area);
	if (error)
		vmsi_store_close(&pool->store);
	return error;
}

static void close_files(struct vms_pool *pool)
{
	vmsi_area_close(&pool->area);
	vmsi_store_close(&pool->store);
}

static int open_store(struct vms_pool *pool, int fd, const struct vms_pool_options *options)
{
	const uint64_t pages = options->pages;
	int error = open_files(pool, fd, options->area);
	uint64_t count;

	if (error)
		return error;
	count = vmsi_store_pages(&pool->store, pool->page_size);
	pool->pages_most = pages ? pages : count;
	__atomic_store_n(&pool->view.pages, count, __ATOMIC_RELAXED);
	if (!pool->pages_most || count > pool->pages_most)
		error = -EINVAL;
	if (pool->pages_most > PAGES_MOST)
		error = -EOVERFLOW;
	if (error)
		close_files(pool);
	return error;
}

static int open_snapshots(struct vms_pool *pool, const struct vms_pool_options *options)
{
	struct vms_pool_snapshot known;
	int error;

	if (!options->snapshot)
		return 0;
	/*
	 * What is aside is in no file that the child could read, and what comes by faults
	 * would not come there.
	 */
	if (options->flags & (ASIDE | VMS_POOL_TRANSPARENT))
		return -EINVAL;
	error = vmsi_take_options(&known, sizeof(known), VMSI_FIRST_POOL_SNAPSHOT,
				  options->snapshot);
	if (error)
		return error;
	vmsi_pool_hold_forks();
	error = vmsi_snapshots_open(pool, known.fd, known.bytes);
	vmsi_pool_release_forks();
	return error;
}

static int charge(struct vms_pool *pool)
{
	if (pool->budget && vms_budget_charge(pool->budget, pool->ram) != 0)
		return -errno;
	pool->is_charged = pool->budget != NULL;
	return 0;
}

static void uncharge(struct vms_pool *pool)
{
	if (pool->is_charged)
		(void)vms_budget_uncharge(pool->budget, pool->ram);
}

static int start(struct vms_pool *pool)
{
	if (vmsi_pool_has(pool, VMS_POOL_READ_ONLY | VMS_POOL_NO_WRITER))
		return 0;
	return vmsi_writer_start(pool);
}

static int open_aside(struct vms_pool *pool, const struct vms_pool_options *options)
{
	const size_t ram = vmsi_room_swap(pool, pool->ram);
	int error;

	if (!pool->swap_least)
		return 0;
	vmsi_pool_hold_forks();
	error = vmsi_aside_open(&pool->store.aside, options, pool->pages_most, ram,
				vmsi_room_swap(pool, pool->ram_most), pool->store.io);
	vmsi_pool_release_forks();
	if (!error)
		vmsi_room_set_swap_least(pool, vmsi_swap_least(pool->store.aside.swap), ram);
	return error;
}

static int set_up(struct vms_pool *pool, const struct vms_pool_options *options)
{
	int error = vmsi_layout_plan(pool);

	if (error)
		return error;
	error = charge(pool);
	if (error)
		return error;
	error = vmsi_layout_map(pool, options->name);
	if (error)
		goto uncharge;
	vmsi_flight_init(pool);
	error = open_aside(pool, options);
	if (!error)
		error = vmsi_area_begin(&pool->area, pool->page_size, pool->staging_pages);
	if (!error)
		error = vmsi_plain_open(pool);
	if (error)
		goto unmap;
	error = start(pool);
	if (error)
		goto close;
	vmsi_pool_can_be_used(pool);
	return 0;
close:
	vmsi_plain_close(pool);
unmap:
	vmsi_area_end(&pool->area);
	(void)vms_space_close(pool->space);
uncharge:
	uncharge(pool);
	return error;
}

static void init(struct vms_pool *pool, const struct vms_pool_options *options)
{
	static _Atomic uint64_t opened;

	pool->number = 1 + atomic_fetch_add(&opened, 1);
	memcpy(pool->name, options->name, strlen(options->name));
	pool->page_size = options->page_size;
	pool->ram = options->ram;
	pool->ram_most = options->ram_most;
	pool->flags = options->flags |
		(options->flags & VMS_POOL_TRANSPARENT ? VMS_POOL_ADDRESSED : 0);
	pool->depth = options->depth;
	pool->budget = options->budget;
	pool->make_durable = options->make_durable;
	pool->context = options->context;
	pool->swap_asked = options->swap_ram;
	if (options->flags & ASIDE)
		pool->swap_least = vmsi_aside_least_ram(options->page_size,
							options->swap_codec);
	pool->area.fd = pool->pager.fd = -1;
	vmsi_outlet_init(&pool->outlet);
	vmsi_latch_init(&pool->lock, VMSI_RANK_POOL);
	vmsi_lock_init(&pool->size_lock, VMSI_RANK_POOL_SIZE);
	vmsi_lock_init(&pool->sync_lock, VMSI_RANK_POOL_SYNC);
	vmsi_lock_init(&pool->write_lock, VMSI_RANK_POOL_WRITE);
	for (int i = 0; i < VMSI_QUEUES; i++)
		pool->queues[i].first = pool->queues[i].last = VMSI_NO_SLOT;
}

/* Where it fails the pool is not among those of the process any more. */
static int open_parts(struct vms_pool *pool, int fd, const struct vms_pool_options *options)
{
	int error = open_store(pool, fd, options);

	if (error) {
		vmsi_pool_unregister(pool);
		return error;
	}
	error = open_snapshots(pool, options);
	if (!error)
		error = set_up(pool, options);
	if (!error)
		return 0;
	vmsi_pool_unregister(pool);
	vmsi_snapshots_close(pool);
	close_files(pool);
	return error;
}

static int open_pool(int fd, const struct vms_pool_options *options,
		     struct vms_pool **result)
{
	const size_t bytes = vmsi_align_up(sizeof(struct vms_pool), vmsi_page_size());
	struct vms_pool *pool = vmsi_records_get(NULL, bytes);
	int error;

	if (!pool)
		return vmsi_refuse(VMS_REFUSAL_RECORDS);
	pool->record_bytes = bytes;
	init(pool, options);
	vmsi_pool_register(pool);
	error = open_parts(pool, fd, options);
	if (error)
		vmsi_records_put(NULL, pool, bytes);
	else
		*result = pool;
	return error;
}

/* --- the calls --------------------------------------------------------------------------------------- */

vms_pool *vms_pool_open(int fd, const struct vms_pool_options *options)
{
	struct vms_pool_options known = { 0 };
	struct vms_pool *pool = NULL;
	const int earlier = errno;
	int error = options ? vmsi_take_options(&known, sizeof(known),
						VMSI_FIRST_POOL_OPTIONS, options) : 0;

	if (!error) {
		complete(&known);
		error = options_are_good(&known) ? open_pool(fd, &known, &pool) :
						   -EINVAL;
	}
	errno = error ? -error : earlier;
	return pool;
}

/*
 * Nothing uses the memory any more when it goes. Where it cannot go, the pool is closed
 * but for that.
 */
int vms_pool_close(vms_pool *pool)
{
	const int earlier = errno;

	if (!pool)
		return 0;
	vmsi_writer_end(pool);
	if (!atomic_load(&pool->is_orphan))
		vmsi_write_end(pool);
	vmsi_store_end(&pool->store);
	__atomic_store_n(&pool->view.pages, 0, __ATOMIC_RELEASE);
	atomic_store(&pool->is_orphan, true);
	vmsi_snapshots_close(pool);
	vmsi_plain_close(pool);
	if (vms_space_close(pool->space) != 0)
		return -1;
	vmsi_pool_unregister(pool);
	uncharge(pool);
	close_files(pool);
	vmsi_records_put(NULL, pool, pool->record_bytes);
	errno = earlier;
	return 0;
}
