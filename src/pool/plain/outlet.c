/* SPDX-License-Identifier: MIT */
#include "pool/plain/outlet.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mman.h"
#include "base/panic.h"
#include "host/host.h"
#include "pool/evict/evict.h"
#include "pool/slots.h"
#include "pool/write/copy.h"

/*
 * Why a store is never lost. The pipe has references to the frames of the pages. A frame stays
 * as long as there is one, and who stores to a page before the page goes from its address
 * stores to the frame that is there: so all depends on that being the one in the pipe. It would
 * be another if the kernel gave the page a new frame in between (copy on write), as it does at a
 * store to a frame that is not the page's alone:
 *
 *  - after a fork: the memory is MADV_DONTFORK;
 *  - where it was merged with an equal one (KSM): the memory is made MADV_UNMERGEABLE, and a
 *    frame that the pipe refers to is not merged. PR_SET_MEMORY_MERGE undoes that, and what it
 *    merges between hold and the pipe is no fault of the thread: once the pipe has the frames
 *    the process is seen not to have it;
 *  - where it is being written to a swap device that must not see changes (zram), and touched
 *    meanwhile: there is no outlet where the machine has swap, whatever it is on;
 *  - at any first store after a protection, in kernels from 5.9 to 5.18, which look whether
 *    anybody refers to the frame. Later ones know a frame that is a page's alone by a mark,
 *    which a reference from a pipe does not take away. is_pipe_live tries which it is; it
 *    also finds out a kernel whose vmsplice copies.
 *
 * And each page is made sure to have a frame of its own right before: it is stored to, without
 * a change (hold). If the thread has met no fault of a page from then until all are in
 * the pipe, all of them could be stored to throughout, which only a frame of its own can. Else
 * what is in the pipe is thrown away, and the pages are protected and copied one by one.
 */

/* Between two tries of what must not fail. */
#define PAUSE 1000000u

/* The kernel has a record of up to 64 bytes for each page of a pipe. */
#define RECORD_BYTES 64

#define PROBE UINT64_C(0x6f75746c65743f21)

/* --- to open ------------------------------------------------------------------------------------ */

void vmsi_outlet_init(struct vmsi_outlet *outlet)
{
	outlet->to_read = outlet->to_write = -1;
}

/* A page of several of the host's could lose some of them only. */
static bool is_wanted(const struct vms_pool *pool)
{
	return vmsi_pool_has(pool, VMS_POOL_TRANSPARENT) &&
		pool->store.kind == VMSI_STORE_MEMORY &&
		vmsi_pager_takes_many(&pool->pager) && pool->page_size == vmsi_page_size();
}

/* EINVAL: the kernel merges nothing. */
static bool is_never_merged(const struct vms_pool *pool)
{
	const long error = vmsi_host.madvise((uintptr_t)pool->view.memory,
					     pool->memory_bytes, MADV_UNMERGEABLE);

	return error == 0 || error == -EINVAL;
}

/* EINVAL: the kernel has no such setting. */
static bool keeps_frames(void)
{
	size_t swap;
	long merges;

	if (vmsi_host.swap_size(&swap) != 0 || swap)
		return false;
	merges = vmsi_host.merges_memory();
	return merges == 0 || merges == -EINVAL;
}

/*
 * Half of the staging memory is for the copies, and half for what comes out of the pipe. 0:
 * the pipe cannot have so many; a user that has many pipes may not make another one larger.
 */
static size_t most_pages(const struct vms_pool *pool)
{
	const size_t most = vmsi_min(pool->staging_pages / 2, VMSI_EVICT_BATCH);
	const long bytes = vmsi_host.size_pipe(pool->outlet.to_write,
					       VMSI_EVICT_BATCH * pool->page_size);

	return bytes < 0 ? 0 : vmsi_min(most, (size_t)bytes / pool->page_size);
}

/*
 * Whether what is stored to a page in the pipe comes out of it, though the page was protected
 * before, so that its next store is a fault.
 */
