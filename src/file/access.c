/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "base/panic.h"
#include "file/accesses.h"
#include "file/atomic.h"
#include "file/file.h"
#include "file/guard.h"
#include "space/inside.h"

/*
 * Accesses. That a loss is never missed rests on three orders: the handler counts a
 * loss before its zeros can be seen; begin reads mended before the program reads the
 * file; and end reads count after that.
 */

static bool is_atomic_reader(const struct vms_file *file)
{
	const unsigned both = VMS_FILE_READ_ONLY | VMS_FILE_ATOMIC;

	return (file->flags & both) == both;
}

int vms_file_begin_access(vms_file *file, struct vms_file_access *access)
{
	if (is_atomic_reader(file)) {
		const int error = vmsi_atomic_begin_access(file);

		if (error)
			return vmsi_status(error);
	}
	vmsi_guard_check();
	access->file = file;
	access->outer = vmsi_accesses;
	access->error = 0;
	access->losses = atomic_load_explicit(&file->losses.mended,
					      memory_order_acquire);
	atomic_signal_fence(memory_order_release);
	vmsi_accesses = access;
	atomic_signal_fence(memory_order_seq_cst);
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

int vms_file_end_access(struct vms_file_access *access, uint64_t *offset)
{
	struct vms_file *file = access->file;
	bool lost;

	vmsi_debug_check(vmsi_accesses == access,
			 "F4: accesses end in reverse order");
	finish_loads();
	vmsi_accesses = access->outer;
	lost = atomic_load_explicit(&file->losses.count,
				    memory_order_acquire) != access->losses;
	if (is_atomic_reader(file))
		vmsi_atomic_end_access(file);
	return lost ? vmsi_status(tell_loss(access, offset)) : 0;
}
