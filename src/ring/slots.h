/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_SLOTS_H
#define VMSI_RING_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Who is attached to a ring. Each has a lock (F_OFD_SETLK) on a byte of the file, which
 * the kernel drops when the last descriptor of its description is closed: at the latest
 * when the process ends, however it does. No such descriptor is given to others: a forked
 * child closes it, and execve(2) does.
 *
 * One byte is of the slot, and further ones of the parts that only one may have.
 */

struct vms_ring;
struct vmsi_mpsc;

/* Take the parts of the ring's flags, and a slot. 0, -EBUSY, or another -errno. */
int vmsi_ring_take_slot(struct vms_ring *ring);

/* Whether who made a claim is attached still. */
bool vmsi_ring_is_alive(const struct vmsi_mpsc *mpsc, uint32_t owner);

/* How many are attached. */
unsigned vmsi_ring_attached(const struct vms_ring *ring);

#endif
