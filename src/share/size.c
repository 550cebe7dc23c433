/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/align.h"
#include "host/disk.h"
#include "host/host.h"
#include "share/grow.h"
#include "share/headroom.h"
#include "share/map.h"
#include "share/share.h"
#include "share/sweep.h"
#include "share/uses.h"
#include "space/inside.h"

/*
 * The size of a share. It is in the head, and all who write to the share change it: a
 * growth first takes the space, and then raises the size, if nobody else has changed it
 * meanwhile. So a process that ends midway has changed nothing.
 */

/* --- what there is ------------------------------------------------------------------ */

void *vms_share_base(const vms_share *share)
{
	return share->base;
}

uint64_t vms_share_maximum(const vms_share *share)
{
	return share->maximum;
}

uint64_t vms_share_size(vms_share *share)
{
	return vmsi_share_size(share);
}

static bool is_orphan(const struct vms_share *share)
{
	return atomic_load_explicit(&share->is_orphan, memory_order_relaxed);
}

void *vms_share_at(vms_share *share, uint64_t offset, size_t length)
{
	const uint64_t size = vmsi_min(vmsi_share_size(share),
				       atomic_load_explicit(&share->used,
							    memory_order_relaxed));

	if (is_orphan(share)) {
		errno = EBADF;
		return NULL;
	}
	if (length > size || offset > size - length) {
		errno = ERANGE;
		return NULL;
	}
	return share->base + offset;
}

/* --- growing ------------------------------------------------------------------------ */

int vmsi_share_take_space(int fd, uint64_t offset, uint64_t length)
{
	const int error = vmsi_headroom_check(length);

	return error ? error : vmsi_disk_extend(fd, offset, length,
						VMSI_DISK_KEEP_SIZE);
}

/* Use what is going to be there, so that nobody shrinks it meanwhile. */
static int use_up_to(struct vms_share *share, uint64_t size)
{
	const uint64_t used = atomic_load(&share->used);
	int error;

	if (size <= used)
		return 0;
	error = vmsi_uses_take(share->fd, used, size);
	if (!error)
		atomic_store(&share->used, size);
	return error;
}

/* The end of a lock can always be let go of: the kernel needs no memory for it. */
static void use_down_to(struct vms_share *share, uint64_t size)
{
	if (size >= atomic_load(&share->used))
		return;
	atomic_store(&share->used, size);
	(void)vmsi_uses_let_go(share->fd, size, share->maximum);
}

/*
 * One try to raise the size from what it is now. 1: others have changed it. Once this
 * process uses all up to the new size, nobody can shrink it any more.
 */
static int raise_size(struct vms_share *share, uint64_t now, uint64_t size)
{
	int error;

	if (size > share->maximum)
		return -EFBIG;
	if (vmsi_share_reads(share))
		return -EPERM;
	if (is_orphan(share))
		return -EBADF;
	error = use_up_to(share, size);
	if (error)
		return error;
	if (vmsi_share_size(share) != now)
		return 1;
	if (size <= now)
		return 0;
	error = vmsi_share_sweep(share);
	if (!error)
		error = vmsi_share_take_space(share->fd,
					      vmsi_share_head_bytes() + now,
					      size - now);
	if (error)
		return error;
	return vmsi_share_swap(&share->head->size, now, size) ? 0 : 1;
}

/* Nobody keeps on changing the size for so many tries but to keep others busy. */
#define TRIES 1000

/* What a process uses after it grew the share to a size, or failed: no more than before. */
static int settle(struct vms_share *share, uint64_t used, uint64_t size, int error)
{
	use_down_to(share, error ? used : vmsi_max(used, size));
	return error == 1 ? -EAGAIN : error;
}

