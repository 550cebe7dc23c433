/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_SPACE_H
#define VMSPACE_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Spaces: address ranges that a program owns.
 *
 * Caveats first.
 *
 * - A space is a reservation of addresses. It costs no memory and no commit,
 *   but it counts in full against RLIMIT_AS.
 * - RLIMIT_AS and RLIMIT_DATA hold inside a space. A space that was opened under
 *   the RLIMIT_AS in force has been counted, and mapping in it needs nothing
 *   more. Under a limit that is set later, what is mapped from then on comes on
 *   top of the process's VmSize, as it would without a space; a limit below
 *   VmSize refuses everything, and what is unmapped then cannot be mapped again
 *   until the limit is raised. Private writable memory counts against
 *   RLIMIT_DATA. Two threads that map at the same moment may both be let
 *   through although the limit suffices for one.
 * - A hole between two mappings is a mapping to the host, too. So where each
 *   mapping is followed by a hole, half as many fit below vm.max_map_count as
 *   without a space.
 * - Only the calls of this library may map, unmap or protect memory inside a
 *   space. What the program does there by the host's own calls, the space
 *   does not know.
 * - Every call on a space is safe from several threads at once. No call is
 *   safe from a signal handler but vms_space_base, _size, _name, _contains and
 *   vms_version.
 * - fork(2): the child has its own copy of every space, with its own ledger.
 *   Mappings marked MADV_DONTFORK are holes in the child's copy, and no
 *   mapping is locked there, as on Linux. vfork(2) shares the parent's spaces.
 * - dlclose(3) does not unload the shared library: opened again, it still has
 *   its spaces.
 */

typedef struct vms_space vms_space;

/* How a space answers a request to commit memory. See proc_sys_vm(5). */
enum vms_commit_policy {
	/*
	 * Refuse only a single request larger than the limit; the sum is not
	 * looked at. Linux's mode 0. MAP_NORESERVE memory is not counted.
	 */
	VMS_COMMIT_HEURISTIC = 0,
	/* Refuse nothing. Linux's mode 1. MAP_NORESERVE memory is not counted. */
	VMS_COMMIT_ALWAYS = 1,
	/*
	 * Refuse what would take the sum past the limit. Linux's mode 2:
	 * MAP_NORESERVE is ignored, the memory is counted.
	 */
	VMS_COMMIT_STRICT = 2,
};

/* From which end of a free range a mapping without an address is placed. */
enum vms_placement {
	VMS_PLACE_BOTTOM = 0,
	VMS_PLACE_TOP = 1,
};

/*
 * Structs that a program passes begin with struct_size, its sizeof of the struct,
 * and grow at their end, so that a program works with an older or a newer
 * library than it was compiled with:
 * - Options: what the program's struct lacks has its default. What the library
 *   does not know must be zero, or else the call fails with E2BIG.
 * - Figures: as many are given as the struct holds. What the library does not
 *   know is set to zero; struct_size stays.
 * A size below that of the first release is EINVAL, one above 16,384 E2BIG.
 */

/* Options of a space; zero in a field means its default. */
struct vms_space_options {
	/* sizeof(struct vms_space_options); lets the struct grow. */
	size_t struct_size;
	/*
	 * A name for the program's own listings, given back by vms_space_name;
	 * copied, at most VMS_NAME_MAX bytes. NULL: no name.
	 */
	const char *name;
	/*
	 * The commit limit in bytes. 0: the RAM plus swap of the machine at the
	 * time of the call.
	 */
	size_t commit_limit;
	enum vms_commit_policy commit_policy;
	enum vms_placement placement;
	/* VMS_SPACE_* bits. */
	unsigned flags;
	/*
	 * A budget that is charged what the space commits, beside the space's
	 * own limit (vmspace/budget.h); it must stay open until the space is
	 * closed. NULL: none.
	 */
	struct vms_budget *budget;
	/*
	 * All addresses of the space lie at most reach bytes from near, as relative
	 * jumps and offset pointers may need it. Both or neither. NULL: anywhere.
	 */
	const void *near;
	size_t reach;
	/*
	 * Where the space is to begin, a multiple of the page size: it lies there or
	 * the call fails with EEXIST. Not together with near. NULL: anywhere, on a
	 * boundary of huge pages.
	 */
	void *address;
};

/* The longest name of a space or a mapping, in bytes, without the final 0. */
#define VMS_NAME_MAX 79

/*
 * MAP_HUGETLB answers as the host does (ENOMEM where the pool has no pages).
 * Without this flag such a request falls back to ordinary pages; see vms_mmap.
 */
#define VMS_SPACE_HUGETLB_EXACT 0x1u

/*
 * mlockall(2) with MCL_FUTURE locks every mapping made after it. Without this
 * flag a mapping in addresses that were unmapped just before may escape
 * MCL_FUTURE given without MCL_CURRENT (with both, none does). The flag costs
 * half a microsecond for such a mapping.
 */
