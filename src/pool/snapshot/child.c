/* SPDX-License-Identifier: MIT */
#include "pool/snapshot/snapshot.h"

#include <vmspace/mapping.h>

#include "base/mman.h"
#include "host/host.h"
#include "pool/pool.h"
#include "pool/slots.h"
#include "pool/snapshot/file.h"
#include "space/inside.h"

/* A snapshot as the child has it: snapshot.h. */

/* --- in the handler of the fork --------------------------------------------------------------- */

/* Nothing of other children is this one's, and the parent lives by its own descriptor. */
static void drop_parents(struct vmsi_snapshots *snapshots)
{
	for (unsigned i = 0; i < VMSI_SNAPSHOTS; i++) {
		if (!snapshots->live[i].is_used || (int)i == snapshots->forked)
			continue;
		(void)vmsi_host.munmap((uintptr_t)snapshots->live[i].head,
				       snapshots->table_bytes);
		snapshots->live[i].is_used = false;
	}
	(void)vmsi_host.close(snapshots->fd);
	snapshots->fd = -1;
}

void vmsi_snapshot_in_child(struct vms_pool *pool)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;

	/* The child of a child has no pool, and does not keep its parent's lock. */
	if (snapshots->is_child) {
		vmsi_snapshot_leave(pool);
		return;
	}
	/* The pool was being opened. */
	if (!snapshots->is_forking && snapshots->is_wanted) {
		(void)vmsi_host.close(snapshots->fd);
		snapshots->is_wanted = false;
	}
	if (!snapshots->is_forking)
		return;
	snapshots->is_forking = false;
	snapshots->is_wanted = false;
	snapshots->is_child = true;
	drop_parents(snapshots);
	/* The threads that may have had them are not here. */
	vmsi_latch_init(&pool->lock, VMSI_RANK_POOL);
	vmsi_lock_init(&pool->size_lock, VMSI_RANK_POOL_SIZE);
	vmsi_lock_init(&pool->sync_lock, VMSI_RANK_POOL_SYNC);
	vmsi_lock_init(&pool->write_lock, VMSI_RANK_POOL_WRITE);
	if (snapshots->forked < 0)
		return;
	snapshots->fd = snapshots->live[snapshots->forked].fd;
	atomic_store(&snapshots->can_wake, true);
}

/* --- to wake ---------------------------------------------------------------------------------------- */

static void mend_words(struct vms_pool *pool, uint64_t first, uint64_t end)
{
	for (uint64_t page = first; page < end; page++)
		vmsi_word_mend(vmsi_pool_word(pool, page), pool->view.version_shift);
}

/* Those that were ever used; what was never used is zero, and needs no mending. */
static void mend_all_words(struct vms_pool *pool, uint64_t pages)
{
	const uint64_t step = vmsi_page_size() / sizeof(uint64_t);
	uint64_t first = vmsi_min(pool->prepaid_bytes / sizeof(uint64_t), pages);

	mend_words(pool, 0, first);
	for (; first < pages; first += step) {
		const uint64_t place = first / step;

		if (atomic_load(&pool->touched[place / 64]) >> place % 64 & 1)
			mend_words(pool, first, vmsi_min(first + step, pages));
	}
}

/*
 * A slot whose page was about to come or to go is free. Such a page may be back already, in
 * another slot: then the memory at its address is what has come.
 */
static void mend_slot(struct vms_pool *pool, uint32_t number)
{
	const uint64_t page = atomic_load(&pool->slots[number].page);
	uint64_t word;
	bool is_there;

	if (page == VMSI_NO_PAGE)
		return;
	word = vmsi_word_load(vmsi_pool_word(pool, page));
	is_there = word & VMSI_WORD_RESIDENT;
	if (is_there && vmsi_word_slot(word, pool->view.version_shift) == number)
		return;
	if (!is_there)
		(void)vmsi_room_drop_memory(pool, page);
	vmsi_room_give(pool, number);
}

static void mend_slots(struct vms_pool *pool)
{
	for (uint32_t number = 0; number < pool->made; number++)
		mend_slot(pool, number);
}

/* The log is the parent's: what the child writes is for itself alone. */
static void be_read_only(struct vms_pool *pool)
{
	pool->flags |= VMS_POOL_READ_ONLY;
	pool->make_durable = NULL;
	atomic_store(&pool->durable, UINT64_MAX);
	atomic_store(&pool->broken, 0);
	atomic_store(&pool->is_resizing, false);
}

/* For what the child writes; it counts in the RAM. */
static int make_own_table(struct vms_pool *pool)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;
	long error = vmsi_room_charge_bytes(pool, snapshots->table_bytes);

	if (error)
		return (int)error;
	error = vmsi_snapshot_map(pool, &snapshots->own, MAP_PRIVATE);
	snapshots->own.is_used = error == 0;
	if (error) {
		vmsi_latch_acquire(&pool->lock);
		vmsi_room_uncharge_bytes(pool, snapshots->table_bytes);
		vmsi_latch_release(&pool->lock);
	}
	return (int)error;
}

/* A child of this one has no pool. */
static int keep_from_children(struct vms_pool *pool)
{
	char *start = (char *)pool->view.words;
	const size_t records = (size_t)(pool->view.memory - start);

	return vms_madvise(pool->space, start, records + pool->memory_bytes,
			   MADV_DONTFORK) == 0 ? 0 : -errno;
}

