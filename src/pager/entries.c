/* SPDX-License-Identifier: MIT */
#include "pager/entries.h"

#include <errno.h>

#include "host/host.h"

/*
 * An entry is changed by one thread at a time, which makes its turn odd before and even
 * after: who reads an odd one, or two that differ, has read nothing.
 */
struct vmsi_pager_entry {
	_Atomic uint32_t turn;
	_Atomic uintptr_t start, end;            /* end 0: unused */
	struct vmsi_pager *_Atomic pager;
	struct vmsi_pager_entry *next;           /* of all; written once */
};

static struct vmsi_pager_entry *_Atomic entries;

/* --- to look up -------------------------------------------------------------------------- */

static struct vmsi_pager *pager_at(struct vmsi_pager_entry *entry, uintptr_t address)
{
	const uint32_t turn = atomic_load(&entry->turn);
	struct vmsi_pager *pager = atomic_load(&entry->pager);

	if (turn % 2 || address < atomic_load(&entry->start) ||
	    address >= atomic_load(&entry->end) || atomic_load(&entry->turn) != turn)
		return NULL;
	return pager;
}

struct vmsi_pager *vmsi_entry_find(uintptr_t address)
{
	struct vmsi_pager_entry *entry = atomic_load(&entries);

	for (; entry; entry = entry->next) {
		struct vmsi_pager *pager = pager_at(entry, address);

		if (pager)
			return pager;
	}
	return NULL;
}

/* --- to change ---------------------------------------------------------------------------- */

/* Take an entry that nobody uses: its turn is odd then. */
static struct vmsi_pager_entry *take_unused(void)
{
	struct vmsi_pager_entry *entry = atomic_load(&entries);

	for (; entry; entry = entry->next) {
		uint32_t turn = atomic_load(&entry->turn);

		if (turn % 2 == 0 && atomic_load(&entry->end) == 0 &&
		    atomic_compare_exchange_strong(&entry->turn, &turn, turn + 1))
			return entry;
	}
	return NULL;
}

/* Make as many as fit on a page. */
static int make_more(void)
{
	const size_t bytes = vmsi_page_size();
	const struct vmsi_range nowhere = { 0, 0 };
	struct vmsi_pager_entry *made = vmsi_host_get_guarded(bytes, nowhere);

	if (!made)
		return -ENOMEM;
	for (size_t i = 0; i < bytes / sizeof(*made); i++) {
		made[i].next = atomic_load(&entries);
		while (!atomic_compare_exchange_weak(&entries, &made[i].next, &made[i]))
			;
	}
	return 0;
}

int vmsi_entry_add(struct vmsi_pager *pager)
{
	struct vmsi_pager_entry *entry = take_unused();

	while (!entry) {
		const int error = make_more();

		if (error)
			return error;
		entry = take_unused();
	}
	atomic_store(&entry->pager, pager);
	atomic_store(&entry->start, pager->range.start);
	atomic_store(&entry->end, pager->range.end);
	(void)atomic_fetch_add(&entry->turn, 1);
	pager->entry = entry;
	return 0;
}

void vmsi_entry_remove(struct vmsi_pager *pager)
{
	struct vmsi_pager_entry *entry = pager->entry;

	if (!entry)
		return;
	pager->entry = NULL;
	(void)atomic_fetch_add(&entry->turn, 1);
	atomic_store(&entry->end, 0);
	atomic_store(&entry->pager, NULL);
	(void)atomic_fetch_add(&entry->turn, 1);
}
