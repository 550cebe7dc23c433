/* SPDX-License-Identifier: MIT */
#include "ring/slots.h"

#include <errno.h>
#include <fcntl.h>

#include "host/host.h"
#include "ring/atomic.h"
#include "ring/ring.h"

/* --- locks ---------------------------------------------------------------------------- */

/* Far past what a file can have, and not where other programs are known to lock. */
#define FIRST_BYTE ((off_t)0x6d00000000000000)

enum place {
	CONSUMER,
	PRODUCER,
	SLOTS,      /* and so many from here on */
};

static struct flock byte_of(unsigned place)
{
	return (struct flock){
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = FIRST_BYTE + (off_t)place,
		.l_len = 1,
	};
}

/* 0, -EBUSY: another one has it, or another -errno. */
static int lock(const struct vms_ring *ring, unsigned place)
{
	struct flock request = byte_of(place);
	long error;

	do
		error = vmsi_host.file_lock(ring->lock_fd, F_OFD_SETLK, &request);
	while (error == -EINTR);
	return error == -EAGAIN || error == -EACCES ? -EBUSY : (int)error;
}

/* Where the kernel does not tell, it is. */
static bool is_locked_by_others(const struct vms_ring *ring, unsigned place)
{
	struct flock request = byte_of(place);

	return vmsi_host.file_lock(ring->lock_fd, F_OFD_GETLK, &request) != 0 ||
		request.l_type != F_UNLCK;
}

/* --- parts ------------------------------------------------------------------------------ */

static int take_parts(const struct vms_ring *ring)
{
	int error = 0;

	if ((ring->flags & VMS_RING_PRODUCER) && ring->kind != VMS_RING_MPSC)
		error = lock(ring, PRODUCER);
	if (!error && (ring->flags & VMS_RING_CONSUMER) &&
	    ring->kind != VMS_RING_BROADCAST)
		error = lock(ring, CONSUMER);
	return error;
}

/* --- slots ------------------------------------------------------------------------------ */

#define GENERATIONS (VMSI_OWNER_MASK >> VMSI_OWNER_SLOT_BITS)

static uint32_t owner_of(const struct vmsi_ring_slot *slots, unsigned i)
{
	const uint32_t generation = vmsi_ring_load(&slots[i].generation) & GENERATIONS;

	return generation << VMSI_OWNER_SLOT_BITS | i;
}

int vmsi_ring_take_slot(struct vms_ring *ring)
{
	struct vmsi_ring_slot *slots = ring->shared->slots;
	int error = take_parts(ring);

	if (error)
		return error;
	for (unsigned i = 0; i < VMSI_RING_SLOTS; i++) {
		error = lock(ring, SLOTS + i);
		if (error == -EBUSY)
			continue;
		if (error)
			return error;
		vmsi_ring_count(&slots[i].generation, 1);
		vmsi_ring_store(&slots[i].pid, (uint32_t)vmsi_host.getpid());
		ring->owner = owner_of(slots, i);
		return 0;
	}
	return -EBUSY;
}

bool vmsi_ring_is_alive(const struct vmsi_mpsc *mpsc, uint32_t owner)
{
	const struct vms_ring *ring = (const struct vms_ring *)(const void *)
		((const char *)mpsc - offsetof(struct vms_ring, mpsc));
	const unsigned i = owner & (VMSI_RING_SLOTS - 1);

	if (owner == ring->owner)
		return true;
	return owner == owner_of(ring->shared->slots, i) &&
		is_locked_by_others(ring, SLOTS + i);
}

unsigned vmsi_ring_attached(const struct vms_ring *ring)
{
	unsigned count = 1;

	for (unsigned i = 0; i < VMSI_RING_SLOTS; i++)
		count += i != (ring->owner & (VMSI_RING_SLOTS - 1)) &&
			is_locked_by_others(ring, SLOTS + i);
	return count;
}
