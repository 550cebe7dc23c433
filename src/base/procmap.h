/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_PROCMAP_H
#define VMSI_BASE_PROCMAP_H

#include <stdint.h>
#include <sys/ioctl.h>

/*
 * The ioctl PROCMAP_QUERY of an open /proc/PID/maps (Linux 6.11 on): it tells
 * of the mapping that an address is in. The <linux/fs.h> of older systems lacks
 * it.
 */
struct vmsi_procmap_query {
	uint64_t size;          /* of this struct */
	uint64_t flags;         /* 0: asks for the mapping that holds address */
	uint64_t address;
	uint64_t start, end;    /* answered, like all that follows */
	uint64_t found_flags;   /* VMSI_PROCMAP_* */
	uint64_t page_size, offset, inode;
	uint32_t major_number, minor_number;
	uint32_t name_size, build_id_size;
	uint64_t name, build_id;
};

_Static_assert(sizeof(struct vmsi_procmap_query) == 104, "the kernel's layout");

#define VMSI_PROCMAP_QUERY _IOWR('f', 17, struct vmsi_procmap_query)

#define VMSI_PROCMAP_WRITABLE 0x02u
#define VMSI_PROCMAP_SHARED 0x08u

#endif