#define VMS_SPACE_MCL_FUTURE 0x2u

/*
 * Files in memory (memfd_create(2), tmpfs) that are mapped here MAP_SHARED are
 * not charged to the budget of the space. For files most of which is never
 * touched. See vmspace/budget.h, Shared objects.
 */
#define VMS_SPACE_FILES_UNCHARGED 0x4u

/*
 * Reserve a space.
 *
 * size      bytes of addresses; rounded up to a page.
 * options   NULL for the defaults; read during the call only.
 *
 * Returns the space, which the caller owns and gives back by
 * vms_space_close(); NULL with errno set on failure:
 *   EINVAL  size is 0 or cannot be rounded up; struct_size is too small;
 *           an unknown policy, placement or flag; a name that is too long;
 *           only one of near and reach, or both and an address; an address that
 *           is no multiple of a page.
 *   E2BIG   options that the library does not know are not zero, as told
 *           above.
 *   EEXIST  the options have an address, and something is mapped in its range.
 *   ENOMEM  no range of that size is free, RLIMIT_AS would be passed, the
 *           map-count limit is reached, or there is no memory for the
 *           space's own records.
 *   ERANGE  no range of that size is free within reach.
 *   EAGAIN  mlockall(MCL_FUTURE) is in force and the reservation would pass
 *           RLIMIT_MEMLOCK.
 * Thread-safe.
 */
vms_space *vms_space_open(size_t size, const struct vms_space_options *options);

/*
 * Give a space back: its mappings, its addresses and its records.
 *
 * Returns 0; -1 with errno set on failure, and the space is as before:
 *   EPERM   a mapping in it is sealed (mseal(2)) and cannot be unmapped.
 *   ENOMEM  the map-count limit is reached and the host had to split a
 *           mapping of its own.
 *   EINVAL  space is NULL.
 * No other call on the space may be running or follow. Pointers into it and
 * handles of it are dead.
 */
int vms_space_close(vms_space *space);

/*
 * The first address of a space, which is not NULL. Thread-safe; never fails;
 * so are the next three.
 */
void *vms_space_base(const vms_space *space);

/* The bytes of addresses in a space. */
size_t vms_space_size(const vms_space *space);

/* The name of a space, "" where it has none; lives as long as the space. */
const char *vms_space_name(const vms_space *space);

/*
 * Whether all of [address, address + length) lies in the space; with length 0,
 * whether the address does.
 */
bool vms_space_contains(const vms_space *space, const void *address,
			size_t length);

/*
 * The space that holds an address, NULL where none does. Thread-safe; the
 * caller sees to it that the space is not closed while it is used.
 */
vms_space *vms_space_of(const void *address);

/*
 * Change the commit limit (bytes; 0 means RAM plus swap) or the policy of a
 * space. What is charged already stays charged, also when it is above the new
 * limit. MAP_NORESERVE is decided when a mapping is made: a change of policy
 * does not reach mappings that exist.
 *
 * Returns 0; -1 with errno EINVAL for a NULL space or an unknown policy.
 * Thread-safe.
 */
int vms_space_set_commit(vms_space *space, size_t limit,
			 enum vms_commit_policy policy);

/* Figures of a space, in bytes unless said otherwise. */
struct vms_space_stats {
	/* sizeof(struct vms_space_stats), set by the caller. */
	size_t struct_size;
	size_t reserved;         /* addresses of the space */
	size_t mapped;           /* in mappings */
	size_t mappings;         /* number of mappings in the space's own map */
	size_t committed;        /* charged to the ledger */
	size_t committed_peak;   /* the most that was ever charged */
	size_t limit;            /* what committed may reach */
	enum vms_commit_policy policy;
	uint64_t refusals;       /* number of requests refused, by the budget too */
	uint64_t huge_fallbacks;  /* number of MAP_HUGETLB requests given ordinary pages */
	uint64_t moves;           /* number of mappings moved by vms_mremap */
	uint64_t grown_in_place;  /* number of growths without a move */
	/*
	 * Addresses in the space that another part of the process mapped in an
	 * instant when the host had them free (docs/design.md, Windows). The
	 * space leaves them alone until they are free again.
	 */
	size_t lost;
	size_t metadata;         /* memory of the space's own records */
};

/*
 * Read the figures of a space.
 *
 * Returns 0; -1 with errno EINVAL for a NULL argument or a struct_size that
 * is too small, E2BIG for one that is too large. Thread-safe; the figures are
 * of one instant.
 */
int vms_space_get_stats(vms_space *space, struct vms_space_stats *stats);

/* The library's version, "MAJOR.MINOR.PATCH". */
const char *vms_version(void);

#ifdef __cplusplus
}
#endif

#endif
