/* SPDX-License-Identifier: MIT
 *
 * The decision: a request is granted by all groups above, or refused.
 */
#ifndef VMSI_KEEPER_PROGRAMS_GRANT_H
#define VMSI_KEEPER_PROGRAMS_GRANT_H

#define ENOMEM 12

/* The sum of a walk: without, and with, what others ask for at the same time. */
struct sums {
	u64 group;
	u64 self;
	u64 low;
	u64 high;
};

static inline _Bool is_locked_by(struct mm_struct *mm, u64 holder)
{
	const u64 count = BPF_CORE_READ(mm, mmap_lock.count.counter);
	const u64 owner = BPF_CORE_READ(mm, mmap_lock.owner.counter);

	/* Bit 0 of the count says that it is for writing; the owner has flags in bits
	 * that the address of a task leaves free. */
	return (count & 1) && (owner & ~7ULL) == holder;
}

/*
 * The lock is looked at before the figure: who lets it go has changed the figure, and
 * who takes it afterwards changes the estimate.
 */
static long add_entry(void *map, const u64 *key, struct account *account, struct sums *sums)
{
	struct mm_struct *mm = (struct mm_struct *)*key;
	u64 low = account->pages, high = 0;

	if (!(account->groups & sums->group))
		return 0;
	if (account->kind == KIND_MEMORY) {
		u64 granted = 0, asked = 0;

		if (*key != sums->self && (account->pending | account->tentative) &&
		    is_locked_by(mm, account->holder)) {
			granted = account->base + account->pending;
			asked = account->base + account->tentative;
		}
		low = figure(mm);
		if (low < granted)
			low = granted;
		high = low < asked ? asked : low;
	} else {
		high = low + (*key == sums->self ? 0 : account->tentative);
	}
	sums->low += low;
	sums->high += high;
	return 0;
}

struct request {
	u64 groups;
	u64 self;
	u64 pages;
	u64 limit;
	u32 slot;
	s32 result;
};

static inline _Bool swap_word(struct vmsi_bpf_state *state, u64 old, u64 new)
{
	return __sync_val_compare_and_swap(&state->word, old, new) == old;
}

/*
 * One attempt to decide by a walk. It begins anew where another walk has set the estimate
 * meanwhile, where an entry was made, whose place may have been that of one which the
 * walk stood on, or where it depends on a request that is not decided.
 */
static long walk(u32 index, struct request *request)
{
	struct sums sums = { .group = 1ULL << (request->slot % VMSI_BPF_GROUPS),
			     .self = request->self };
	u32 slot = request->slot;
	struct vmsi_bpf_state *state = bpf_map_lookup_elem(&states, &slot);
	u64 before, inserted, now;

	if (!state)
		return 1;
	inserted = *(volatile u64 *)&inserts;
	before = *(volatile u64 *)&state->word;
	bpf_for_each_map_elem(&accounts, add_entry, &sums, 0);
	now = *(volatile u64 *)&state->word;
	if (inserted != *(volatile u64 *)&inserts)
		return 0;
	if (sums.low + request->pages > request->limit)
		return now == before;
	if (sums.high + request->pages > request->limit)
		return 0;
	if (now >> estimate_bits != before >> estimate_bits)
		return 0;
	sums.high += request->pages + (now & estimate_mask) - (before & estimate_mask);
	if (!swap_word(state, now, ((now >> estimate_bits) + 1) << estimate_bits | sums.high))
		return 0;
	request->result = 0;
	return 1;
}

static long ask_one(u32 index, struct request *request)
{
	const u64 groups = request->groups;
	struct vmsi_bpf_state *state;
	struct vmsi_bpf_limit *limit;
	u64 word;
	u32 slot;

	if (!groups)
		return 1;
	slot = lowest_of(groups);
	request->groups = groups & (groups - 1);
	state = bpf_map_lookup_elem(&states, &slot);
	limit = bpf_map_lookup_elem(&limits, &slot);
	if (!state || !limit || !limit->id)
		return 0;
	word = state->word;
	if ((word & estimate_mask) + request->pages <= limit->pages &&
	    swap_word(state, word, word + request->pages))
		return 0;
	request->slot = slot;
	request->limit = limit->pages;
	request->result = -ENOMEM;
	bpf_loop(8, walk, request, 0);
	if (!request->result)
		return 0;
	__sync_fetch_and_add(&state->refused, 1);
	return 1;
}

/* Who grants says so in the entry before it asks, so that no walk overlooks it. */
static inline int ask(u64 groups, u64 self, u64 pages)
{
	struct request request = { .groups = groups, .self = self, .pages = pages };

	if (pages >= estimate_unknown)
		return -ENOMEM;
	bpf_loop(VMSI_BPF_GROUPS, ask_one, &request, 0);
	return request.result;
}

/* With mmap_lock held for writing. */
static inline int grant_locked(struct account *account, struct mm_struct *mm, u64 pages)
{
	int result;

	account->pending = 0;
	account->base = figure(mm);
	account->holder = (u64)bpf_get_current_task_btf();
	account->tentative = pages;
	result = ask(account->groups, (u64)mm, pages);
	if (!result)
		*(volatile u64 *)&account->pending = pages;
	*(volatile u64 *)&account->tentative = 0;
	return result;
}

/* An entry that counts a number of pages, or none. */
static inline int grant_entry(const void *of, enum kind kind, u64 groups, u64 pages)
{
	struct account account = { .groups = groups, .kind = kind, .tentative = pages };
	struct account *there;
	int result;

	if (enter(of, &account, VMSI_BPF_ACCOUNTS - VMSI_BPF_ACCOUNTS_KEPT))
		return -ENOMEM;
	result = ask(groups, (u64)of, pages);
	there = find(of);
	if (result || !there) {
		leave(of);
		return result;
	}
	*(volatile u64 *)&there->pages = pages;
	*(volatile u64 *)&there->tentative = 0;
	return 0;
}

/* An object counts for who mapped it first; it may have grown since. */
static inline int grant_object(const struct inode *inode, u64 groups, u64 pages)
{
	struct account *there = find(inode);
	u64 had;
	int result;

	if (!there)
		return grant_entry(inode, KIND_OBJECT, groups, pages);
	had = there->pages;
	if (pages <= had)
		return 0;
	there->tentative = pages - had;
	result = ask(there->groups, (u64)inode, pages - had);
	if (!result)
		*(volatile u64 *)&there->pages = pages;
	*(volatile u64 *)&there->tentative = 0;
	return result;
}

#endif
