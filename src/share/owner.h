/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_OWNER_H
#define VMSI_SHARE_OWNER_H

#include <stdbool.h>
#include <stdint.h>

struct vms_share;

/*
 * Who owns a lock: an attachment, by its slot and how often that was taken before.
 *
 *   31       30 .. 21   20 .. 0
 *   waiters  slot + 1   generation
 *
 * The attachment holds a lock of its description for its slot, which the kernel drops
 * when the process ends. The next to take the slot makes its generation another one. Only
 * after two million of them may a word that nobody has looked at since be taken for that of
 * one who lives.
 */
#define VMSI_WAITERS 0x80000000u
#define VMSI_OWNER 0x7fffffffu

/* The word of this process; it gets a slot at the first time. Returns 0 or -errno. */
int vmsi_owner_of(struct vms_share *share, uint32_t *owner);

/* Whether the owner of a word, which is not 0, has died or closed the share. */
bool vmsi_owner_is_dead(const struct vms_share *share, uint32_t word);

#endif
