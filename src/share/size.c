/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/align.h"
#include "host/disk.h"
#include "host/host.h"
#include "share/grow.h"
#include "share/headroom.h"
#include "share/map.h"
#include "share/share.h"
#include "share/uses.h"
#include "space/inside.h"

/*
 * The size of a share. It is in the head, and all who write to the share change it: a
 * growth first takes the space, and then raises the size, if nobody else has raised it
 * further. So a process that ends midway has changed nothing.
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

static int take_space_up_to(struct vms_share *share, uint64_t size)
{
	const uint64_t now = vmsi_share_size(share);
	const uint64_t used = atomic_load(&share->used);
	int error;

	if (size > share->maximum)
		return -EFBIG;
	if (vmsi_share_reads(share))
		return -EPERM;
	if (is_orphan(share))
		return -EBADF;
	error = use_up_to(share, size);
	if (error || size <= now)
		return error;
	error = vmsi_share_take_space(share->fd, vmsi_share_head_bytes() + now,
				      size - now);
	if (error)
		use_down_to(share, used);
	return error;
}

int vmsi_share_grow_to(struct vms_share *share, uint64_t size)
{
	uint64_t now = atomic_load(&share->head->size);
	int error;

	if (size <= vmsi_share_size(share) && vmsi_share_reads(share))
		return 0;
	error = take_space_up_to(share, size);
	while (!error && now < size &&
	       !atomic_compare_exchange_weak(&share->head->size, &now, size))
		;
	return error;
}

int vms_share_grow(vms_share *share, uint64_t size)
{
	int error;

	vmsi_lock_acquire(&share->lock);
	error = vmsi_share_grow_to(share, size);
	vmsi_lock_release(&share->lock);
	return vmsi_status(error);
}

#define TRIES 1000

static int extend(struct vms_share *share, uint64_t length, uint64_t *offset)
{
	uint64_t now = vmsi_share_size(share);
	uint64_t size;
	int tries = 0;
	int error;

	do {
		/* Nobody keeps on changing it for so long but to keep others busy. */
		if (++tries > TRIES)
			return -EAGAIN;
		if (__builtin_add_overflow(now, length, &size))
			return -EFBIG;
		error = take_space_up_to(share, size);
		if (error)
			return error;
	} while (!atomic_compare_exchange_strong(&share->head->size, &now, size));
	*offset = now;
	return 0;
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

/*
 * Whole pages go back to the host. A file that forbids writers refuses that, and then
 * nothing has changed.
 */
static int give_back(const struct vms_share *share, uint64_t size)
{
	const uint64_t from = vmsi_align_up(size, vmsi_page_size());
	long error = 0;

	if (from < share->maximum)
		do
			error = vmsi_host.fallocate(
				share->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				vmsi_share_head_bytes() + from,
				share->maximum - from);
		while (error == -EINTR);
	return error == -ENOSYS ? -EOPNOTSUPP : (int)error;
}

static int shrink_alone(struct vms_share *share, uint64_t size)
{
	const uint64_t now = vmsi_share_size(share);
	const uint64_t end = vmsi_align_up(size, vmsi_page_size());
	int error;

	if (size >= now)
		return 0;
	error = give_back(share, size);
	if (error)
		return error;
	/* The rest of the last page, which stays, is to be zero when it grows. */
	memset(share->base + size, 0, vmsi_min(end, share->maximum) - size);
	atomic_store(&share->head->size, size);
	return 0;
}

static int shrink(struct vms_share *share, uint64_t size)
{
	const uint64_t used = atomic_load(&share->used);
	int error;

	if (is_orphan(share))
		return -EBADF;
	if (vmsi_share_reads(share))
		return -EPERM;
	if (size >= vmsi_share_size(share))
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
