/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_MAP_H
#define VMSI_SHARE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct vms_share;

/* Bytes of the file before those of the share. */
size_t vmsi_share_head_bytes(void);

/*
 * Reserve the addresses of a share and map its file there, all of it. address: where
 * its bytes are to be; 0: anywhere. Writes space, head and base. Returns 0 or -errno.
 */
int vmsi_share_map(struct vms_share *share, uintptr_t address);
int vmsi_share_unmap(struct vms_share *share);

#endif
