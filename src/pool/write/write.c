/* SPDX-License-Identifier: MIT */
#include "pool/write/write.h"

#include "base/panic.h"
#include "host/host.h"
#include "pool/plain/shield.h"
#include "pool/write/copy.h"
#include "pool/write/sort.h"

/*
 * A batch of writes. Each dirty page is copied while it is held by a reader, so that no
 * change is under way; then it is let go, WRITING and not dirty, and the copies are
 * written, those of neighbours by one call. A page that was changed meanwhile is dirty
 * again by that change. write_lock is held throughout: so no page is ever written twice
 * at a time, or in another order than that of its changes.
 */

/* --- the log ------------------------------------------------------------------------------------ */

/*
 * The highest number of a change in the batch. It is looked at without holding the pages:
 * copy_page looks again.
 */
static uint64_t last_lsn_of(const struct vms_pool *pool, const struct vmsi_batch *batch)
{
	uint64_t last = 0;

	for (size_t i = 0; i < batch->count; i++) {
		const uint64_t word = vmsi_word_load(vmsi_pool_word(pool, batch->pages[i]));
		uint64_t lsn;

		if (!(word & VMSI_WORD_RESIDENT) || !(word & VMSI_WORD_DIRTY))
			continue;
		lsn = atomic_load(&vmsi_pool_slot(pool, word)->last_lsn);
		if (lsn > last)
			last = lsn;
	}
	return last;
}

/*
 * Without any lock: the program's log may take its time. false: what is not durable now
 * stays so. In a fault the program is not asked.
 */
static bool make_durable(struct vms_pool *pool, const struct vmsi_batch *batch)
{
	const uint64_t last = last_lsn_of(pool, batch);
	struct vmsi_shield *shield;
	int result;

	if (!pool->make_durable)
		return false;
	if (last <= atomic_load(&pool->durable))
		return true;
	if (vmsi_shield_is_fault())
		return false;
	shield = vmsi_shield_pause();
	result = pool->make_durable(pool->context, last);
	vmsi_shield_resume(shield);
	if (result != 0)
		return false;
	return vms_pool_durable(pool, last) == 0;
}

/* --- copies ---------------------------------------------------------------------------------------- */

enum copied { COPIED, WAS_CLEAN, WAS_HELD, IS_NOT_DURABLE, IS_NOT_PROTECTED };

static enum copied not_copied(int error)
{
	return error == -EBUSY ? WAS_HELD : IS_NOT_PROTECTED;
}

static enum copied copy_page(struct vms_pool *pool, struct vmsi_copies *copies, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	struct vmsi_page_slot *slot;
	uint64_t seen;
	int error;

	switch (vmsi_word_hold_dirty(word, &seen)) {
	case VMSI_WORD_HELD:
		return WAS_HELD;
	case VMSI_WORD_ABSENT:
		return WAS_CLEAN;
	case VMSI_WORD_GOT:
		break;
	}
	slot = vmsi_pool_slot(pool, seen);
	if (atomic_load(&slot->last_lsn) > atomic_load(&pool->durable)) {
		(void)vmsi_word_unlock(word, pool->view.version_shift);
		vmsi_pool_add(&pool->held_back, 1);
		return IS_NOT_DURABLE;
	}
	vmsi_debug_check(copies->count < pool->staging_pages,
			 "PL4: a batch is larger than the staging memory");
	error = vmsi_copy_begin(pool, page, seen,
				pool->staging + copies->count * pool->page_size);
	if (error)
		return not_copied(error);
	copies->first_lsns[copies->count] = atomic_exchange(&slot->first_lsn, VMSI_NO_LSN);
	copies->pages[copies->count++] = page;
	vmsi_debug_check(atomic_load(&slot->last_lsn) <= atomic_load(&pool->durable),
			 "PL5: a page is to be written before its log");
	vmsi_copy_end(pool, page);
	return COPIED;
}

static void copy_batch(struct vms_pool *pool, struct vmsi_batch *batch, bool can_wait,
		       struct vmsi_copies *copies, struct vmsi_outcome *written)
{
	for (size_t i = 0; i < batch->count; i++)
		switch (copy_page(pool, copies, batch->pages[i])) {
		case COPIED:
			break;
		case WAS_CLEAN:
			written->clean++;
			break;
		case WAS_HELD:
			batch->pages[written->again++] = batch->pages[i];
			break;
		case IS_NOT_DURABLE:
			if (can_wait)
				batch->pages[written->again++] = batch->pages[i];
			else
				written->not_durable++;
			break;
		case IS_NOT_PROTECTED:
			written->failed++;
			written->error = -ENOMEM;
			break;
		}
}