static bool comes_out(const struct vmsi_outlet *outlet, uintptr_t start, size_t length)
{
	volatile uint64_t *word = (volatile uint64_t *)start;
	const struct iovec part = { (void *)start, length };
	uint64_t found = 0;

	*word = ~PROBE;
	if (vmsi_host.mprotect(start, length, PROT_READ) != 0 ||
	    vmsi_host.mprotect(start, length, PROT_READ | PROT_WRITE) != 0 ||
	    vmsi_host.splice_memory(outlet->to_write, &part, 1) != (long)length)
		return false;
	*word = PROBE;
	return vmsi_host.read(outlet->to_read, &found, sizeof(found)) ==
		(long)sizeof(found) && found == PROBE;
}

/* What is left of the page in the pipe is read, or the pipe is closed. */
static bool is_pipe_live(struct vms_pool *pool)
{
	const size_t length = vmsi_page_size();
	const long start = vmsi_host.mmap(0, length, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const long rest = (long)(length - sizeof(uint64_t));
	bool answer;

	if (start < 0)
		return false;
	answer = comes_out(&pool->outlet, (uintptr_t)start, length) &&
		vmsi_host.read(pool->outlet.to_read, pool->staging, (size_t)rest) == rest;
	(void)vmsi_host.munmap((uintptr_t)start, length);
	return answer;
}

/* The kernel's records of the pipe count in the RAM. */
static int charge(struct vms_pool *pool)
{
	return vmsi_room_charge_bytes(pool, VMSI_EVICT_BATCH * RECORD_BYTES);
}

void vmsi_outlet_open(struct vms_pool *pool)
{
	struct vmsi_outlet *outlet = &pool->outlet;
	int ends[2];

	if (!is_wanted(pool) || !is_never_merged(pool) || !keeps_frames() ||
	    vmsi_host.thread_faults() < 0 || vmsi_host.pipe(ends) < 0)
		return;
	outlet->to_read = ends[0];
	outlet->to_write = ends[1];
	outlet->most = most_pages(pool);
	if (outlet->most && is_pipe_live(pool) && charge(pool) == 0)
		atomic_store(&outlet->is_open, true);
	else
		vmsi_outlet_close(pool);
}

/* A child of fork that comes meanwhile closes what it finds. */
static void close_end(int *end)
{
	const int fd = *end;

	*end = -1;
	if (fd >= 0)
		(void)vmsi_host.close(fd);
}

void vmsi_outlet_close(struct vms_pool *pool)
{
	atomic_store(&pool->outlet.is_open, false);
	close_end(&pool->outlet.to_read);
	close_end(&pool->outlet.to_write);
}

/* --- the pipe ------------------------------------------------------------------------------------- */

static char *copy_of(const struct vms_pool *pool, size_t place)
{
	return pool->staging + place * pool->page_size;
}

static char *bytes_of(const struct vms_pool *pool, size_t place)
{
	return copy_of(pool, pool->outlet.most + place);
}

/*
 * Read all that is in the pipe. It may be all that there is of a page, so that it is read until
 * it is had: nothing that the kernel could be out of is needed for it. Only if the
 * program has closed the pipe, as one that closes all descriptors, there is no way on.
 */
static void read_back(struct vms_pool *pool)
{
	struct vmsi_outlet *outlet = &pool->outlet;
	size_t done = 0;

	while (done < outlet->bytes) {
		const long result = vmsi_host.read(outlet->to_read, bytes_of(pool, 0) + done,
						   outlet->bytes - done);

		if (result == 0 || result == -EBADF)
			vmsi_panic("a pipe of a pool was closed by the program");
		if (result > 0)
			done += (size_t)result;
		else
			(void)vmsi_host.nanosleep(PAUSE);
	}
	outlet->bytes = 0;
}

/* A store that changes nothing, beside those of the program. */
static void hold(char *byte)
{
#if defined(__x86_64__)
	/* Compilers make less than a store of an atomic operation that changes nothing. */
	__asm__ volatile("lock; orb $0, %0" : "+m"(*byte) : : "cc");
#else
	char seen = __atomic_load_n(byte, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(byte, &seen, seen, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
#endif
}

/* Put pages into the pipe. Returns how many of them, the first ones. */
static size_t put_in(struct vms_pool *pool, const uint64_t *pages, size_t count)
{
	struct vmsi_outlet *outlet = &pool->outlet;
	struct iovec parts[VMSI_EVICT_BATCH];
	const long faults = vmsi_host.thread_faults();
	bool are_kept;
	long bytes;

	for (size_t i = 0; i < count; i++) {
		parts[i] = (struct iovec){ vmsi_pool_at(pool, pages[i], 0), pool->page_size };
		hold(parts[i].iov_base);
	}
	bytes = vmsi_host.splice_memory(outlet->to_write, parts, (int)count);
	are_kept = keeps_frames();
	/* What is refused by the program's own will is so the next time, too. */
	if (bytes == -EPERM || bytes == -ENOSYS || bytes == -EACCES || !are_kept)
		atomic_store(&outlet->is_open, false);
	outlet->bytes = bytes < 0 ? 0 : (size_t)bytes;
	if (are_kept && faults >= 0 && vmsi_host.thread_faults() == faults)
		return outlet->bytes / pool->page_size;
	read_back(pool);
	return 0;
}

/* --- pages go ----------------------------------------------------------------------------------- */

size_t vmsi_outlet_begin(struct vms_pool *pool, const uint64_t *pages, size_t count,
			 int *error)
{
	size_t done, kept;

	for (size_t i = 0; i < count; i++)
		vmsi_copy_bytes(copy_of(pool, i), vmsi_pool_at(pool, pages[i], 0),
				pool->page_size);
	done = vmsi_aside_put(&pool->store.aside, pages, pool->staging, NULL, count, error);
	kept = done ? put_in(pool, pages, done) : 0;
	for (size_t i = kept; i < done; i++)
		vmsi_aside_drop(&pool->store.aside, pages[i]);
	if (kept < done && !*error)
		*error = -ENOMEM;
	return kept;
}

/* --- pages have gone ----------------------------------------------------------------------------- */

/*
 * The staging memory has all that there is of the page, and the word says that it is there. It
 * is tried until it is, as the kernel does with a page of its own swap: what is needed
 * is the memory of a page, of which this call has given some back. Others wait for
 * write_lock meanwhile only where they put pages aside, and pages that are clean leave.
 */
static void bring_back(struct vms_pool *pool, uint64_t page, const char *bytes)
{
	const uintptr_t address = (uintptr_t)vmsi_pool_at(pool, page, 0);

	while (vmsi_pager_bring(&pool->pager, address, bytes, pool->page_size,
				VMSI_STORES_WORK) != 0)
		(void)vmsi_host.nanosleep(PAUSE);
}

/* Returns whether the page stays. */
static bool end_page(struct vms_pool *pool, uint64_t page, size_t place, bool stays)
{
	const char *bytes = bytes_of(pool, place);
	int error;

	if (!stays && memcmp(copy_of(pool, place), bytes, pool->page_size) == 0)
		return false;
	if (!stays && vmsi_aside_put(&pool->store.aside, &page, bytes, NULL, 1, &error) == 1)
		return false;
	vmsi_aside_drop(&pool->store.aside, page);
	if (!stays)
		bring_back(pool, page, bytes);
	return true;
}

void vmsi_outlet_end(struct vms_pool *pool, const uint64_t *pages, size_t count, bool *stays)
{
	size_t left = 0;

	read_back(pool);
	for (size_t i = 0; i < count; i++) {
		stays[i] = end_page(pool, pages[i], i, stays[i]);
		left += !stays[i];
	}
	vmsi_pool_add(&pool->pages_aside, left);
}
