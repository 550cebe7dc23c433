/* SPDX-License-Identifier: MIT
 *
 * The account: what counts, for which groups, and how much.
 */
#ifndef VMSI_KEEPER_PROGRAMS_ACCOUNT_H
#define VMSI_KEEPER_PROGRAMS_ACCOUNT_H

/* An entry is found by the address of what it is of in the kernel. */
enum kind {
	KIND_MEMORY, /* mm_struct; counts what the kernel says it has */
	KIND_NEWBORN, /* task_struct of a fork under way; pages */
	KIND_OBJECT, /* inode of shared memory; pages */
};

/*
 * A request of a memory is made with its mmap_lock held for writing, by the holder, so
 * there is one at a time. From base on it asks for tentative pages, and after the grant
 * it is those pending. The figure of the memory shows them before the lock is let go.
 */
struct account {
	u64 groups;
	u64 kind;
	u64 pages;
	u64 holder;
	u64 base;
	u64 tentative;
	u64 pending;
	/* What an mremap is about to add, of which no hook is told. */
	u64 growth;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VMSI_BPF_ACCOUNTS);
	__type(key, u64);
	__type(value, struct account);
} accounts SEC(".maps");

/* By the number of the control group: the slot of its limit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VMSI_BPF_GROUPS);
	__type(key, u64);
	__type(value, u32);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VMSI_BPF_GROUPS);
	__type(key, u32);
	__type(value, struct vmsi_bpf_limit);
} limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VMSI_BPF_GROUPS);
	__type(key, u32);
	__type(value, struct vmsi_bpf_state);
} states SEC(".maps");

/* How many entries there are, were ever made, and found no place. */
static u64 entries;
static u64 inserts;
static u64 lost;

static const u64 estimate_bits = 40;
static const u64 estimate_mask = (1ULL << 40) - 1;
/* No memory has as much, so that whoever asks walks. */
static const u64 estimate_unknown = 1ULL << 39;

static inline struct account *find(const void *of)
{
	u64 key = (u64)of;

	return bpf_map_lookup_elem(&accounts, &key);
}

static inline u64 figure(struct mm_struct *mm)
{
	return BPF_CORE_READ(mm, data_vm) + BPF_CORE_READ(mm, stack_vm);
}

/* clang 14 has no instruction of BPF for __builtin_ctzll, and fails. */
static inline u32 lowest_of(u64 bits)
{
	u32 index = 0;

	if (!(bits & 0xffffffff))
		bits >>= 32, index += 32;
	if (!(bits & 0xffff))
		bits >>= 16, index += 16;
	if (!(bits & 0xff))
		bits >>= 8, index += 8;
	if (!(bits & 0xf))
		bits >>= 4, index += 4;
	if (!(bits & 3))
		bits >>= 2, index += 2;
	return index + !(bits & 1);
}

/* Count what cannot be refused. */
static long force_one(u32 index, u64 *groups_pages)
{
	u64 groups = groups_pages[0];
	struct vmsi_bpf_state *state;
	u32 slot;

	if (!groups)
		return 1;
	slot = lowest_of(groups);
	groups_pages[0] = groups & (groups - 1);
	state = bpf_map_lookup_elem(&states, &slot);
	if (!state)
		return 1;
	if ((state->word & estimate_mask) < estimate_unknown)
		__sync_fetch_and_add(&state->word, groups_pages[1]);
	__sync_fetch_and_add(&state->forced, groups_pages[1]);
	return 0;
}

static inline void force(u64 groups, u64 pages)
{
	u64 groups_pages[2] = { groups, pages };

	if (groups && pages)
		bpf_loop(VMSI_BPF_GROUPS, force_one, groups_pages, 0);
}

static inline int enter(const void *of, const struct account *account, u64 most)
{
	u64 key = (u64)of;

	if (entries >= most ||
	    bpf_map_update_elem(&accounts, &key, account, BPF_NOEXIST)) {
		if (!bpf_map_lookup_elem(&accounts, &key))
			__sync_fetch_and_add(&lost, 1);
		return -1;
	}
	__sync_fetch_and_add(&entries, 1);
	__sync_fetch_and_add(&inserts, 1);
	return 0;
}

static inline void leave(const void *of)
{
	u64 key = (u64)of;

	if (!bpf_map_delete_elem(&accounts, &key))
		__sync_fetch_and_add(&entries, -1);
}

/*
 * The entry comes first and the estimate after it: a walk that misses the entry has read
 * the estimate before, and adds the difference.
 */
static inline void enter_memory(struct mm_struct *mm, u64 groups)
{
	struct account account = { .groups = groups, .kind = KIND_MEMORY };
	struct account *there;

	if (!mm)
		return;
	there = find(mm);
	if (there && there->groups == groups)
		return;
	if (there)
		there->groups = groups;
	else if (enter(mm, &account, VMSI_BPF_ACCOUNTS))
		return;
	force(groups, figure(mm));
}

static inline void enter_object(const struct inode *inode, u64 groups, u64 pages)
{
	struct account account = { .groups = groups, .kind = KIND_OBJECT, .pages = pages };

	enter(inode, &account, VMSI_BPF_ACCOUNTS);
}

/* A segment under way: the number of its thread, which is no address of the kernel's. */
static inline const void *segment_of_task(void)
{
	return (const void *)(u64)(u32)bpf_get_current_pid_tgid();
}

/* One without reserve has asked for nothing, and is counted all the same. */
static inline void enter_segment(const struct inode *inode, u64 groups, u64 pages,
				 _Bool was_granted)
{
	enter_object(inode, groups, pages);
	if (!was_granted)
		force(groups, pages);
}

struct climb {
	struct cgroup *cgroup;
	u64 groups;
};

static long climb_one(u32 index, struct climb *climb)
{
	struct cgroup *cgroup = climb->cgroup;
	u64 id = BPF_CORE_READ(cgroup, kn, id);
	u32 *slot = bpf_map_lookup_elem(&slots, &id);

	if (slot)
		climb->groups |= 1ULL << (*slot % VMSI_BPF_GROUPS);
	/* The first field of a control group is its own state, as a parent names it. */
	climb->cgroup = (struct cgroup *)BPF_CORE_READ(cgroup, self.parent);
	return !climb->cgroup;
}

/* All limited control groups above a task. */
static inline u64 groups_of(struct task_struct *task)
{
	struct climb climb = { .cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp) };

	if (climb.cgroup)
		bpf_loop(256, climb_one, &climb, 0);
	return climb.groups;
}

/* A task that may have another group than its entry says. */
static inline void look_at(struct task_struct *task)
{
	const u64 groups = groups_of(task);
	struct mm_struct *mm = task->mm;

	if (!mm)
		return;
	if (groups)
		enter_memory(mm, groups);
	/* The memory may have ended meanwhile, and with it who would take the entry away. */
	if (!groups || *(struct mm_struct *volatile *)&task->mm != mm)
		leave(mm);
}

static long forget_entry(void *map, const u64 *key, struct account *account, u64 *group)
{
	u64 of = *key;

	if (!(account->groups & *group))
		return 0;
	__sync_fetch_and_and(&account->groups, ~*group);
	if (!account->groups && !bpf_map_delete_elem(&accounts, &of))
		__sync_fetch_and_add(&entries, -1);
	return 0;
}

#endif
