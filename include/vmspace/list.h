/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_LIST_H
#define VMSPACE_LIST_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a mapping is, in vms_mapping_info.flags. */
#define VMS_MAPPING_SHARED        0x0001u
#define VMS_MAPPING_ANONYMOUS     0x0002u /* no file that the program opened */
#define VMS_MAPPING_NORESERVE     0x0004u
#define VMS_MAPPING_LOCKED        0x0008u
#define VMS_MAPPING_GROWSDOWN     0x0010u
#define VMS_MAPPING_HUGETLB       0x0020u
#define VMS_MAPPING_HUGE_FALLBACK 0x0040u /* ordinary pages for MAP_HUGETLB */
#define VMS_MAPPING_SEALED        0x0080u
#define VMS_MAPPING_DONTFORK      0x0100u
#define VMS_MAPPING_WIPEONFORK    0x0200u
#define VMS_MAPPING_DONTDUMP      0x0400u
#define VMS_MAPPING_MERGEABLE     0x0800u
#define VMS_MAPPING_HUGEPAGE      0x1000u /* MADV_HUGEPAGE */
#define VMS_MAPPING_NOHUGEPAGE    0x2000u /* MADV_NOHUGEPAGE */

/* In vms_mapping_info.resident: resident memory was not asked for. */
#define VMS_NOT_COUNTED SIZE_MAX

/* The most bytes of a path, with its final 0. */
#define VMS_PATH_MAX 4096

/* One mapping of a space or of a process. */
struct vms_mapping_info {
	/* sizeof(struct vms_mapping_info), set by the caller. */
	size_t struct_size;
	uintptr_t start;
	size_t length;        /* bytes */
	int prot;             /* PROT_READ, PROT_WRITE, PROT_EXEC */
	unsigned flags;       /* VMS_MAPPING_* */
	size_t page_size;     /* bytes: of huge pages for MAP_HUGETLB */
	uint64_t device;      /* of the file, as st_dev; 0: none */
	uint64_t inode;       /* of the file, as st_ino; 0: none */
	uint64_t offset;      /* into the file, bytes; 0 for private anonymous */
	size_t committed;     /* bytes charged for it */
	size_t resident;      /* bytes in memory, or VMS_NOT_COUNTED */
	char name[VMS_NAME_MAX + 1]; /* by vms_set_name or the kernel's; or "" */
	char path[VMS_PATH_MAX];  /* of the file when it was first mapped; or "" */
};

/* Count resident memory too; takes time in proportion to it. */
#define VMS_LIST_RESIDENT 0x1u

/*
 * Get the next mapping of a space, in ascending order of address.
 *
 * cursor   0 at first; then what the last call left there, and no other value:
 *          mappings that begin below it are not listed again.
 * info     filled; its struct_size is set by the caller.
 * flags    0 or VMS_LIST_RESIDENT.
 *
 * A shared anonymous object that is mapped in several places is charged once:
 * its first mapping in the list shows the charge.
 *
 * Returns 1 and a mapping; 0 at the end; -1 with errno EINVAL for a NULL
 * argument, an unknown flag or a struct_size that is too small, E2BIG for one
 * that is too large (vmspace/space.h), or the host's errno if resident memory
 * cannot be counted. Thread-safe. A mapping that comes or goes between two calls
 * may be missed; none is listed twice.
 */
int vms_space_next_mapping(vms_space *space, uintptr_t *cursor,
			   struct vms_mapping_info *info, unsigned flags);

#ifdef __cplusplus
}
#endif

#endif