/* Under size_lock. */
static int wake(struct vms_pool *pool)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;
	const uint64_t pages = snapshots->live[snapshots->forked].pages;
	int error = keep_from_children(pool);

	if (!error && !snapshots->own.is_used)
		error = make_own_table(pool);
	if (error)
		return error;
	mend_all_words(pool, pages);
	vmsi_latch_acquire(&pool->lock);
	mend_slots(pool);
	vmsi_latch_release(&pool->lock);
	be_read_only(pool);
	__atomic_store_n(&pool->view.pages, pages, __ATOMIC_RELEASE);
	atomic_store(&pool->is_orphan, false);
	return 0;
}

int vmsi_pool_wake(const struct vms_pool *constant)
{
	struct vms_pool *pool = (struct vms_pool *)(uintptr_t)constant;
	struct vmsi_snapshots *snapshots = &pool->snapshots;
	int error = 0;

	if (!atomic_load(&snapshots->can_wake))
		return snapshots->is_child && snapshots->error ? snapshots->error : -EBADF;
	vmsi_lock_acquire(&pool->size_lock);
	if (atomic_load(&pool->is_orphan))
		error = wake(pool);
	vmsi_lock_release(&pool->size_lock);
	return error;
}

/* --- to read ---------------------------------------------------------------------------------------- */

static int read_copy(struct vms_pool *pool, enum vmsi_snapshot_part part, uint32_t place,
		     char *buffer)
{
	const unsigned number = (unsigned)pool->snapshots.forked;

	return vmsi_snapshot_transfer(pool, VMSI_IO_READ, buffer, pool->page_size,
				      vmsi_snapshot_place(pool, number, part, place));
}

/*
 * What was read of the pool's file is of the fork if it is not in the table afterwards,
 * and nothing else can have been written there.
 */
static int read_file(struct vms_pool *pool, const struct vmsi_snapshot *snapshot,
		     uint64_t page, char *buffer)
{
	const int error = vmsi_pool_read(pool, page, 1, buffer);
	uint32_t place;

	vmsi_word_read_fence();
	place = vmsi_saved_find(&snapshot->saved, page);
	if (place != VMSI_NOT_SAVED)
		return read_copy(pool, VMSI_PART_SAVED, place, buffer);
	if (atomic_load(&snapshot->head->is_lost) ||
	    vmsi_snapshot_life(pool->snapshots.fd, VMSI_PARENT) != VMSI_LIVES)
		return -EIO;
	return error;
}

int vmsi_snapshot_read(struct vms_pool *pool, uint64_t page, char *buffer)
{
	const struct vmsi_snapshots *snapshots = &pool->snapshots;
	const struct vmsi_snapshot *snapshot = &snapshots->live[snapshots->forked];
	uint32_t place = vmsi_saved_find(&snapshots->own.saved, page);

	if (place != VMSI_NOT_SAVED)
		return read_copy(pool, VMSI_PART_WRITTEN, place, buffer);
	place = vmsi_saved_find(&snapshot->saved, page);
	if (place != VMSI_NOT_SAVED)
		return read_copy(pool, VMSI_PART_SAVED, place, buffer);
	return read_file(pool, snapshot, page, buffer);
}

/* --- to write --------------------------------------------------------------------------------------- */

static int write_one(struct vms_pool *pool, uint64_t page, char *bytes)
{
	struct vmsi_saved *saved = &pool->snapshots.own.saved;
	int error;

	if (saved->count == saved->most)
		return -ENOSPC;
	error = vmsi_snapshot_transfer(
		pool, VMSI_IO_WRITE, bytes, pool->page_size,
		vmsi_snapshot_place(pool, (unsigned)pool->snapshots.forked,
				    VMSI_PART_WRITTEN, saved->count));
	if (!error)
		vmsi_saved_add(saved, page);
	return error;
}

/* Nobody changes a page here, so that none is written twice. */
void vmsi_snapshot_write(struct vms_pool *pool, struct vmsi_copies *copies)
{
	for (size_t i = 0; i < copies->count; i++) {
		char *bytes = pool->staging + i * pool->page_size;
		const int error = write_one(pool, copies->pages[i], bytes);

		copies->runs[i] = (struct vmsi_io_request){
			.opcode = VMSI_IO_WRITE,
			.buffer = bytes,
			.length = pool->page_size,
			.result = error ? error : (long)pool->page_size,
			.error = error,
		};
	}
	copies->run_count = copies->count;
}

/* --- to close --------------------------------------------------------------------------------------- */

static void unmap(void *memory, size_t bytes)
{
	if (memory)
		(void)vmsi_host.munmap((uintptr_t)memory, bytes);
}

/*
 * First nothing of it is known any more, and then it goes: a child of this one that comes
 * meanwhile would give back what others have got since.
 */
void vmsi_snapshot_leave(struct vms_pool *pool)
{
	struct vmsi_snapshots *snapshots = &pool->snapshots;
	const int fd = snapshots->fd, forked = snapshots->forked;
	void *own = snapshots->own.is_used ? snapshots->own.head : NULL;
	void *shared = forked >= 0 ? snapshots->live[forked].head : NULL;
	void *buffer = snapshots->buffer;

	atomic_store(&snapshots->can_wake, false);
	snapshots->fd = snapshots->forked = -1;
	snapshots->own.is_used = false;
	snapshots->error = 0;
	snapshots->buffer = NULL;
	if (fd >= 0)
		(void)vmsi_host.close(fd);
	unmap(own, snapshots->table_bytes);
	unmap(shared, snapshots->table_bytes);
	unmap(buffer, snapshots->buffer_bytes);
}