static void join_runs(const struct vms_pool *pool, struct vmsi_copies *copies)
{
	for (size_t i = 0; i < copies->count; i++) {
		const uint64_t offset = copies->pages[i] << pool->view.page_shift;
		struct vmsi_io_request *last = copies->run_count ?
			&copies->runs[copies->run_count - 1] : NULL;

		if (last && last->offset + last->length == offset) {
			last->length += pool->page_size;
			continue;
		}
		copies->runs[copies->run_count++] = vmsi_store_request(
			&pool->store, pool->staging + i * pool->page_size,
			pool->page_size, offset);
	}
}

/* --- durable ---------------------------------------------------------------------------------------- */

/*
 * After a failed fdatasync nobody knows which pages of those that left are on the disk:
 * nothing can be made good any more. Of two that were under way the kernel might tell only
 * one of an error; so there is one at a time, and what it tells is known before the next.
 */
static int sync_now(struct vms_pool *pool)
{
	int error = vmsi_store_sync(&pool->store);

	if (error)
		atomic_store(&pool->broken, -EIO);
	vmsi_pool_add(&pool->syncs, 1);
	return error ? -EIO : 0;
}

/*
 * A batch that is being written is waited for. *last is the last one that an area has by
 * then: the file has all of it.
 */
static int begin_sync(struct vms_pool *pool, uint64_t *last)
{
	int error;

	vmsi_lock_acquire(&pool->write_lock);
	error = atomic_load(&pool->broken);
	if (!error)
		error = vmsi_area_write_failed(&pool->area, &pool->store);
	*last = pool->area.sequence;
	vmsi_lock_release(&pool->write_lock);
	return error;
}

/* What an area got meanwhile stays there. */
static void end_sync(struct vms_pool *pool, uint64_t last)
{
	vmsi_lock_acquire(&pool->write_lock);
	vmsi_area_settle(&pool->area, last);
	vmsi_lock_release(&pool->write_lock);
}

/* Pages may be written meanwhile, which concern no flush that began before. */
static int sync_beside_writes(struct vms_pool *pool)
{
	uint64_t last;
	int error;

	vmsi_lock_acquire(&pool->sync_lock);
	error = begin_sync(pool, &last);
	if (!error)
		error = sync_now(pool);
	if (!error && vmsi_area_is_used(&pool->area))
		end_sync(pool, last);
	vmsi_lock_release(&pool->sync_lock);
	return error;
}

int vmsi_write_sync(struct vms_pool *pool)
{
	struct vmsi_shield shield;
	int error;

	vmsi_shield_raise(pool, &shield);
	error = sync_beside_writes(pool);
	vmsi_shield_lower(&shield);
	return error;
}

/* What the area has stays, where the file may not have it. */
void vmsi_write_end(struct vms_pool *pool)
{
	if (!vmsi_area_is_used(&pool->area))
		return;
	if (!vmsi_area_is_pending(&pool->area) || vmsi_write_sync(pool) == 0)
		vmsi_area_end(&pool->area);
}

/* Have the copies in the area, so that none of them can be torn in the file. */
static int keep_whole(struct vms_pool *pool, const struct vmsi_copies *copies, int no_room)
{
	int error;

	if (!vmsi_area_is_used(&pool->area) || !copies->count)
		return 0;
	if (vmsi_area_is_full(&pool->area))
		return no_room;
	error = vmsi_area_put(&pool->area, pool->head, copies->pages, copies->count);
	if (!error)
		vmsi_pool_add(&pool->area_batches, 1);
	return error;
}

/* --- the end of a write ------------------------------------------------------------------------------ */

void vmsi_write_take_back(struct vms_pool *pool, uint64_t page, uint64_t first_lsn)
{
	const uint64_t word = vmsi_word_load(vmsi_pool_word(pool, page));
	struct vmsi_page_slot *slot = vmsi_pool_slot(pool, word);
	uint64_t lsn = atomic_load(&slot->first_lsn);

	while (first_lsn < lsn &&
	       !atomic_compare_exchange_weak(&slot->first_lsn, &lsn, first_lsn))
		;
}

static void end_page(struct vms_pool *pool, struct vmsi_copies *copies, size_t place,
		     int error, struct vmsi_outcome *written)
{
	if (error)
		vmsi_write_take_back(pool, copies->pages[place],
				     copies->first_lsns[place]);
	else
		vmsi_aside_drop(&pool->store.aside, copies->pages[place]);
	vmsi_word_end_writing(vmsi_pool_word(pool, copies->pages[place]), error != 0);
	if (error) {
		written->failed++;
		written->error = written->error ? written->error :
						   vmsi_store_write_error(error);
		vmsi_pool_add(&pool->write_errors, 1);
	} else {
		written->written++;
		vmsi_pool_add(&pool->pages_written, 1);
	}
}

