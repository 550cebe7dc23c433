/* SPDX-License-Identifier: MIT
 *
 * What the programs in the kernel and the command both know: the layout of the maps.
 * The including file declares u64 as an unsigned type of 64 bits.
 */
#ifndef VMSI_KEEPER_SHARED_H
#define VMSI_KEEPER_SHARED_H

enum {
	/* A set of groups is one bit each of a word of 64 bits. */
	VMSI_BPF_GROUPS = 64,
	VMSI_BPF_ACCOUNTS = 65536,
	/* Forks and objects are refused when this many entries are in use, so that an
	 * execve, which cannot be refused any more, always finds one. */
	VMSI_BPF_ACCOUNTS_KEPT = 4096,
};

/*
 * What the command sets; in pages. An id of 0 is of a slot that is free, and one of all
 * ones of a slot whose control group was removed: entries may have its bit yet.
 */
#define VMSI_BPF_GONE (~(u64)0)

struct vmsi_bpf_limit {
	u64 id;
	u64 pages;
};

/*
 * What the programs keep of a group. The word is an estimate of the pages in use in its
 * low 40 bits, which may only be too high, and above them a count of the walks that
 * have set it.
 */
struct vmsi_bpf_state {
	u64 word;
	u64 refused;
	/* Pages that were let through since a refusal would have ended the program. */
	u64 forced;
};

/* What the command asks the program vms_count: the bit of the group, and the answer. */
struct vmsi_bpf_count {
	u64 group;
	u64 pages;
	u64 entries;
	/* Memories that could not be entered since the map was full. */
	u64 lost;
};

#endif
