/* SPDX-License-Identifier: MIT */
#include "pool/snapshot/snapshot.h"

#include "base/mman.h"
#include "host/disk.h"
#include "host/host.h"
#include "pool/pool.h"
#include "pool/slots.h"
#include "pool/snapshot/file.h"

/* Snapshots as the parent has them: snapshot.h. */

/*
 * What is saved where nobody says how much. The tables of a child take a twentieth of the
 * RAM then, or less.
 */
#define BYTES_MOST ((uint64_t)256 << 20)
#define BYTES_OF_RAM 8

#define BUFFER_BYTES ((size_t)64 << 10)

/* --- to open --------------------------------------------------------------------------------------- */

/* It must be another file than the pool's, and there must be room for it below the limit. */
static int check_file(const struct vms_pool *pool, int fd)
{
	struct stat own = { .st_size = 0 }, status = { .st_size = 0 };
	const long access = vmsi_host.file_flags(fd);
	long error = access < 0 ? access : vmsi_host.fstat(fd, &status);

	if (!error)
		error = vmsi_host.fstat(pool->store.fd, &own);
	if (error)
		return (int)error;
	if ((access & O_ACCMODE) != O_RDWR)
		return -EBADF;
	if (!S_ISREG(status.st_mode) ||
	    (status.st_dev == own.st_dev && status.st_ino == own.st_ino))
		return -EINVAL;
	return vmsi_disk_check_limit(
		vmsi_snapshot_place(pool, VMSI_SNAPSHOTS, VMSI_PART_SAVED, 0));
}

static bool has_children(const struct vmsi_snapshots *snapshots)
{
	for (unsigned i = 0; i < VMSI_SNAPSHOTS; i++)
		if (vmsi_snapshot_life(snapshots->fd, i) != VMSI_HAS_ENDED)
			return true;
	return false;
}

/*
 * Another pool may have the file, or children that one has left: they take whoever has the
 * parent's lock for theirs, so that it is not tried before they have ended. Afterwards a
 * pool that had it may have left some.
 */
static int take_file(struct vmsi_snapshots *snapshots)
{
	if (has_children(snapshots) || !vmsi_snapshot_lock(snapshots->fd, VMSI_PARENT))
		return -EBUSY;
	return has_children(snapshots) ? -EBUSY : 0;
}

static int open_file(struct vmsi_snapshots *snapshots, int fd)
{
	const long opened = vmsi_host.reopen(fd);
	int error;

	if (opened < 0)
		return (int)opened;
	snapshots->fd = (int)opened;
	error = take_file(snapshots);
	if (error)
		(void)vmsi_host.close(snapshots->fd);
	return error;
}

static uint64_t usual_bytes(const struct vms_pool *pool)
{
	return pool->ram < BYTES_MOST / BYTES_OF_RAM ? pool->ram * BYTES_OF_RAM : BYTES_MOST;
}

int vmsi_snapshots_open(struct vms_pool *pool, int fd, uint64_t bytes)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;
	const uint64_t capacity = (bytes ? bytes : usual_bytes(pool)) / pool->page_size;
	long address;
	int error;

	if (!capacity || capacity > VMSI_SAVED_MOST)
		return -EINVAL;
	snapshots->capacity = (uint32_t)capacity;
	snapshots->table_bytes = vmsi_align_up(
		VMSI_LINE + vmsi_saved_entries(snapshots->capacity) * sizeof(uint64_t),
		vmsi_page_size());
	snapshots->buffer_bytes = vmsi_max(BUFFER_BYTES, pool->page_size);
	error = check_file(pool, fd);
	if (!error)
		error = open_file(snapshots, fd);
	if (error)
		return error;
	address = vmsi_host.mmap(0, snapshots->buffer_bytes, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (address < 0) {
		(void)vmsi_host.close(snapshots->fd);
		return (int)address;
	}
	snapshots->buffer = (char *)address;
	snapshots->is_wanted = true;
	return 0;
}

/* --- the end of a snapshot ------------------------------------------------------------------------- */