static int write_alone(struct vms_pool *pool, const struct vmsi_copies *copies, size_t place)
{
	struct vmsi_io_request request = vmsi_store_request(
		&pool->store, pool->staging + place * pool->page_size, pool->page_size,
		copies->pages[place] << pool->view.page_shift);

	vmsi_store_write(&pool->store, &request, 1, VMSI_STORE_ALONE);
	return vmsi_io_status(&request);
}

/*
 * A page that cannot be written shall not keep its neighbours from the disk. What was
 * written in part is in the area until it can be.
 */
static void end_run(struct vms_pool *pool, struct vmsi_copies *copies, size_t first,
		    const struct vmsi_io_request *run, struct vmsi_outcome *written)
{
	const size_t count = run->length / pool->page_size;
	const int error = vmsi_io_status(run);

	for (size_t i = first; i < first + count; i++) {
		const int alone = error && count > 1 ? write_alone(pool, copies, i) : error;

		if (alone)
			vmsi_area_note_failure(&pool->area);
		end_page(pool, copies, i, alone, written);
	}
}

static void write_runs(struct vms_pool *pool, struct vmsi_copies *copies,
		       struct vmsi_outcome *written)
{
	size_t first = 0;

	if (vmsi_pool_is_snapshot(pool)) {
		vmsi_snapshot_write(pool, copies);
	} else {
		vmsi_snapshot_save(pool, copies->pages, copies->count);
		join_runs(pool, copies);
		vmsi_store_write(&pool->store, copies->runs, copies->run_count,
				 vmsi_shield_is_fault() ? VMSI_STORE_ALONE :
							  VMSI_STORE_TOGETHER);
	}
	for (size_t i = 0; i < copies->run_count; i++) {
		end_run(pool, copies, first, &copies->runs[i], written);
		first += copies->runs[i].length / pool->page_size;
	}
}

/* What the area cannot have is not written to the file either. */
static void write_copies(struct vms_pool *pool, struct vmsi_copies *copies, int no_room,
			 struct vmsi_outcome *written)
{
	const int error = keep_whole(pool, copies, no_room);

	if (!error)
		write_runs(pool, copies, written);
	for (size_t i = 0; error && i < copies->count; i++)
		end_page(pool, copies, i, error, written);
}

/*
 * Who gathers goes round a queue, and may meet a page twice. The second would be found
 * clean while the first is written, and told as progress even if that write fails.
 */
static void drop_doubles(struct vmsi_batch *batch)
{
	size_t kept = 0;

	for (size_t i = 0; i < batch->count; i++)
		if (!kept || batch->pages[i] != batch->pages[kept - 1])
			batch->pages[kept++] = batch->pages[i];
	batch->count = kept;
}

void vmsi_write_order(struct vmsi_batch *batch)
{
	vmsi_sort(batch->pages, batch->count, sizeof(batch->pages[0]));
	drop_doubles(batch);
}

/*
 * Under write_lock. no_room is why there may be none in the area; 0: that has not been tried.
 * Returns 0; -EAGAIN: there is none; -errno where nothing is written any more.
 */
static int write_locked(struct vms_pool *pool, struct vmsi_batch *batch, bool can_wait,
			int no_room, struct vmsi_outcome *written)
{
	struct vmsi_copies *copies = pool->copies;
	const int error = atomic_load(&pool->broken);

	if (error)
		return error;
	if (!no_room && vmsi_area_is_used(&pool->area) && vmsi_area_is_full(&pool->area))
		return -EAGAIN;
	copies->count = copies->run_count = 0;
	copy_batch(pool, batch, can_wait, copies, written);
	write_copies(pool, copies, no_room, written);
	return 0;
}

int vmsi_write_batch(struct vms_pool *pool, struct vmsi_batch *batch,
		     struct vmsi_outcome *written)
{
	struct vmsi_shield shield;
	bool can_wait;
	int error, no_room = 0;

	*written = (struct vmsi_outcome){ .written = 0 };
	vmsi_write_order(batch);
	can_wait = make_durable(pool, batch);
	vmsi_shield_raise(pool, &shield);
	for (;;) {
		vmsi_lock_acquire(&pool->write_lock);
		error = write_locked(pool, batch, can_wait, no_room, written);
		vmsi_lock_release(&pool->write_lock);
		if (error != -EAGAIN)
			break;
		/* Who syncs already has sync_lock, which is taken before write_lock. */
		no_room = sync_beside_writes(pool);
	}
	vmsi_shield_lower(&shield);
	return error;
}