int vmsi_share_grow_to(struct vms_share *share, uint64_t size)
{
	const uint64_t used = atomic_load(&share->used);
	int tries = 0;
	int error;

	if (size <= vmsi_share_size(share) && vmsi_share_reads(share))
		return 0;
	do
		error = raise_size(share, vmsi_share_size(share), size);
	while (error == 1 && ++tries < TRIES);
	return settle(share, used, size, error);
}

int vms_share_grow(vms_share *share, uint64_t size)
{
	int error;

	vmsi_lock_acquire(&share->lock);
	error = vmsi_share_grow_to(share, size);
	vmsi_lock_release(&share->lock);
	return vmsi_status(error);
}

static int extend(struct vms_share *share, uint64_t length, uint64_t *offset)
{
	const uint64_t used = atomic_load(&share->used);
	uint64_t now, size;
	int tries = 0;
	int error;

	do {
		now = vmsi_share_size(share);
		error = __builtin_add_overflow(now, length, &size) ?
			-EFBIG : raise_size(share, now, size);
	} while (error == 1 && ++tries < TRIES);
	if (!error)
		*offset = now;
	return settle(share, used, size, error);
}

int vms_share_extend(vms_share *share, uint64_t length, uint64_t *offset)
{
	int error;

	if (length == 0)
		return vmsi_status(-EINVAL);
	vmsi_lock_acquire(&share->lock);
	error = extend(share, length, offset);
	vmsi_lock_release(&share->lock);
	return vmsi_status(error);
}

/* --- shrinking ---------------------------------------------------------------------- */

static int use(struct vms_share *share, uint64_t size)
{
	const uint64_t used = atomic_load(&share->used);

	if (is_orphan(share))
		return -EBADF;
	if (size >= used)
		return use_up_to(share, vmsi_min(size, share->maximum));
	use_down_to(share, size);
	return 0;
}

int vms_share_use(vms_share *share, uint64_t size)
{
	int error;

	vmsi_lock_acquire(&share->lock);
	error = use(share, size);
	vmsi_lock_release(&share->lock);
	return vmsi_status(error);
}

/* Whether there is something to be done by a shrink to a size. */
static bool is_above(const struct vms_share *share, uint64_t size)
{
	const uint64_t now = vmsi_share_size(share);

	return now > size || (now == size && vmsi_share_is_unswept(share));
}

/*
 * The size goes first, marked: a process that ends before the bytes behind it are zero
 * leaves that to who grows the share next.
 */
static int shrink_alone(struct vms_share *share, uint64_t size)
{
	const uint64_t word = vmsi_share_load(&share->head->size);
	int error;

	if (!is_above(share, size))
		return 0;
	error = vmsi_share_may_clear(share);
	if (error)
		return error;
	vmsi_share_store(&share->head->size, size | VMSI_SHARE_UNSWEPT);
	error = vmsi_share_clear_behind(share, size);
	vmsi_share_store(&share->head->size, error ? word : size);
	return error;
}

static int shrink(struct vms_share *share, uint64_t size)
{
	const uint64_t used = atomic_load(&share->used);
	int error;

	if (is_orphan(share))
		return -EBADF;
	if (vmsi_share_reads(share))
		return -EPERM;
	if (!is_above(share, size))
		return 0;
	error = vmsi_uses_exclude(share->fd, size, share->maximum);
	if (error)
		return error == -EAGAIN ? -EBUSY : error;
	error = shrink_alone(share, size);
	/*
	 * Back to what this process has used before. Where the kernel has no memory for
	 * that, the process uses less: others must not be kept out.
	 */
	if (vmsi_uses_take(share->fd, size, used) != 0)
		use_down_to(share, size);
	(void)vmsi_uses_let_go(share->fd,
			       vmsi_max(size, atomic_load(&share->used)),
			       share->maximum);
	return error;
}

int vms_share_shrink(vms_share *share, uint64_t size)
{
	int error;

	vmsi_lock_acquire(&share->lock);
	error = shrink(share, size);
	vmsi_lock_release(&share->lock);
	return vmsi_status(error);
}
