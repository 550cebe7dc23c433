/* SPDX-License-Identifier: MIT */
#include "stacks/fork.h"

#include <pthread.h>

#include "host/host.h"
#include "space/inside.h"

/*
 * The pools of the process. Each has an entry, which a signal handler may read at any
 * time: so entries are used again and never unmapped. One whose end is 0 holds no
 * address.
 */

struct entry {
	_Atomic(struct vms_stacks *) stacks;
	_Atomic uintptr_t start;
	_Atomic uintptr_t end;
};

struct page_of_entries {
	_Atomic(struct page_of_entries *) next;
	struct entry entries[];
};

static struct vmsi_lock list_lock = VMSI_LOCK_INITIALIZER(VMSI_RANK_REGISTRY);
static _Atomic(struct page_of_entries *) pages;

static size_t entries_a_page(void)
{
	return (vmsi_page_size() - sizeof(struct page_of_entries)) /
		sizeof(struct entry);
}

/* --- fork --------------------------------------------------------------------------- */

static void for_all_pools(void (*act)(struct vmsi_lock *lock))
{
	for (struct page_of_entries *page = atomic_load(&pages); page;
	     page = atomic_load(&page->next))
		for (size_t i = 0; i < entries_a_page(); i++) {
			struct vms_stacks *stacks =
				atomic_load(&page->entries[i].stacks);

			if (stacks)
				act(&stacks->lock);
		}
}

static void before_fork(void)
{
	vmsi_lock_acquire_any(&list_lock);
	for_all_pools(vmsi_lock_acquire_any);
}

static void after_fork(void)
{
	for_all_pools(vmsi_lock_release_any);
	vmsi_lock_release_any(&list_lock);
}

/* Before any handler of the program, whose locks others may hold as they wait here. */
__attribute__((constructor)) static void handle_fork(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (atomic_flag_test_and_set(&done))
		return;
	vmsi_fork_handle();
	(void)pthread_atfork(before_fork, after_fork, after_fork);
}

/* --- entries ------------------------------------------------------------------------ */

static struct entry *find_entry(const struct vms_stacks *stacks)
{
	for (struct page_of_entries *page = atomic_load(&pages); page;
	     page = atomic_load(&page->next))
		for (size_t i = 0; i < entries_a_page(); i++)
			if (atomic_load(&page->entries[i].stacks) == stacks)
				return &page->entries[i];
	return NULL;
}

static struct entry *free_entry(void)
{
	struct entry *entry = find_entry(NULL);
	struct page_of_entries *page;

	if (entry)
		return entry;
	page = vmsi_records_get(NULL, vmsi_page_size());
	if (!page)
		return NULL;
	atomic_store(&page->next, atomic_load(&pages));
	atomic_store(&pages, page);
	return &page->entries[0];
}

int vmsi_stacks_register(struct vms_stacks *stacks)
{
	struct entry *entry;

	handle_fork();
	vmsi_lock_acquire(&list_lock);
	entry = free_entry();
	if (entry) {
		atomic_store(&entry->end, 0);
		atomic_store(&entry->stacks, stacks);
	}
	vmsi_lock_release(&list_lock);
	return entry ? 0 : vmsi_refuse(VMS_REFUSAL_RECORDS);
}

void vmsi_stacks_show(struct vms_stacks *stacks)
{
	struct entry *entry;

	vmsi_lock_acquire(&list_lock);
	entry = find_entry(stacks);
	atomic_store(&entry->start, stacks->mapping.start);
	atomic_store(&entry->end, stacks->mapping.end);
	vmsi_lock_release(&list_lock);
}

void vmsi_stacks_hide(struct vms_stacks *stacks)
{
	vmsi_lock_acquire(&list_lock);
	atomic_store(&find_entry(stacks)->end, 0);
	vmsi_lock_release(&list_lock);
}

void vmsi_stacks_unregister(struct vms_stacks *stacks)
{
	vmsi_lock_acquire(&list_lock);
	atomic_store(&find_entry(stacks)->stacks, NULL);
	vmsi_lock_release(&list_lock);
}

/* Pools whose memory is known, and so is there for as long as the list's lock is held. */
static struct vms_stacks *find_id(uint64_t id)
{
	for (struct page_of_entries *page = atomic_load(&pages); page;
	     page = atomic_load(&page->next))
		for (size_t i = 0; i < entries_a_page(); i++) {
			struct entry *entry = &page->entries[i];
			struct vms_stacks *stacks = atomic_load(&entry->stacks);

			if (stacks && atomic_load(&entry->end) &&
			    stacks->id == id)
				return stacks;
		}
	return NULL;
}

int vmsi_stacks_give_to(uint64_t id, const vms_stack *stack)
{
	struct vms_stacks *stacks;
	int result;

	vmsi_lock_acquire(&list_lock);
	stacks = find_id(id);
	result = stacks ? vms_stacks_give(stacks, stack) : 0;
	vmsi_lock_release(&list_lock);
	return result;
}

/* An end that is of this pool was written after the start: so it is read before. */
struct vms_stacks *vmsi_stacks_of(uintptr_t address)
{
	for (struct page_of_entries *page = atomic_load(&pages); page;
	     page = atomic_load(&page->next))
		for (size_t i = 0; i < entries_a_page(); i++) {
			struct entry *entry = &page->entries[i];
			struct vms_stacks *stacks = atomic_load(&entry->stacks);

			if (stacks && address < atomic_load(&entry->end) &&
			    address >= atomic_load(&entry->start) &&
			    atomic_load(&entry->stacks) == stacks)
				return stacks;
		}
	return NULL;
}