static void end(struct vms_pool *pool, unsigned number)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;
	struct vmsi_snapshot *snapshot = &snapshots->live[number];
	const uint64_t start = vmsi_snapshot_place(pool, number, VMSI_PART_SAVED, 0);

	(void)vmsi_host.munmap((uintptr_t)snapshot->head, snapshots->table_bytes);
	/* What the disk does not take back is written over by the next one. */
	(void)vmsi_host.fallocate(snapshots->fd,
				  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start,
				  vmsi_snapshot_place(pool, number + 1, VMSI_PART_SAVED,
						      0) - start);
	snapshot->is_used = false;
	(void)atomic_fetch_sub(&snapshots->count, 1);
	vmsi_latch_acquire(&pool->lock);
	vmsi_room_uncharge_bytes(pool, snapshots->table_bytes);
	vmsi_latch_release(&pool->lock);
}

/* Under write_lock. */
static void end_those_over(struct vms_pool *pool)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;

	for (unsigned i = 0; i < VMSI_SNAPSHOTS; i++)
		if (snapshots->live[i].is_used &&
		    vmsi_snapshot_life(snapshots->fd, i) == VMSI_HAS_ENDED)
			end(pool, i);
}

/* --- to save --------------------------------------------------------------------------------------- */

static bool is_lost(const struct vmsi_snapshot *snapshot)
{
	return atomic_load(&snapshot->head->is_lost);
}

/* Whether a page was there at the fork, and is not saved. */
static bool needs(const struct vmsi_snapshot *snapshot, uint64_t page)
{
	return page < snapshot->pages &&
		vmsi_saved_find(&snapshot->saved, page) == VMSI_NOT_SAVED;
}

/* How many pages from the first on are neighbours, and to be saved together. */
static size_t run_of(const struct vms_pool *pool, const struct vmsi_snapshot *snapshot,
		     const uint64_t *pages, size_t count)
{
	const size_t most = vmsi_min(count, pool->snapshots.buffer_bytes / pool->page_size);
	size_t length = 0;

	while (length < most && pages[length] == pages[0] + length &&
	       needs(snapshot, pages[length]))
		length++;
	return length;
}

static int save_run(struct vms_pool *pool, unsigned number, uint64_t page, size_t count)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;
	struct vmsi_snapshot *snapshot = &snapshots->live[number];
	struct vmsi_saved *saved = &snapshot->saved;
	bool was_read;
	int error;

	if (saved->most - saved->count < count)
		return -ENOSPC;
	error = vmsi_store_read(&pool->store, snapshots->buffer, count * pool->page_size,
				page << pool->view.page_shift, &was_read);
	if (!error)
		error = vmsi_snapshot_transfer(
			pool, VMSI_IO_WRITE, snapshots->buffer, count * pool->page_size,
			vmsi_snapshot_place(pool, number, VMSI_PART_SAVED, saved->count));
	for (size_t i = 0; !error && i < count; i++)
		vmsi_saved_add(saved, page + i);
	if (!error)
		vmsi_pool_add(&snapshots->pages_saved, count);
	return error;
}

/* What cannot be saved is lost to the child: the parent goes on. */
static void save_for(struct vms_pool *pool, unsigned number, const uint64_t *pages,
		     size_t count)
{
	struct vmsi_snapshot *snapshot = &pool->snapshots.live[number];

	for (size_t i = 0; i < count && !is_lost(snapshot);) {
		const size_t run = run_of(pool, snapshot, &pages[i], count - i);

		if (run && save_run(pool, number, pages[i], run) != 0)
			atomic_store(&snapshot->head->is_lost, 1);
		i += run ? run : 1;
	}
}

void vmsi_snapshot_save(struct vms_pool *pool, const uint64_t *pages, size_t count)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;

	if (!atomic_load(&snapshots->count))
		return;
	end_those_over(pool);
	for (unsigned i = 0; i < VMSI_SNAPSHOTS; i++)
		if (snapshots->live[i].is_used)
			save_for(pool, i, pages, count);
	/* Who reads what is written now sees the table as it is. */
	vmsi_word_fence();
}

/* --- fork ------------------------------------------------------------------------------------------ */

static int find_place(const struct vmsi_snapshots *snapshots, unsigned *number)
{
	for (*number = 0; *number < VMSI_SNAPSHOTS; ++*number)
		if (!snapshots->live[*number].is_used)
			return 0;
	return -EAGAIN;
}

