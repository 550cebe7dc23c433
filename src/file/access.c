/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "base/panic.h"
#include "file/accesses.h"
#include "file/atomic.h"
#include "file/ended.h"
#include "file/file.h"
#include "file/guard.h"
#include "space/inside.h"

/*
 * Accesses. That a loss is never missed rests on three orders: the handler counts a
 * loss before its zeros can be seen; begin reads mended before the program reads the
 * file; and end reads count after that.
 */

/* What few accesses need is kept out of the way of the others. */
#define SELDOM __attribute__((noinline, cold))

static void begin(vms_file *file, struct vms_file_access *access)
{
	vmsi_guard_check();
	access->file = file;
	access->outer = vmsi_accesses;
	access->error = 0;
	access->losses = atomic_load_explicit(&file->losses.mended,
					      memory_order_acquire);
	atomic_signal_fence(memory_order_release);
	vmsi_accesses = access;
	atomic_signal_fence(memory_order_seq_cst);
}

SELDOM static int begin_reader(vms_file *file, struct vms_file_access *access)
{
	const int error = vmsi_atomic_begin_access(file);

	if (!error) {
		begin(file, access);
		vmsi_ended_note_begin(file);
	}
	return vmsi_status(error);
}

int vms_file_begin_access(vms_file *file, struct vms_file_access *access)
{
	if (vmsi_file_reads_commits(file))
		return begin_reader(file, access);
	begin(file, access);
	return 0;
}

/*
 * The processor may do what follows before loads and stores that come earlier. Where
 * the kernel has membarrier(2), the handler stops that in all threads; a processor of
 * the x86 kind keeps the order of loads by itself.
 */
static inline void finish_loads(void)
{
#if defined(__aarch64__)
	__asm__ volatile("dmb ishld" : : : "memory");
#elif defined(__x86_64__)
	atomic_signal_fence(memory_order_seq_cst);
#else
	__sync_synchronize();
#endif
}

/* The thread's own loss, or the first of the file. */
static int tell_loss(const struct vms_file_access *access, uint64_t *offset)
{
	uint64_t first = access->lost_at;
	const int error = access->error ? access->error :
		vmsi_losses_first(&access->file->losses, &first);

	if (offset)
		*offset = first;
	return -error;
}

enum loss { WHOLE, LOST };

SELDOM static int end_slowly(struct vms_file_access *access, uint64_t *offset,
			     enum loss loss)
{
	const int error = loss == LOST ? tell_loss(access, offset) : 0;

	if (vmsi_file_reads_commits(access->file)) {
		vmsi_ended_note_end(access->file);
		vmsi_atomic_end_access(access->file);
	}
	return vmsi_status(error);
}

int vms_file_end_access(struct vms_file_access *access, uint64_t *offset)
{
	vms_file *file = access->file;
	uint64_t count;

	vmsi_debug_check(vmsi_accesses == access,
			 "F4: accesses end in reverse order");
	finish_loads();
	vmsi_accesses = access->outer;
	count = atomic_load_explicit(&file->losses.count, memory_order_acquire);
	if (count == access->losses && !vmsi_file_reads_commits(file))
		return 0;
	return end_slowly(access, offset,
			  count == access->losses ? WHOLE : LOST);
}
