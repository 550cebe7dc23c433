/* SPDX-License-Identifier: MIT */
#include "share/owner.h"

#include <errno.h>
#include <fcntl.h>

#include "host/host.h"
#include "share/atomic.h"
#include "share/share.h"

#define GENERATION_BITS 21
#define GENERATION ((1u << GENERATION_BITS) - 1)

/* Behind the locks of uses.c, which reach to twice this at most. */
#define FIRST (INT64_MAX - VMS_SHARE_OWNERS)

static struct flock byte_of(uint32_t slot, short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET,
			       .l_start = (off_t)FIRST + slot, .l_len = 1 };
}

static int lock_slot(const struct vms_share *share, uint32_t slot)
{
	struct flock byte = byte_of(slot, F_WRLCK);
	long error;

	do
		error = vmsi_host.file_lock(share->fd, F_OFD_SETLK, &byte);
	while (error == -EINTR);
	return error == -EACCES ? -EAGAIN : (int)error;
}

static int take_slot(struct vms_share *share)
{
	int error = -EAGAIN;
	uint32_t slot = 0;

	for (; slot < VMS_SHARE_OWNERS; slot++) {
		error = lock_slot(share, slot);
		if (error != -EAGAIN)
			break;
	}
	if (error)
		return error;
	const uint32_t generation =
		vmsi_share_add(&share->head->generations[slot], 1);

	atomic_store(&share->owner, (slot + 1) << GENERATION_BITS |
					    (generation & GENERATION));
	return 0;
}

int vmsi_owner_of(struct vms_share *share, uint32_t *owner)
{
	int error = 0;

	*owner = atomic_load(&share->owner);
	if (*owner)
		return 0;
	if (vmsi_share_reads(share))
		return -EPERM;
	vmsi_lock_acquire(&share->lock);
	if (atomic_load(&share->is_orphan))
		error = -EBADF;
	else if (!atomic_load(&share->owner))
		error = take_slot(share);
	*owner = atomic_load(&share->owner);
	vmsi_lock_release(&share->lock);
	return error;
}

bool vmsi_owner_is_dead(const struct vms_share *share, uint32_t word)
{
	const uint32_t owner = word & VMSI_OWNER;
	const uint32_t slot = (owner >> GENERATION_BITS) - 1;
	struct flock byte;

	if (owner == atomic_load(&share->owner))
		return false;
	/* Nobody has ever had such a slot; one was taken by somebody else since. */
	if (slot >= VMS_SHARE_OWNERS ||
	    ((vmsi_share_load(&share->head->generations[slot]) ^ owner) & GENERATION))
		return true;
	byte = byte_of(slot, F_WRLCK);
	return vmsi_host.file_lock(share->fd, F_OFD_GETLK, &byte) == 0 &&
		byte.l_type == F_UNLCK;
}