static int map_table(struct vms_pool *pool, struct vmsi_snapshot *snapshot)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;
	long address = vmsi_room_charge_locked(pool, snapshots->table_bytes);

	if (address < 0)
		return (int)address;
	address = vmsi_snapshot_map(pool, snapshot, MAP_SHARED);
	if (address < 0)
		vmsi_room_uncharge_bytes(pool, snapshots->table_bytes);
	return (int)address;
}

/* The child's description, with its lock. */
static int open_for_child(struct vmsi_snapshots *snapshots, unsigned number)
{
	const long fd = vmsi_host.reopen(snapshots->fd);

	if (fd < 0)
		return (int)fd;
	snapshots->live[number].fd = (int)fd;
	if (vmsi_snapshot_lock((int)fd, number))
		return 0;
	(void)vmsi_host.close((int)fd);
	return -ENOLCK;
}

static int begin(struct vms_pool *pool)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;
	struct vmsi_snapshot *snapshot;
	unsigned number;
	int error = find_place(snapshots, &number);

	if (error)
		return error;
	snapshot = &snapshots->live[number];
	error = open_for_child(snapshots, number);
	if (error)
		return error;
	error = map_table(pool, snapshot);
	if (error) {
		(void)vmsi_host.close(snapshot->fd);
		return error;
	}
	snapshot->pages = vmsi_pool_count(pool);
	snapshot->is_used = true;
	(void)atomic_fetch_add(&snapshots->count, 1);
	snapshots->forked = (int)number;
	return 0;
}

/*
 * While write_lock is held no write is under way, and none begins that is not saved for. A
 * fork of a program without snapshots does not wait for its pools' disks.
 */
void vmsi_snapshot_before_fork(struct vms_pool *pool)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;

	if (!snapshots->is_wanted || pool->is_opening)
		return;
	vmsi_lock_acquire_any(&pool->write_lock);
	/* It may have been closed meanwhile. */
	snapshots->is_forking = snapshots->is_wanted;
	if (!snapshots->is_wanted) {
		vmsi_lock_release_any(&pool->write_lock);
		return;
	}
	end_those_over(pool);
	vmsi_latch_acquire_any(&pool->lock);
	snapshots->forked = -1;
	snapshots->error = begin(pool);
}

/* Where the fork has failed nobody has the lock of the child that there is not. */
void vmsi_snapshot_in_parent(struct vms_pool *pool)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;

	if (!snapshots->is_forking)
		return;
	if (snapshots->forked >= 0)
		(void)vmsi_host.close(snapshots->live[snapshots->forked].fd);
	snapshots->is_forking = false;
	vmsi_latch_release_any(&pool->lock);
	vmsi_lock_release_any(&pool->write_lock);
}

/* --- to close -------------------------------------------------------------------------------------- */

/*
 * A fork that is under way has write_lock. Without snapshots there is nothing to wait for, and
 * in the child of a fork the lock may be held for ever by a thread that is not there.
 */
void vmsi_snapshots_close(struct vms_pool *pool)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;

	if (snapshots->is_child) {
		vmsi_snapshot_leave(pool);
		return;
	}
	if (!snapshots->is_wanted)
		return;
	vmsi_lock_acquire(&pool->write_lock);
	for (unsigned i = 0; i < VMSI_SNAPSHOTS; i++)
		if (snapshots->live[i].is_used) {
			/* From now on anybody may write the pool's file. */
			atomic_store(&snapshots->live[i].head->is_lost, 1);
			(void)vmsi_host.munmap((uintptr_t)snapshots->live[i].head,
					       snapshots->table_bytes);
		}
	(void)vmsi_host.munmap((uintptr_t)snapshots->buffer, snapshots->buffer_bytes);
	/* A child that was forked as the pool was opened, and failed, has the description, too. */
	vmsi_snapshot_unlock(snapshots->fd, VMSI_PARENT);
	(void)vmsi_host.close(snapshots->fd);
	snapshots->is_wanted = false;
	vmsi_lock_release(&pool->write_lock);
}
